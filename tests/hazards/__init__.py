"""Every hazard of the board server: shown to a careless client, survived by the real one."""
