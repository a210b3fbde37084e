"""GPIO pins of the processing system: their levels, and the kernel's files by which they are used."""

from collections.abc import Callable

from ..hardware.gpio import FOLDER
from .filesystem import FileSystem, FunctionFile
from .options import Family, GpioChip


class Pins:
    """The GPIO pins of a board by their Linux number; tests set inputs and look at outputs.

    ::

        board.pins.write(960, 1)            # the design drives EMIO pin 0 of a Pynq-Z2
        assert board.pins.read(961) == 0    # what a client has written to pin 1

    Attributes:
        exported: directions of the pins that are handed out as files, whoever asked for them.
        busy: pins that a driver of the kernel holds: nobody can export them.
    """

    def __init__(self, family: Family, files: FileSystem) -> None:
        self.exported: dict[int, str] = {}
        self.busy: set[int] = set()
        self._chips = family.gpio
        self._files = files
        self._values: dict[int, int] = {}
        files.add(f"{FOLDER}/export", FunctionFile(store=lambda text: self._ordered(text, self.export)))
        files.add(f"{FOLDER}/unexport", FunctionFile(store=lambda text: self._ordered(text, self.unexport)))

        for chip in self._chips:
            for name, value in (("base", str(chip.base)), ("label", chip.label), ("ngpio", str(chip.pins))):
                files.add(f"{FOLDER}/gpiochip{chip.base}/{name}", _constant(f"{value}\n"))

    def read(self, pin: int) -> int:
        """Give the level of a pin, 0 or 1."""
        return self._values.get(pin, 0)

    def write(self, pin: int, value: int) -> None:
        """Set the level of a pin."""
        self._values[pin] = int(bool(value))

    def exists(self, pin: int) -> bool:
        """Whether a chip of this board has the pin."""
        return any(chip.base <= pin < chip.base + chip.pins for chip in self._chips)

    def chip(self, label: str | None) -> GpioChip | None:
        """Find a chip by its label; without one it is the first."""
        return next((chip for chip in self._chips if label is None or chip.label == label), None)

    def export(self, pin: int) -> bool:
        """Hand a pin out as files; False when it is handed out already, held by a driver, or not there."""
        if pin in self.exported or pin in self.busy or not self.exists(pin):
            return False

        self.exported[pin] = "in"

        def take_direction(text: bytes) -> None:
            self.set_direction(pin, text.decode("ascii", "replace").strip())

        def take_value(text: bytes) -> None:
            if self.exported.get(pin) == "out" and text.strip().isdigit():
                self.write(pin, int(text))

        folder = f"{FOLDER}/gpio{pin}"
        self._files.add(f"{folder}/direction", FunctionFile(lambda: f"{self.exported[pin]}\n".encode(), take_direction))
        self._files.add(f"{folder}/value", FunctionFile(lambda: f"{self.read(pin)}\n".encode(), take_value))
        return True

    def unexport(self, pin: int) -> bool:
        """Take a pin's files away; False when there are none."""
        if self.exported.pop(pin, None) is None:
            return False

        self._files.remove_directory(f"{FOLDER}/gpio{pin}")
        return True

    def set_direction(self, pin: int, direction: str) -> None:
        """Make an exported pin an input or an output; an output starts low, save with `high`."""
        if pin not in self.exported:
            return

        if direction in ("out", "low", "high"):
            self.write(pin, direction == "high")

        if direction in ("in", "out", "low", "high"):
            self.exported[pin] = "in" if direction == "in" else "out"

    def reset(self) -> None:
        """Set every pin low and take all files back, as a reboot does."""
        self._values.clear()

        for pin in list(self.exported):
            self.unexport(pin)

    def _ordered(self, text: bytes, deed: Callable[[int], bool]) -> None:
        """Do what was written to a file; the kernel's refusals are lost, since the server does not look (H37)."""
        number = text.strip()

        if number.isdigit():
            deed(int(number))


def _constant(text: str) -> FunctionFile:
    return FunctionFile(text.encode)
