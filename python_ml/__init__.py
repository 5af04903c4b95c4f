"""SpanishGas: churn for an energy retailer, from raw files to offers, in one warehouse."""
