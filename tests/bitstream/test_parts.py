import pytest

from pynq_async.bitstream import Family, family_of


@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("7z020clg400", "zynq7000"),
        ("xc7z020clg400-1", "zynq7000"),
        ("xc7z007sclg225-1", "zynq7000"),
        ("xa7z010clg225-1I", "zynq7000"),
        ("xq7z100rf1156-1I", "zynq7000"),
        ("xczu7ev-ffvc1156-2-e", "zynqmp"),
        ("xczu1cg-sbva484-1-e", "zynqmp"),
        ("xazu3eg-sfva625-1-i", "zynqmp"),
        ("xqzu28dr-ffrg1517-2-i", "zynqmp"),
        ("XCZU48DR-ffvg1517-2-e", "zynqmp"),
        ("zu3eg-sbva484-1-i", "zynqmp"),
        ("xck26-sfvc784-2LV-c", "zynqmp"),
        ("xck24-ubva530-2LV-c", "zynqmp"),
        ("xcvc1902-vsva2197-2MP-e-S", "versal"),
        ("xcve2302-sfva784-1LP-e-S", "versal"),
        ("xcvm1802-vsva2197-2MP-e-S", "versal"),
        ("xcvp1202-vsva2785-2MP-e-S", "versal"),
        ("xcvh1582-vsva3697-2MP-e-S", "versal"),
        ("xqrvc1902-vsra2197-1MSB", "versal"),
        ("xc2ve3858-ssva2112-2MP-e-S", "versal"),
        ("xcvu9p-flga2104-2L-e", None),
        ("xcku040-ffva1156-2-e", None),
        ("xc7k325tffg900-2", None),
        ("7k260tffg900", None),
        ("7a35tcpg236", None),
        ("xcv1000-4bg560", None),
        ("xc2vp30-7ff896", None),
        ("", None),
        ("zu", None),
    ],
)
def test_family_of_a_part(part: str, family: Family | None) -> None:
    assert family_of(part) == family
