"""The services of the board server, one a file: each gives the handlers of its methods."""
