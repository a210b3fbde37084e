"""Making HLS kernels for made-up designs."""

from collections.abc import Mapping
from typing import Any

from ..hardware import hls
from .synthetic_design import SyntheticIp

_CTRL = {"AP_START": 0, "AP_DONE": 1, "AP_IDLE": 2, "AP_READY": 3, "AUTO_RESTART": 7, "INTERRUPT": 9}


def synthetic_kernel(
    name: str,
    address: int,
    arguments: Mapping[str, int],
    *,
    results: Mapping[str, int] | None = None,
    chained: bool = False,
    interrupts: Mapping[str, tuple[str, int]] | None = None,
) -> SyntheticIp:
    """A kernel with its registers as Vitis HLS lays them out and Vivado describes them.

        synthetic_kernel("dot", 0x43C0_0000, {"a": 64, "b": 64, "count": 32}, results={"ap_return": 32})

    Args:
        name: of the function.
        address: physical address of its first register.
        arguments: those that the host writes, with their width in bits; a pointer has 64.
        results: what the host reads, with its width; `ap_return` is what the function returns.
        chained: the control protocol is `ap_ctrl_chain`, as in the Vitis kernel flow, and not `ap_ctrl_hs`.
        interrupts: as of `SyntheticIp`; the pin is called `interrupt`.
    """
    control = _CTRL | ({"AP_CONTINUE": 4} if chained else {})
    registers = {
        "CTRL": _register(hls.CTRL, "Control signals", {name: (low, 1) for name, low in control.items()}),
        "GIER": _register(hls.GIER, "Global Interrupt Enable Register", {"Enable": (0, 1)}),
        "IP_IER": _register(hls.IP_IER, "IP Interrupt Enable Register", {f"CHAN{n}_INT_EN": (n, 1) for n in (0, 1)}),
        "IP_ISR": _register(hls.IP_ISR, "IP Interrupt Status Register", {f"CHAN{n}_INT_ST": (n, 1) for n in (0, 1)}),
    }
    results = dict(results or {})
    returned = {hls.RETURN_VALUE: results.pop(hls.RETURN_VALUE)} if hls.RETURN_VALUE in results else {}
    offset = hls.FIRST_ARGUMENT

    for table, access in ((returned, "read-only"), (arguments, "write-only"), (results, "read-only")):
        for argument, width in table.items():
            words = range(-(-width // 32))

            for index in words:
                own = argument if len(words) == 1 else f"{argument}_{index + 1}"
                part = {argument: (0, min(32, width - 32 * index))}
                registers[own] = _register(offset + 4 * index, f"Data signal of {argument}", part, access)

            offset += 4 * len(words)

            if table is results:
                valid = {f"{argument}_ap_vld": (0, 1)}
                registers[argument + hls.VALID_SUFFIX] = _register(
                    offset, f"Control signal of {argument}", valid, access
                )

            offset += 4

    return SyntheticIp(f"xilinx.com:hls:{name}:1.0", address, registers=registers, interrupts=interrupts or {})


def _register(
    offset: int, description: str, fields: Mapping[str, tuple[int, int]], access: str = "read-write"
) -> dict[str, Any]:
    return {
        "address_offset": offset,
        "access": access,
        "description": description,
        "fields": {
            name: {"bit_offset": low, "bit_width": width, "access": access, "description": ""}
            for name, (low, width) in fields.items()
        },
    }
