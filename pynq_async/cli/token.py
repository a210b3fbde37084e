"""`pynq-async token`: a token for the users of a service."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import click

from .extras import service_extra
from .output import say, say_json
from .parameters import examples, json_option
from .running import carry_out


def to_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    """Read 30d, 12h, or a date or time as of ISO 8601, in UTC unless it has a zone; it must be still to come."""
    if text is None:
        return None

    now = datetime.now(UTC).replace(microsecond=0)

    try:
        if found := re.fullmatch(r"(\d+)([dh])", text):
            hours = int(found[1]) * (24 if found[2] == "d" else 1)
            time = now + timedelta(hours=hours)
        else:
            time = datetime.fromisoformat(text)
            time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no time; write 30d, 12h, or a date such as 2027-01-31") from None

    if time <= now:
        raise click.BadParameter(f"{text} is not in the future")

    return time


@click.command(
    short_help="Make a token for a user of a service.",
    epilog=examples(
        "pynq-async token alice --scope use --expires 30d --file tokens.toml",
        "pynq-async token wall-display --scope read",
    ),
)
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "use", "admin"]),
    required=True,
    help="read sees boards and events; use also works with boards; admin also ends what is others'.",
)
@click.option(
    "--expires",
    metavar="30d|DATE",
    callback=to_time,
    help="In so many days (d) or hours (h), or at a date.  [default: never]",
)
@click.option("--file", type=click.Path(path_type=Path), metavar="FILE", help="The file of tokens to add it to.")
@json_option
def token(
    name: str, scope: Literal["read", "use", "admin"], expires: datetime | None, file: Path | None, as_json: bool
) -> int:
    """Make a token called NAME and print its secret, which is kept nowhere.

    What the service needs of it is a table for its file of tokens (pynq-async serve --tokens FILE): added to --file,
    which is made for you alone when there is none, or else printed. To revoke it, remove that table and start the
    service anew.
    """

    async def work() -> int:
        with service_extra():
            from ..service import Token
            from ..service.tokens_file import append_token, toml_of

        secret, made = Token.make(name, scope, expires)

        if file is not None:
            append_token(file, made)

        if as_json:
            say_json(
                {
                    "name": name,
                    "scope": scope,
                    "expires": expires.isoformat() if expires else None,
                    "secret": secret,
                    "digest": made.digest,
                    "file": str(file) if file else None,
                }
            )
            return 0

        say(f"The secret of {name}, which is shown only now: {secret}")

        if file is not None:
            say(f"Its table was added to {file}; the service reads the file when it starts.")
        else:
            say(f"For the file of tokens:\n\n{toml_of(made)}")

        return 0

    return carry_out(work(), as_json=as_json)
