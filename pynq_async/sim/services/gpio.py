"""`gpio.Gpio` of PYNQ 4.0: pins of the processing system by their Linux number."""

from typing import TYPE_CHECKING

import grpc

from ...wire import messages as m
from ...wire import methods
from ..dispatch import Handler, Refused, unary

if TYPE_CHECKING:
    from ..board import SimBoard


class GpioService:
    """Exports pins, and reads and writes their levels."""

    def __init__(self, board: "SimBoard") -> None:
        self._board = board

    def handlers(self) -> list[Handler]:
        """List the methods of this service."""
        return [
            unary(methods.GET_GPIO, self._get),
            unary(methods.GPIO_READ, self._read),
            unary(methods.GPIO_WRITE, self._write),
            unary(methods.GPIO_UNEXPORT, self._unexport),
            unary(methods.GPIO_IS_EXPORTED, self._is_exported),
            unary(methods.GPIO_BASE_PATH, self._base_path),
            unary(methods.GPIO_NPINS, self._pin_count),
        ]

    async def _get(self, request: m.GetGpioRequest) -> m.GetGpioResponse:
        pins, process = self._board.pins, self._board.process

        if request.direction not in ("in", "out"):
            return m.GetGpioResponse(message="Direction must be in or out.")

        if request.index not in pins.exported and not pins.export(request.index):
            return m.GetGpioResponse(message=f"Cannot export GPIO {request.index}.")

        pins.set_direction(request.index, request.direction)
        gpio_id = f"gpio{request.index}"

        async with process.gpio_table.change("get_gpio"):
            process.exported[gpio_id] = (request.index, request.direction)

        return m.GetGpioResponse(gpio_id=gpio_id)

    async def _read(self, request: m.GpioReadRequest) -> m.GpioReadResponse:
        pin, direction = await self._exported("read", request.gpio_id)

        if direction != "in":
            return m.GpioReadResponse(message="Cannot read from GPIO output.")

        return m.GpioReadResponse(value=self._board.pins.read(pin))

    async def _write(self, request: m.GpioWriteRequest) -> m.GpioWriteResponse:
        pin, direction = await self._exported("write", request.gpio_id)

        if direction != "out":
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "Cannot output to GPIO input.")

        self._board.pins.write(pin, request.value)
        return m.GpioWriteResponse()

    async def _unexport(self, request: m.GpioUnexportRequest) -> m.GpioUnexportResponse:
        pin, _ = await self._exported("unexport", request.gpio_id)

        async with self._board.process.gpio_table.change("unexport"):
            self._board.process.exported.pop(request.gpio_id, None)

        self._board.pins.unexport(pin)
        return m.GpioUnexportResponse()

    async def _is_exported(self, request: m.GpioIsExportedRequest) -> m.GpioIsExportedResponse:
        return m.GpioIsExportedResponse(is_exported=request.gpio_id in self._board.process.exported)

    async def _base_path(self, request: m.GetGpioBasePathRequest) -> m.GetGpioBasePathResponse:
        chip = self._board.pins.chip(request.target_label if request.HasField("target_label") else None)
        return m.GetGpioBasePathResponse(base_path=None if chip is None else f"/sys/class/gpio/gpiochip{chip.base}")

    async def _pin_count(self, request: m.GetGpioNPinsRequest) -> m.GetGpioNPinsResponse:
        chip = self._board.pins.chip(request.target_label if request.HasField("target_label") else None)
        return m.GetGpioNPinsResponse(npins=None if chip is None else chip.pins)

    async def _exported(self, who: str, gpio_id: str) -> tuple[int, str]:
        process = self._board.process

        async with process.gpio_table.search(who):
            pin = process.exported.get(gpio_id)

        # A pin that somebody took back through the kernel's files is gone for the server too.
        if pin is None or pin[0] not in self._board.pins.exported:
            self._board.counters.unknown_ids += 1
            raise Refused(grpc.StatusCode.NOT_FOUND, "GPIO not found.")

        return pin
