"""Landing: check a raw batch against models/sources.yml and write it to the lake, whole or not."""

from python_ml.land.batch import land
from python_ml.land.result import LandResult, TableResult

__all__ = ["LandResult", "TableResult", "land"]
