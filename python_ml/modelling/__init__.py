"""From gold to a judged model and its scores: split, train, audit, evaluate, gate, score."""
