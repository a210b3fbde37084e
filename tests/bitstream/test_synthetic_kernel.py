from pynq_async.bitstream import synthetic_kernel
from pynq_async.hardware import hls


def test_a_made_up_kernel_is_laid_out_as_vitis_hls_does() -> None:
    results = {"count": 16, "ap_return": 32}
    made = synthetic_kernel("dot", 0x43C0_0000, {"a": 64, "n": 32}, results=results, chained=True)
    registers = {name: entry for name, entry in made.registers.items() if not isinstance(entry, int)}
    offsets = {name: entry["address_offset"] for name, entry in registers.items()}
    assert made.type == "xilinx.com:hls:dot:1.0"
    assert list(offsets.items())[4:] == [
        ("ap_return", 0x10),
        ("a_1", 0x18),
        ("a_2", 0x1C),
        ("n", 0x24),
        ("count", 0x2C),
        ("count_ctrl", 0x30),
    ]
    assert hls.is_chained(registers)
    assert hls.arguments(registers) == {
        "ap_return": hls.Argument("ap_return", (0x10,), 32, writable=False),
        "a": hls.Argument("a", (0x18, 0x1C), 64, writable=True),
        "n": hls.Argument("n", (0x24,), 32, writable=True),
        "count": hls.Argument("count", (0x2C,), 16, writable=False),
    }


def test_arguments_are_found_however_much_the_description_says() -> None:
    def word(offset: int, **entry: object) -> dict[str, object]:
        return {"address_offset": offset, **entry}

    assert hls.arguments({"CTRL": word(0), "p": word(0x10, size=64), "q": word(0x1C)}) == {
        "p": hls.Argument("p", (0x10, 0x14), 64, writable=True),
        "q": hls.Argument("q", (0x1C,), 32, writable=True),
    }
    assert hls.arguments({"p_1": word(0x10), "p_2": word(0x14)}) == {"p": hls.Argument("p", (0x10, 0x14), 64, True)}
    assert list(hls.arguments({"p_1": word(0x10), "p_2": word(0x18)})) == ["p_1", "p_2"]
    assert list(hls.arguments({"y": word(0x10, access="read-only"), "y_ctrl": word(0x14)})) == ["y"]
    assert list(hls.arguments({"Memory_a": word(0x100, description="Memory 'a'")})) == []
