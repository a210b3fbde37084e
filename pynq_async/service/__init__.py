"""A farm behind HTTP: tokens, leases, bitstreams, registers, buffers, jobs, and a page to watch it all."""

from .app import create_service
from .jobs import Jobs
from .options import ServiceOptions
from .server import serving
from .tokens import Scope, Token, Tokens

__all__ = ["Jobs", "Scope", "ServiceOptions", "Token", "Tokens", "create_service", "serving"]
