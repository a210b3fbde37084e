"""The AXI timer: time that passes in the fabric, a regular beat, and a PWM output for a servo.

It runs as it stands, on a simulated board: python examples/timer.py
"""

import asyncio

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.sim import SimBoard, serve

DESIGN = synthetic_design(
    {
        "timer": SyntheticIp(
            "xilinx.com:ip:axi_timer:2.0",
            0x4280_0000,
            parameters={"FREQ_HZ": 100_000_000},
            interrupts={"interrupt": ("intc", 0)},
        ),
        "intc": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
    }
)  # with a real board all this is `await Overlay.load(board, "base.bit")`
BITSTREAM = parse_bitstream("timer.bit", synthetic_bitstream())


async def main() -> None:
    """Load the design on a simulated board, whose timer counts as fast as a real one."""
    sim = SimBoard(designs=[DESIGN])

    async with serve(sim) as address, RemoteDevice(address) as board:
        timer = (await Overlay.load(board, BITSTREAM, design=DESIGN)).timer
        alarm, watch = timer.timer0, timer.timer1

        await watch.start()
        await alarm.start(0.1)
        await alarm.wait(timeout=5)
        print(f"the alarm came, after {await watch.value() / timer.frequency:.3f} s as the fabric counts")

        await alarm.start(0.05, repeat=True)

        for beat in range(3):
            await alarm.wait(timeout=5)
            print(f"beat {beat} at {await watch.value() / timer.frequency:.3f} s")

        for duty in (0.05, 0.075, 0.1):
            await timer.pwm(period=20e-3, duty=duty)
            _, high = sim.ip["timer"].pwm()
            print(f"the servo sees pulses of {high * 1e3:.1f} ms")

        await timer.stop()


if __name__ == "__main__":
    asyncio.run(main())
