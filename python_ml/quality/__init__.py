"""Quality gates: what each layer must look like before the next one is built on it."""

from __future__ import annotations

from python_ml.quality.examiner import Examiner
from python_ml.quality.gate import QualityResult, check_layer

__all__ = ["Examiner", "QualityResult", "check_layer"]
