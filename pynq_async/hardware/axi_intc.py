"""The AXI interrupt controller (AXI INTC, PG099, "Register Space"): registers by byte offset, and their bits."""

ISR = 0x00  # interrupt status: what the inputs raised, enabled or not; writable only before HIE is set
IPR = 0x04  # interrupt pending: ISR under IER
IER = 0x08  # interrupt enable
IAR = 0x0C  # interrupt acknowledge: a one clears the bit in ISR
SIE = 0x10  # set interrupt enable: a one sets the bit in IER
CIE = 0x14  # clear interrupt enable: a one clears the bit in IER
IVR = 0x18  # interrupt vector: number of the lowest pending input
MER = 0x1C  # master enable

REGISTERS = {"ISR": ISR, "IPR": IPR, "IER": IER, "IAR": IAR, "SIE": SIE, "CIE": CIE, "IVR": IVR, "MER": MER}
SIZE = 0x20
INPUTS = 32  # at most

MASTER_ENABLE = 0x1  # MER.ME: the output follows IPR
HARDWARE_ENABLE = 0x2  # MER.HIE: inputs set ISR; once set it stays, until a reset
NOTHING_PENDING = 0xFFFF_FFFF  # in IVR

KIND_OF_INPUTS = "C_KIND_OF_INTR"  # parameter: a bit an input; 1 is edge, 0 is level
NUMBER_OF_INPUTS = "C_NUM_INTR_INPUTS"
NUMBER_OF_SOFTWARE_INTERRUPTS = "C_NUM_SW_INTR"  # bits of ISR above the inputs that software sets
