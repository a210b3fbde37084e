"""AXI GPIO (PG144, "Register Space"): registers by byte offset, and their bits.

A wire's bit in the tri-state register is 1 when it is an input. The data register reads as the pins of inputs and as
what was written to outputs; what is written to it is kept for inputs as well, and appears once they are outputs. On a
channel that is all inputs or all outputs the tri-state register is not there and reads as all ones.
"""

GPIO_DATA = 0x000
GPIO_TRI = 0x004
GPIO2_DATA = 0x008
GPIO2_TRI = 0x00C
GIER = 0x11C  # global interrupt enable
IP_ISR = 0x120  # interrupt status, a bit a channel, set when an input changes; writing a one toggles the bit
IP_IER = 0x128  # interrupt enable, a bit a channel

REGISTERS = {
    "GPIO_DATA": GPIO_DATA,
    "GPIO_TRI": GPIO_TRI,
    "GPIO2_DATA": GPIO2_DATA,
    "GPIO2_TRI": GPIO2_TRI,
    "GIER": GIER,
    "IP_ISR": IP_ISR,
    "IP_IER": IP_IER,
}

DATA = {1: GPIO_DATA, 2: GPIO2_DATA}  # by channel
TRI = {1: GPIO_TRI, 2: GPIO2_TRI}
CHANNEL_INTERRUPT = {1: 0x1, 2: 0x2}  # in IP_ISR and IP_IER
GLOBAL_ENABLE = 0x8000_0000  # GIER.INT_EN

INTERRUPT_PIN = "ip2intc_irpt"

# Parameters; those of the second channel end in _2, but for the widths.
IS_DUAL = "C_IS_DUAL"
INTERRUPT_PRESENT = "C_INTERRUPT_PRESENT"
WIDTH = {1: "C_GPIO_WIDTH", 2: "C_GPIO2_WIDTH"}
ALL_INPUTS = {1: "C_ALL_INPUTS", 2: "C_ALL_INPUTS_2"}
ALL_OUTPUTS = {1: "C_ALL_OUTPUTS", 2: "C_ALL_OUTPUTS_2"}
DATA_DEFAULT = {1: "C_DOUT_DEFAULT", 2: "C_DOUT_DEFAULT_2"}  # what the outputs are after a reset
TRI_DEFAULT = {1: "C_TRI_DEFAULT", 2: "C_TRI_DEFAULT_2"}
