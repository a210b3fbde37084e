"""Many boards at once."""

from .farm import BoardFarm
from .results import Results
from .spec import BoardSpec

__all__ = ["BoardFarm", "BoardSpec", "Results"]
