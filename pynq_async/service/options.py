"""What a service allows, as one frozen value."""

from dataclasses import dataclass, fields

from ..errors import InvalidArgument

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What clients of a service may do, how much and for how long.

    Attributes:
        lease_seconds: how long a lease lasts unless the client says or renews it.
        longest_lease: seconds that a lease may be asked or renewed for at a time.
        longest_wait: seconds that a request may wait for a board to become free.
        leases: leases that one token may have at a time, waiting ones included.
        requests: requests a second that one token may make, in the long run.
        burst: requests that it may make at once.
        upload_bytes: the largest bitstream or description.
        stored_bytes: all uploaded bitstreams and descriptions together.
        buffer_bytes: the largest buffer.
        stall: seconds without a byte after which a client that sends or takes data is given up.
        drain: seconds that requests under way are given when the service stops.
        sampling: seconds between two looks at temperatures and traffic, while anybody watches.
        watchers: streams of events that may be open at a time.
        runs: runs of jobs that may wait or be under way at a time.
        run_bytes: the largest input or result of a run.
        kept_runs: runs that have ended whose results are kept.
        kept_bytes: the inputs and results of all runs together.
    """

    lease_seconds: float = 300.0
    longest_lease: float = 3600.0
    longest_wait: float = 60.0
    leases: int = 64
    requests: float = 200.0
    burst: int = 400
    upload_bytes: int = 256 * _MIB
    stored_bytes: int = 2048 * _MIB
    buffer_bytes: int = 512 * _MIB
    stall: float = 30.0
    drain: float = 20.0
    sampling: float = 2.0
    watchers: int = 256
    runs: int = 64
    run_bytes: int = 64 * _MIB
    kept_runs: int = 64
    kept_bytes: int = 1024 * _MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InvalidArgument(f"the service option {field.name!r} must be more than 0")
