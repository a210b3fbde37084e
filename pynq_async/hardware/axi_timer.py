"""AXI Timer (PG079, "Register Space"): registers by byte offset, and their bits.

In generate mode a counter rolls over `load + 2` cycles after it was loaded when it counts down, `max - load + 2` when
it counts up (PG079, "Generate Mode"); in PWM mode timer 0 gives the period so, timer 1 the high time.
"""

TCSR0 = 0x00  # control and status
TLR0 = 0x04  # load value, or what was captured
TCR0 = 0x08  # counter, read-only
TCSR1 = 0x10
TLR1 = 0x14
TCR1 = 0x18

REGISTERS = {"TCSR0": TCSR0, "TLR0": TLR0, "TCR0": TCR0, "TCSR1": TCSR1, "TLR1": TLR1, "TCR1": TCR1}

CONTROL = (TCSR0, TCSR1)  # by timer
LOAD_VALUE = (TLR0, TLR1)
COUNTER = (TCR0, TCR1)

# Bits of TCSR0 and TCSR1, called MDT0, MDT1 and so on in the manual.
MDT = 1 << 0  # mode: 0 is generate, 1 capture
UDT = 1 << 1  # count down
GENT = 1 << 2  # drive the generate output
CAPT = 1 << 3  # heed the capture trigger
ARHT = 1 << 4  # generate: load again and go on; capture: overwrite what was captured before
LOAD = 1 << 5  # copy the load value into the counter, for as long as it is set
ENIT = 1 << 6  # enable the interrupt
ENT = 1 << 7  # run
TINT = 1 << 8  # rolled over, or captured; writing a one clears it
PWMA = 1 << 9  # PWM, when set in both
ENALL = 1 << 10  # writing a one runs both timers; the same bit in both registers
CASC = 1 << 11  # in TCSR0 only: one counter of 64 bits

BITS = {
    "MDT": MDT,
    "UDT": UDT,
    "GENT": GENT,
    "CAPT": CAPT,
    "ARHT": ARHT,
    "LOAD": LOAD,
    "ENIT": ENIT,
    "ENT": ENT,
    "INT": TINT,
    "PWMA": PWMA,
    "ENALL": ENALL,
    "CASC": CASC,
}

EXTRA_CYCLES = 2  # of a period beyond what is loaded

INTERRUPT_PIN = "interrupt"

COUNT_WIDTH = "C_COUNT_WIDTH"
ONE_TIMER_ONLY = "C_ONE_TIMER_ONLY"
# Where descriptions give the frequency of the clock: at the AXI port, and as parameters of older tools.
FREQUENCIES = ("FREQ_HZ", "C_S_AXI_ACLK_FREQ_HZ", "C_S_AXI_CLK_FREQ_HZ")
ACTIVE_HIGH = ("C_GEN0_ASSERT", "C_GEN1_ASSERT")  # of the generate outputs; 0 is active low
