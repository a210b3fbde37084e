"""Damaged files, thousands of each kind, from a fixed seed: a typed error or the right payload, never anything else."""

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pynq_async.bitstream import read_bitstream, synthetic_bitstream
from pynq_async.bitstream.bit import split_bit
from pynq_async.bitstream.parse import _answer
from pynq_async.bitstream.payload import check_bin, swap_words
from pynq_async.errors import BitstreamError

from .archives import small_xsa
from .descriptions import partial_description, zynq_description

BIT = synthetic_bitstream(size=256)
PAYLOAD = 256
INTERESTING = (b"\0", b"\xff", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff", b"a", b"e", b'"', b"<", b"&", b"/", b"-1")


def mutants(original: bytes, count: int, seed: int, *, changes: int = 3, fixed: int = 0) -> Iterator[bytes]:
    """Copies with up to `changes` changes: bytes, runs and cuts; those in place leave the last `fixed` bytes alone."""
    chance = random.Random(seed)

    for _ in range(count):
        data = bytearray(original)

        for _ in range(chance.randint(1, changes)):
            at = chance.randrange(max(1, len(data) - fixed))
            length = chance.choice((1, 1, 2, 4, 16, 64))

            match chance.randrange(6):
                case 0 if data:
                    data[at] ^= 1 << chance.randrange(8)
                case 1:
                    data[at : at + 1] = chance.choice(INTERESTING)[:1]
                case 2:
                    del data[chance.randrange(len(data) + 1) :]
                case 3:
                    del data[at : at + length]
                case 4:
                    data[at:at] = chance.choice(INTERESTING)
                case _:
                    data += chance.randbytes(length)

        yield bytes(data)


def test_mutants_of_a_bit_header_are_refused_or_have_the_payload() -> None:
    accepted = 0

    for mutant in mutants(BIT, 10_000, seed=1, changes=1, fixed=PAYLOAD):
        try:
            header, payload = split_bit("x.bit", mutant)
        except BitstreamError:
            continue

        accepted += 1
        assert bytes(payload) == BIT[-PAYLOAD:]
        assert header.part.isprintable()

    assert 500 < accepted < 5_000


def test_mutants_of_a_bit_are_refused_or_have_all_that_follows_their_header() -> None:
    for mutant in mutants(BIT, 10_000, seed=2):
        try:
            _, payload = split_bit("x.bit", mutant)
        except BitstreamError:
            continue

        # What was changed inside the payload only the device can see, which checks its CRC.
        assert mutant.endswith(b"e" + struct.pack(">I", len(payload)) + payload)


def test_mutants_of_a_bin_are_refused_or_taken_as_they_are() -> None:
    original = swap_words(BIT[-PAYLOAD:])

    for mutant in mutants(original, 10_000, seed=5):
        try:
            check_bin("x.bin", mutant)
        except BitstreamError:
            continue

        assert len(mutant) % 4 == 0
        assert bytes.fromhex("665599aa") in mutant


def test_mutants_of_an_xsa_are_refused_or_have_its_payload(tmp_path: Path) -> None:
    path = tmp_path / "top.xsa"
    path.write_bytes(small_xsa())
    original = read_bitstream(path)
    accepted = 0

    for mutant in mutants(path.read_bytes(), 2_000, seed=3):
        path.write_bytes(mutant)

        try:
            loaded = read_bitstream(path)
        except BitstreamError as error:
            assert str(error).startswith(str(path))
            continue

        accepted += 1
        assert loaded.data == original.data
        assert loaded.description in (original.description, None)

    assert accepted > 10


@pytest.mark.parametrize("original", [partial_description(), zynq_description()], ids=["partial", "zynq"])
def test_mutants_of_a_description_get_an_answer(original: bytes) -> None:
    understood = 0

    for mutant in mutants(original, 1_000, seed=4):
        answer = json.loads(_answer(mutant))

        if "error" in answer:
            assert answer["error"]
        else:
            understood += 1
            assert answer["digest"]

    assert understood > 10
