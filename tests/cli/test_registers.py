"""`pynq-async peek` and `poke`."""

from .conftest import Here


def test_what_was_poked_is_peeked(here: Here, other_process: str) -> None:
    poked = here("poke", other_process, "0x4125_0ff8", "0b1010")
    peeked = here("peek", other_process, "0x4125_0FF8")

    assert (poked.code, poked.out) == (0, "0x41250ff8: wrote 0x0000000a\n")
    assert (peeked.code, peeked.out) == (0, "0x41250ff8: 0x0000000a  10\n")


def test_negative_and_long_values(here: Here, other_process: str) -> None:
    here("poke", other_process, "0x40000000", "-2")
    written = here("poke", other_process, "0x40000008", "0x1122334455667788", "--length", "8", "--json")

    assert written.values["written"] == 0x1122_3344_5566_7788
    assert here("peek", other_process, "0x40000000").out == "0x40000000: 0xfffffffe  4294967294\n"
    assert here("peek", other_process, "0x40000008", "--length", "2").out == "0x40000008: 0x7788  30600\n"
    assert here("peek", other_process, "0x40000008", "--length", "8", "--json").values == {
        "board": other_process,
        "register": 0x4000_0008,
        "length": 8,
        "values": [0x1122_3344_5566_7788],
    }


def test_several_registers_are_dumped_across_pages(here: Here, other_process: str) -> None:
    for register, value in ((0x4200_0FF8, 0x6C6C_6548), (0x4200_0FFC, 0xFF01_206F), (0x4200_100C, 0x21)):
        here("poke", other_process, hex(register), value)

    assert here("peek", other_process, "0x42000ff8", "--count", "6").out.splitlines() == [
        "0x42000ff8: 6c6c6548 ff01206f 00000000 00000000  |Hello ..........|",
        "0x42001008: 00000000 00000021                    |....!...|",
    ]


def test_a_value_that_does_not_fit_is_refused(here: Here, other_process: str) -> None:
    ended = here("poke", other_process, "0x43000000", "0x1_0000_0000")

    assert ended.code == 1
    assert "does not fit into 4 bytes" in ended.only_error
    assert here("peek", other_process, "0x43000000", "--json").values["values"] == [0]
