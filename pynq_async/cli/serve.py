"""`pynq-async serve`: boards behind HTTP, with a page, until Ctrl-C."""

import ipaddress
import json
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import click

from ..config import ENVIRONMENT
from ..errors import InvalidArgument
from ..farm import BoardFarm, BoardSpec
from .boards import asked_timeout, chosen, inventory_option, to_boards
from .extras import service_extra
from .jobs import load_jobs
from .output import say
from .parameters import examples, json_option, timeout_option
from .running import carry_out
from .simulated import offer, simulated_boards
from .stopping import until_stopped

_HIGHEST_PORT = 65535
_AUDIT = "pynq_async.service.audit"


def to_require(_context: click.Context, _parameter: click.Parameter, text: str) -> Literal["all", "any"] | int:
    """Read all, any, or a number."""
    match text:
        case "all" | "any":
            return text
        case _ if text.isdecimal():
            return int(text)
        case _:
            raise click.BadParameter(f"{text!r} is none of all, any and a number of boards")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked for."""

    boards: tuple[BoardSpec | str, ...]
    inventory: Path | None
    tags: tuple[str, ...]
    timeout: float
    asked: bool
    simulate: int | None
    require: Literal["all", "any"] | int
    host: str
    port: int
    tokens: Path | None
    jobs: str | None
    certificate: Path | None
    key: Path | None
    audit: Path | None
    as_json: bool


@click.command(
    short_help="Put boards behind HTTP, with a page to watch them.",
    epilog=examples(
        "pynq-async serve --simulate 8",
        "pynq-async serve 192.168.2.99 192.168.2.100",
        "pynq-async serve --inventory lab.toml --tokens tokens.toml --certificate lab.pem",
    ),
)
@click.argument("boards", metavar="[ADDRESS]...", nargs=-1, callback=to_boards)
@inventory_option
@click.option("--tag", "tags", multiple=True, help="Only boards of the inventory with this tag; may be repeated.")
@click.option("--simulate", type=click.IntRange(1, 64), metavar="N", help="N simulated boards instead of real ones.")
@click.option(
    "--require",
    default="any",
    show_default=True,
    metavar="any|all|N",
    callback=to_require,
    help="How many boards must answer for the service to start; others are taken in when they do.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 is all of them.")
@click.option(
    "--port", type=click.IntRange(0, _HIGHEST_PORT), default=8000, show_default=True, help="0 is any free one."
)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Who may do what (see 'pynq-async token').  [default: one token for all, made now]",
)
@click.option(
    "--jobs",
    metavar="MODULE:NAME",
    help="Functions that users may run on boards: a pynq_async.service.Jobs in a module of yours.",
)
@click.option(
    "--certificate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="PEM file with the certificate (and its key, unless --key has it), for HTTPS.",
)
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="PEM file with its private key.")
@click.option(
    "--audit",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Add a line of JSON to it for each request: who, what, how it ended; never what was sent.",
)
@timeout_option
@json_option
def serve(
    boards: tuple[BoardSpec | str, ...],
    inventory: Path | None,
    tags: tuple[str, ...],
    simulate: int | None,
    require: Literal["all", "any"] | int,
    host: str,
    port: int,
    tokens: Path | None,
    jobs: str | None,
    certificate: Path | None,
    key: Path | None,
    audit: Path | None,
    timeout: float,
    as_json: bool,
) -> int:
    """Put boards behind HTTP until Ctrl-C, with a page to watch and use them.

    The boards are those with an ADDRESS, those of the --inventory (all, or those named), those of PYNQ_REMOTE_DEVICES,
    or simulated ones. Whoever has a token may lease boards, upload bitstreams, program, read and write registers and
    buffers; the page's URL is printed, and what a shell needs. On Ctrl-C or SIGTERM requests under way end first and
    boards are left clean.

    With --json one line is printed when the service is ready: its URL, its token, and which boards answer.
    """
    if tags and inventory is None:
        raise click.UsageError("--tag needs --inventory")

    if simulate is not None and (boards or inventory is not None):
        raise click.UsageError("--simulate takes the place of boards; name none")

    if key is not None and certificate is None:
        raise click.UsageError("--key needs --certificate")

    plan = _Plan(
        boards,
        inventory,
        tags,
        timeout,
        asked_timeout(),
        simulate,
        require,
        host,
        port,
        tokens,
        jobs,
        certificate,
        key,
        audit,
        as_json,
    )

    async def work() -> int:
        await until_stopped(_serve(plan))
        return 0

    try:
        return carry_out(work(), as_json=as_json)
    except KeyboardInterrupt:
        return 0


async def _serve(plan: _Plan) -> None:
    with service_extra():
        from ..service import Token, Tokens, create_service, load_tokens, serving

    jobs = load_jobs(plan.jobs) if plan.jobs is not None else None
    secret, token = (None, None) if plan.tokens is not None else Token.make("admin", "admin")
    tokens = load_tokens(plan.tokens) if plan.tokens is not None else Tokens([token] if token else [])

    async with AsyncExitStack() as stack:
        stack.enter_context(_audited(plan.audit))
        bitstreams: Sequence[Path] = ()

        if plan.simulate is None:
            if not plan.boards and plan.inventory is None and not os.environ.get(ENVIRONMENT):
                raise InvalidArgument(f"no boards: give an ADDRESS, --inventory, --simulate N, or set {ENVIRONMENT}")

            specs = chosen(plan.boards, plan.inventory, plan.tags, plan.timeout, asked=plan.asked)
        else:
            if not plan.as_json:
                say(f"Starting {plan.simulate} simulated {_boards(plan.simulate)} ...", file=sys.stderr)

            specs, bitstreams = await stack.enter_async_context(simulated_boards(plan.simulate))

        # Other programs of this host wait for what is leased here, and the other way round.
        farm = BoardFarm(specs, require=plan.require, exclusive=plan.simulate is None)
        app = create_service(farm, tokens, jobs=jobs)
        served = serving(app, host=plan.host, port=plan.port, certificate=plan.certificate, key=plan.key)
        url = await stack.enter_async_context(served)
        await offer(app.state.service, bitstreams, next(iter(tokens)).name)
        _announce(plan, farm, _reached(url), secret, bitstreams)
        await anyio.sleep_forever()


def _announce(plan: _Plan, farm: BoardFarm, url: str, secret: str | None, bitstreams: Sequence[Path]) -> None:
    absent = {name: str(error) for name, error in sorted(farm.absent.items())}
    names = sorted(farm.statistics().boards)

    if plan.as_json:
        start = {
            "url": url,
            "token": secret,
            "boards": [name for name in names if name not in absent],
            "absent": absent,
            "bitstreams": [str(path) for path in bitstreams],
        }
        say(json.dumps(start))
    else:
        say(f"{len(names) - len(absent)} of {len(names)} {_boards(len(names))} answer{'s' if len(names) == 1 else ''}.")

        for reason in absent.values():
            say(f"  {reason}")

        say(f"The page: {url}/" + (f"#token={secret}" if secret else ""))
        say(f"For a shell: export URL={url}" + (f" TOKEN={secret}" if secret else ""))

        for path in bitstreams:
            say(f"Uploaded already, to try: {path}")

        say("Ctrl-C ends it.")

    if plan.certificate is None and not _is_loopback(plan.host):
        say(
            f"warning: {plan.host} can be reached from other machines, and without TLS tokens can be read on the way; "
            "use --certificate and --key",
            file=sys.stderr,
        )


@contextmanager
def _audited(path: Path | None) -> Iterator[None]:
    """Have the audit log added to a file."""
    if path is None:
        yield
        return

    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be written ({error.strerror}); choose another --audit") from None

    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger(_AUDIT)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)

    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _boards(count: int) -> str:
    return "board" if count == 1 else "boards"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reached(url: str) -> str:
    """The URL with the name of this machine where we listen on all its addresses."""
    return re.sub(r"//(0\.0\.0\.0|\[::\]):", f"//{socket.gethostname()}:", url)


__all__ = ["serve"]
