"""Read a temperature over I2C: a sensor's registers, an alarm, and a device that is not there.

python examples/iic_sensor.py
"""

import asyncio
import struct

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.errors import HardwareError
from pynq_async.overlay import AxiIIC
from pynq_async.sim import IicMemory, SimBoard, serve

SENSOR, TEMPERATURE, ALARM = 0x48, 0x00, 0x04

DESIGN = synthetic_design({"iic": SyntheticIp("xilinx.com:ip:axi_iic:2.1", 0x4160_0000)})
BITSTREAM = parse_bitstream("sensor.bit", synthetic_bitstream())


async def use(iic: AxiIIC) -> None:
    """Read the temperature (16 bits, a 256th of a degree each), and set the register for the alarm."""
    (raw,) = struct.unpack(">h", await iic.transfer(SENSOR, [TEMPERATURE], 2))
    print(f"the sensor has {raw / 256:.2f} degrees")
    await iic.send(SENSOR, [ALARM, *struct.pack(">h", 40 * 256)])
    (limit,) = struct.unpack(">h", await iic.transfer(SENSOR, [ALARM], 2))
    print(f"its alarm is set to {limit / 256:.0f} degrees")

    try:
        await iic.receive(SENSOR + 1, 1)
    except HardwareError as error:
        print(error)


async def main() -> None:
    """Use a sensor on the I2C bus of a simulated board."""
    sim = SimBoard(designs=[DESIGN])

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
        sim.ip["iic"].attach(SENSOR, IicMemory(struct.pack(">hhhh", 5424, 0, 0, 0)))
        await use(overlay.iic)


if __name__ == "__main__":
    asyncio.run(main())
