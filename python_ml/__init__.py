"""SpanishGas: churn for an energy retailer, from raw files to offers, in one warehouse."""

import os

# Our matrices are small: threads of the linear algebra wait for each other at full speed (half of
# the processor time of an evaluation) and add up in another order. It is read when numpy loads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
