"""Many boards at once."""

from .farm import BoardFarm
from .results import Results

__all__ = ["BoardFarm", "Results"]
