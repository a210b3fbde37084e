"""A farm over the workers of a Dask cluster, each of which has the boards beside it.

pip install "pynq-async[dask]"
"""

try:
    import distributed as _distributed  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"pynq_async.cluster needs Dask, and {error.name} is not installed: pip install 'pynq-async[dask]'",
        name=error.name,
    ) from error

from .boards import WorkerBoards
from .farm import ClusterFarm
from .mapping import ClusterMap

__all__ = ["ClusterFarm", "ClusterMap", "WorkerBoards"]
