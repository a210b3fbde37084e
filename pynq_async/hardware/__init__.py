"""Registers of the processing systems and of common IP: names, offsets and bits, with the manual cited. Data only."""
