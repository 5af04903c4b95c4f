"""Quality gates: what each layer must look like before the next one is built on it."""

from __future__ import annotations

from python_ml.quality.gate import QualityResult, check_layer
from python_ml.quality.process import QualityProcess

__all__ = ["QualityProcess", "QualityResult", "check_layer"]
