"""GPIO pins of the processing system, as Linux numbers and names them.

A chip's first pins are wired to the package (MIO), the others to the programmable logic (EMIO): UG585 chapter 14,
UG1085 chapter 27, AM011 chapter "GPIO Controller". Labels: drivers/gpio/gpio-zynq.c of Linux. Files:
Documentation/admin-guide/gpio/sysfs.rst.
"""

FOLDER = "/sys/class/gpio"

# The labels of each family's chips.
LABELS: dict[str, tuple[str, ...]] = {
    "zynq7000": ("zynq_gpio",),
    "zynqmp": ("zynqmp_gpio",),
    "versal": ("versal_gpio", "pmc_gpio"),
}

# The first EMIO pin of each chip, which is also the number of its MIO pins.
FIRST_EMIO: dict[str, int] = {"zynq_gpio": 54, "zynqmp_gpio": 78, "versal_gpio": 26, "pmc_gpio": 52}

# Linux numbered pins from 1024 (Arm), 512 (Arm 64) or 256 (before 3.18) downwards, since 6.2 from 512 upwards; Zynq
# UltraScale+ often has a chip of 4 pins before this one.
LIKELY_BASES = (906, 338, 334, 454, 512, 516, 570, 628, 138)
HIGHEST_BASE = 1023
