"""A farm behind HTTP: tokens, leases, bitstreams, registers, buffers, jobs, and a page to watch it all."""

from .app import create_service
from .jobs import Jobs
from .options import ServiceOptions
from .server import serving
from .tokens import Scope, Token, Tokens
from .tokens_file import TOKENS_SCHEMA, load_tokens

__all__ = [
    "TOKENS_SCHEMA",
    "Jobs",
    "Scope",
    "ServiceOptions",
    "Token",
    "Tokens",
    "create_service",
    "load_tokens",
    "serving",
]
