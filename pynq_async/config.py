"""Small frozen values that say where a board is and how long and how much it may be asked."""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from .errors import InvalidArgument

DEFAULT_PORT = 7967
ENVIRONMENT = "PYNQ_REMOTE_DEVICES"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a board server listens: `host` and TCP `port`, 7967 unless told."""

    host: str
    port: int = DEFAULT_PORT

    def __post_init__(self) -> None:
        if not _is_host(self.host):
            raise InvalidArgument(f"{self.host!r} is no host name; write host or host:port, such as 192.168.2.99")

        if not 0 < self.port < 65536:
            raise InvalidArgument(f"{self.host}: port {self.port} is not between 1 and 65535")

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host`, `host:port`, `[v6]:port` or a bare IPv6 address; raises `InvalidArgument`."""
        text = text.strip()

        if _is_v6(text):
            return cls(text)

        match = re.fullmatch(r"\[(?P<v6>[^\]]*)\](?::(?P<p6>[^:]*))?|(?P<host>[^:]*)(?::(?P<port>[^:]*))?", text)

        if match is None or (match["v6"] is not None and not _is_v6(match["v6"])):
            raise InvalidArgument(f"{text!r} is no board address; write host or host:port, such as 192.168.2.99:7967")

        host, port = (match["v6"], match["p6"]) if match["v6"] is not None else (match["host"], match["port"])

        if port is not None and not re.fullmatch(r"[0-9]{1,5}", port):
            raise InvalidArgument(f"{text!r}: {port!r} is no port number")

        return cls(host, DEFAULT_PORT if port is None else int(port))

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> tuple["Address", ...]:
        """The addresses in `PYNQ_REMOTE_DEVICES`, comma-separated; raises `InvalidArgument` when there is none."""
        texts = [text for text in environ.get(ENVIRONMENT, "").split(",") if text.strip()]

        if not texts:
            raise InvalidArgument(f"{ENVIRONMENT} names no board; set it to one or more addresses, comma-separated")

        return tuple(cls.parse(text) for text in texts)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.host if self.port == DEFAULT_PORT else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Host and port, the port always."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Tls:
    """How to reach a board behind a TLS terminator; the files are read each time a board is opened.

        RemoteDevice("board.lab:8443", tls=Tls(ca="lab-ca.pem", certificate="me.pem", key="me.key"))

    Attributes:
        ca: PEM file of the authorities that may have signed the terminator's certificate; those that gRPC brings unless
            told.
        certificate: PEM file of the client certificate, with what lies between it and its authority, for mutual TLS.
        key: PEM file of its private key, without a passphrase.
        server_name: the name to ask for and to find in the terminator's certificate; the address's host unless told.
    """

    ca: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) == "":
                raise InvalidArgument(f"TLS: {field.name!r} is empty; leave it out")

        if (self.certificate is None) != (self.key is None):
            raise InvalidArgument("TLS: a client certificate needs its key, and a key its certificate; give both")

        if self.server_name is not None and not _is_host(self.server_name):
            raise InvalidArgument(f"TLS: {self.server_name!r} is no server name, such as board.lab")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long things may take, in seconds.

    Attributes:
        connect: from opening a board to knowing who it is.
        call: one short call (a register, an address, a small file).
        allocate: waiting for contiguous memory; a late answer is freed, never lost.
        stall: a stream of bulk data without any progress.
        program: from handing the firmware's name to the FPGA manager to reading its state.
        shutdown: one AXI shutdown manager to report that its port is quiet.
        grace: what a cancelled short call is given to finish before it is really cancelled.
    """

    connect: float = 5.0
    call: float = 10.0
    allocate: float = 30.0
    stall: float = 30.0
    program: float = 30.0
    shutdown: float = 1.0
    grace: float = 0.25

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InvalidArgument(f"the timeout {field.name!r} must be more than 0 seconds")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one board is asked for at a time.

    Attributes:
        streams: bulk streams under way at once (the server spends a thread on each).
        calls: short calls under way at once.
        windows: register windows the board server may hold; it never unmaps one.
        firmware: bitstreams kept in the board's firmware folder, which is often a RAM disk.
        file_bytes: the most that reading one file may bring.
    """

    streams: int = 4
    calls: int = 16
    windows: int = 256
    firmware: int = 4
    file_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InvalidArgument(f"the limit {field.name!r} must be more than 0")


@dataclass(frozen=True, slots=True)
class BoardSpec:
    """A board before it is opened: its name, where it is, what it is good for, and how it is reached.

        spec = BoardSpec("bench-left", Address.parse("192.168.2.99"), tags=frozenset({"camera"}))

        async with RemoteDevice(spec) as board:
            ...

    Attributes:
        name: unique in a farm; stands in every error.
        address: where its board server listens.
        tags: words that leases may ask for.
        tls, timeouts, limits: of this board; those of its farm, or the usual ones, unless told.
        locked: that the host's lock on it is held for whoever has this, as for a test by the fixtures that lend boards:
            an exclusive farm then takes none, and does not wait for what it has.
    """

    name: str
    address: Address
    tags: frozenset[str] = frozenset()
    tls: Tls | None = None
    timeouts: Timeouts | None = None
    limits: Limits | None = None
    locked: bool = False

    def __str__(self) -> str:
        return str(self.address)


def _is_host(text: str) -> bool:
    return bool(text) and not re.search(r"[\s/@\x00]", text)


def _is_v6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text.partition("%")[0]).version == 6
    except ValueError:
        return False
