"""Files on the host: bitstreams and hardware descriptions, read, checked and parsed off the event loop."""

from .bit import BitHeader
from .clocks import PlClock
from .design import Design, Ip
from .formats import Bitstream, load_bitstream, parse_bitstream, read_bitstream
from .loading import load_design
from .parts import Family, family_of
from .shipped import shipped_description
from .synthetic import synthetic_bitstream
from .synthetic_design import SyntheticIp, synthetic_design
from .synthetic_kernel import synthetic_kernel

__all__ = [
    "BitHeader",
    "Bitstream",
    "Design",
    "Family",
    "Ip",
    "PlClock",
    "SyntheticIp",
    "family_of",
    "load_bitstream",
    "load_design",
    "parse_bitstream",
    "read_bitstream",
    "shipped_description",
    "synthetic_bitstream",
    "synthetic_design",
    "synthetic_kernel",
]
