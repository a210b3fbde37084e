"""A board and what it hands out: registers, buffers, files, the fabric."""
