"""What a simulated board has seen: plain numbers a test reads."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProgramEvent:
    """One attempt to program the fabric: what was found under `name` and how it ended; `digest` is its SHA-256."""

    name: str
    digest: str
    length: int
    partial: bool
    ok: bool
    state: str


@dataclass(slots=True)
class Counters:
    """Everything counted since the board was made; restarts and reboots do not reset it.

    Attributes:
        calls: calls begun, by method, such as `calls["mmio.read"]`.
        bytes_in: bytes of the messages received in streams.
        bytes_out: bytes of the messages sent in streams.
        live_buffers: buffers the server holds now.
        windows: register windows made so far, dead ones too.
        programmed: every attempt to program the fabric, in order.
        races: calls that overlapped on an unlocked table while it changed (H1).
        race_log: a line for each race, such as `buffers: allocate against write`.
        duplicate_window_ids: windows that were given the id of another one (H2).
        use_after_free: streams that touched a buffer freed under them (H4).
        freed_in_use: buffers freed while a stream on them was open, whether or not it went on (H4).
        double_register_loads: register reads, each of which loaded the register twice (H10).
        dead_windows: windows that could not be mapped though an id was given (H11, H12).
        out_of_range: register accesses outside their window (H13).
        unaligned: register accesses whose offset was rounded down (H14).
        odd_writes: register writes of another length than 4 bytes (H16).
        unprogrammed: register accesses to programmable logic that holds no design (H18).
        bus_errors: register accesses to addresses where nothing is, on a board that knows its designs.
        strays: transfers of an IP to or from contiguous memory that no buffer has.
        unknown_ids: calls with a buffer or window id the server does not know.
        partial_writes: buffer uploads that ended before the buffer's end (H24).
        overflows: buffer uploads that went past the buffer's end (H23).
        runaway_reads: cancelled reads of an endless file, each of which burns a thread for ever (H40).
        dropped_stores: file writes that were lost though the call succeeds (H35).
        long_names: firmware names of 255 bytes or more (H38).
        unary_now: unary calls being answered.
        unary_peak: the most unary calls at once.
        streams_now: streams open.
        streams_peak: the most streams open at once.
        starts: server processes started.
        crashes: why the server died by itself, in order.
    """

    calls: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    live_buffers: int = 0
    windows: int = 0
    programmed: list[ProgramEvent] = field(default_factory=list)
    races: int = 0
    race_log: list[str] = field(default_factory=list)
    duplicate_window_ids: int = 0
    use_after_free: int = 0
    freed_in_use: int = 0
    double_register_loads: int = 0
    dead_windows: int = 0
    out_of_range: int = 0
    unaligned: int = 0
    odd_writes: int = 0
    unprogrammed: int = 0
    bus_errors: int = 0
    strays: int = 0
    unknown_ids: int = 0
    partial_writes: int = 0
    overflows: int = 0
    runaway_reads: int = 0
    dropped_stores: int = 0
    long_names: int = 0
    unary_now: int = 0
    unary_peak: int = 0
    streams_now: int = 0
    streams_peak: int = 0
    starts: int = 0
    crashes: list[str] = field(default_factory=list)
