"""The service as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ..errors import PynqError
from ..farm import BoardFarm
from . import problems
from .audit import Audit
from .departure import ClientGone, of_client_gone
from .gate import Gate
from .giving_up import GivingUp
from .jobs import Jobs
from .npy import LARGEST_HEADER
from .options import ServiceOptions
from .problems import Problem
from .rates import Rates
from .routes import about, bitstreams, boards, buffers, events, leases, page, programming, registers, runs
from .routes import jobs as job_routes
from .service import FarmService
from .tokens import Tokens


def create_service(
    farm: BoardFarm, tokens: Tokens, options: ServiceOptions | None = None, *, jobs: Jobs | None = None
) -> FastAPI:
    """A farm behind HTTP, with a page to watch it.

        secret, token = Token.make("alice", "use")
        app = create_service(BoardFarm.from_inventory("farm.toml", require="any"), Tokens([token]))
        # uvicorn.run(app, timeout_graceful_shutdown=20)

    The farm, which is not open yet, is opened when the application starts and closed when it ends, both by its
    lifespan. An application that mounts it enters `app.router.lifespan_context(app)` in its own. A server waits for the
    ends of all responses before it ends the lifespan, and watching events has none: so it needs a limit, as above.
    `serving` lets watchers go by itself.

    Args:
        farm: the boards; with `require="any"` or 0 the service starts although some do not answer.
        tokens: who may do what.
        options: limits and times.
        jobs: functions that clients may run.
    """
    options = options or ServiceOptions()
    service = FarmService(farm, tokens, options, jobs if jobs is not None else Jobs())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(
        title="pynq-async",
        summary="FPGA boards behind HTTP",
        version=version("pynq-async"),
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,  # what generated clients call their functions
        docs_url=None,  # the usual page of them asks other hosts for its scripts
        redoc_url=None,
        exception_handlers={
            PynqError: problems.of_pynq_error,
            HTTPException: problems.of_http_exception,
            RequestValidationError: problems.of_invalid_request,
            ClientGone: of_client_gone,
            Exception: problems.of_anything,
        },
    )
    app.state.service = service
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    app.add_middleware(
        Gate,
        tokens=tokens,
        rates=Rates(options.requests, options.burst),
        max_body=max(options.upload_bytes, options.buffer_bytes + LARGEST_HEADER, options.run_bytes + LARGEST_HEADER),
    )
    app.add_middleware(GivingUp, service=service)
    app.add_middleware(Audit)

    for each in (about, boards, leases, events, bitstreams, programming, registers, buffers, job_routes, runs, page):
        app.include_router(each.router)

    for router in (buffers.data, job_routes.inputs):  # whose bodies are larger
        app.include_router(router)

    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description, with the problem details that every route may answer."""
    if app.openapi_schema is None:
        description = FastAPI.openapi(app)
        description.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        app.openapi_schema = description

    return app.openapi_schema
