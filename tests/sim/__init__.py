"""Tests of the simulated board, with a raw gRPC client."""
