"""The AXI IIC Bus Interface (PG090, "Register Space")."""

GIE = 0x1C  # global interrupt enable
ISR = 0x20  # interrupt status; a written 1 toggles its bit
IER = 0x28  # interrupt enable
SOFTR = 0x40  # soft reset
CR = 0x100  # control
SR = 0x104  # status
TX_FIFO = 0x108
RX_FIFO = 0x10C  # a read takes the oldest byte out
ADR = 0x110  # own address as a slave
TX_FIFO_OCY = 0x114  # bytes in the FIFO, less one
RX_FIFO_OCY = 0x118
TEN_ADR = 0x11C
RX_FIFO_PIRQ = 0x120  # with this many bytes, less one, in the receive FIFO the core holds SCL low
GPO = 0x124  # general purpose outputs
TSUSTA = 0x128  # timing of the bus in cycles of the AXI clock
TSUSTO = 0x12C
THDSTA = 0x130
TSUDAT = 0x134
TBUF = 0x138
THIGH = 0x13C
TLOW = 0x140
THDDAT = 0x144

# GIE
GLOBAL_ENABLE = 1 << 31

# SOFTR
RESET_KEY = 0xA

# ISR and IER; each bit is set for as long as its condition lasts, and stays set until it is toggled
ARBITRATION_LOST = 1 << 0
TRANSMIT_ERROR = 1 << 1  # a byte was not acknowledged; also the last one of every read, by the core itself
TRANSMIT_EMPTY = 1 << 2  # the core holds SCL low, since it has nothing to send
RECEIVE_FULL = 1 << 3  # the core holds SCL low, since nobody takes what it received
NOT_BUSY = 1 << 4
ADDRESSED = 1 << 5
NOT_ADDRESSED = 1 << 6
TRANSMIT_HALF = 1 << 7

# CR
ENABLE = 1 << 0
TX_FIFO_RESET = 1 << 1
MASTER = 1 << 2  # MSMS: START when set, STOP when cleared; set and cleared by the core itself in dynamic mode
TRANSMIT = 1 << 3
NO_ACKNOWLEDGE = 1 << 4  # TXAK
REPEATED_START = 1 << 5
GENERAL_CALL = 1 << 6

# SR
BUS_BUSY = 1 << 2
SLAVE_READ = 1 << 3
TX_FULL = 1 << 4
RX_FULL = 1 << 5
RX_EMPTY = 1 << 6
TX_EMPTY = 1 << 7

# TX_FIFO, dynamic mode ("Dynamic Controller Logic Flow")
START = 1 << 8  # (repeated) START, then this address
STOP = 1 << 9  # STOP after this byte; behind an address with the read bit: receive this many bytes, then STOP
READ = 1 << 0  # of an address byte

FIFO_DEPTH = 16
MOST_READ = 255  # bytes in one dynamic read: the count is a byte
INTERRUPT_PIN = "iic2intc_irpt"

# Parameters
CLOCK_HZ = "C_S_AXI_ACLK_FREQ_HZ"
BUS_HZ = "C_IIC_FREQ"
TIMING_WIDTH = "C_TIMING_REG_WIDTH"  # bits of the timing registers; before version 2.1 just as many as the design needs
