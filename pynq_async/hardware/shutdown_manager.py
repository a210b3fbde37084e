"""The AXI shutdown manager (DFX AXI Shutdown Manager, PG305): keeps a port quiet while its far end is replaced."""

CONTROL = 0x0  # write: request; read: state
REQUEST = 0x1
ALL_QUIET = 0x0F  # both channels are in shutdown and have no transaction left
