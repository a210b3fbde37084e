"""Temperatures and supply voltages, from the files in which the board's kernel shows them."""

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..concurrency import for_each
from ..errors import NotSupported, ServerError
from ..hardware.sensors import FEATURES, HWMON_DEVICES, IIO_DEVICES, MONITORS
from ..wire.channel import Connection
from .files import Files

_WIDTH = 16  # files read at the same time


@dataclass(frozen=True, slots=True)
class Reading:
    """What one sensor measured: `value` in `unit` (`°C`, `V`, `A` or `W`)."""

    name: str
    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.name}: {self.value:.4g} {self.unit}"


@dataclass(frozen=True, slots=True)
class _Sensor:
    """A sensor that the board has: (number in `path` + offset) * scale is the quantity."""

    name: str
    unit: str
    path: str
    scale: float
    offset: float = 0.0
    signed: bool = False
    die: bool = False

    def reading(self, text: str) -> Reading | None:
        """What the file's content means; None for no number, as when the kernel could not measure."""
        number = _number(text)

        if number is None:
            return None

        if self.signed and number >= 1 << 15:
            number -= 1 << 16

        return Reading(self.name, (number + self.offset) * self.scale, self.unit)


class Sensors:
    """What one board measures of itself.

    The chip's own monitor is XADC (Zynq-7000), AMS (Zynq UltraScale+) or SysMon (Versal: its temperature only, since
    the files of its supplies are named by the design). Chips on the board that measure supplies come with names such as
    `ina226.in1`. Which there are is found out once in each boot, by trying the files that there may be.

        print(await board.sensors.temperature())        # 46.9
        print((await board.sensors.read())["vccint"])   # vccint: 1.001 V
    """

    def __init__(self, connection: Connection, files: Files) -> None:
        self._connection = connection
        self._files = files
        self._found: list[_Sensor] = []
        self._boot: str | None = None
        self._finding = asyncio.Lock()

    async def read(self) -> dict[str, Reading]:
        """Read all sensors at the same time; by name. One that does not answer is left out.

        Raises `NotSupported` when the board has none.
        """
        sensors = await self._sensors()
        texts = await self._texts(sensor.path for sensor in sensors)
        readings = [sensor.reading(texts.get(sensor.path, "")) for sensor in sensors]
        return {reading.name: reading for reading in readings if reading is not None}

    async def temperature(self) -> float:
        """The temperature of the die in degrees Celsius; where it has several sensors, that of the processing system.

        Raises `NotSupported` when the board's kernel does not show it, `ServerError` when it gives no number now.
        """
        board = self._connection.board
        sensor = next((sensor for sensor in await self._sensors() if sensor.die), None)

        if sensor is None:
            raise NotSupported(
                board,
                f"no file for the die's temperature: none of {IIO_DEVICES[0]} to {len(IIO_DEVICES) - 1} is a "
                f"monitor ({', '.join(MONITORS)})",
            )

        text = (await self._texts([sensor.path])).get(sensor.path, "")
        reading = sensor.reading(text)

        if reading is None:
            raise ServerError(board, f"{sensor.path} reads {text!r}, which is no number")

        return reading.value

    async def _sensors(self) -> list[_Sensor]:
        async with self._finding:
            boot = (await self._connection.current()).boot

            if self._boot != boot:
                self._found = [*await self._monitors(), *await self._chips()]
                self._boot = boot

        if not self._found:
            await self._connection.kernel_file("/proc/version")  # a server that can open nothing says so
            raise NotSupported(
                self._connection.board,
                f"no sensors: neither {IIO_DEVICES[0]} to {len(IIO_DEVICES) - 1} nor {HWMON_DEVICES[0]} to "
                f"{len(HWMON_DEVICES) - 1} have files that are known",
            )

        return self._found

    async def _monitors(self) -> list[_Sensor]:
        """The channels of the chip's own monitor."""
        names = await self._texts(f"{device}/name" for device in IIO_DEVICES)
        channels = [
            (channel, f"{device}/{channel.file}")
            for device in IIO_DEVICES
            for channel in MONITORS.get(names.get(f"{device}/name", ""), ())
        ]
        texts = await self._texts(f"{path}_{part}" for _, path in channels for part in ("raw", "scale", "offset"))
        found = []

        for channel, path in channels:
            scale = channel.scale if channel.scale is not None else _number(texts.get(f"{path}_scale", ""))

            if f"{path}_raw" in texts and scale is not None:
                found.append(
                    _Sensor(
                        channel.name,
                        channel.unit,
                        f"{path}_raw",
                        scale / 1000,
                        _number(texts.get(f"{path}_offset", "")) or 0.0,
                        signed=channel.scale is not None,
                        die=channel.die,
                    )
                )

        return found

    async def _chips(self) -> list[_Sensor]:
        """The sensors of other chips on the board."""
        names = await self._texts(f"{device}/name" for device in HWMON_DEVICES)
        features = [
            (feature, device, f"{feature.kind}{number}")
            for device in HWMON_DEVICES
            if f"{device}/name" in names
            for feature in FEATURES
            for number in feature.numbers
        ]
        texts = await self._texts(f"{device}/{file}_input" for _, device, file in features)
        present = [entry for entry in features if f"{entry[1]}/{entry[2]}_input" in texts]
        labels = await self._texts(f"{device}/{file}_label" for _, device, file in present)
        found = []

        for feature, device, file in present:
            chip = names[f"{device}/name"]

            if list(names.values()).count(chip) > 1:
                chip += f"-{device.removeprefix('/sys/class/hwmon/hwmon')}"

            label = labels.get(f"{device}/{file}_label") or file
            found.append(_Sensor(f"{chip}.{label}", feature.unit, f"{device}/{file}_input", feature.scale))

        return found

    async def _texts(self, paths: Iterable[str]) -> dict[str, str]:
        """The content of those files that there are."""
        texts: dict[str, str] = {}

        async def read(path: str) -> None:
            content = await self._files.read_if_there(path)

            if content is not None:
                texts[path] = content.decode("utf-8", "replace").strip()

        await for_each(paths, read, width=_WIDTH)
        return texts


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None
