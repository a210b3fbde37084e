"""Which methods a path has, as `Allow` must say: routes know their own only, and several share a path."""

from fastapi import FastAPI, Request
from starlette.routing import compile_path

from .paths import path_of

_METHODS = ("get", "post", "put", "delete", "patch")


def allowed_methods(request: Request) -> str | None:
    """The methods of a request's path in the application's description; None for a path that is not in it."""
    app = request.app
    assert isinstance(app, FastAPI)
    path = path_of(request.scope)

    for template, item in app.openapi()["paths"].items():
        if compile_path(template)[0].match(path):
            return ", ".join(method.upper() for method in _METHODS if method in item)

    return None
