"""The functions that the owner of a service allows its clients to run on boards."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ..board.device import RemoteDevice
from ..errors import InvalidArgument
from .mistakes import mistakes
from .payloads import Payload
from .problems import Refusal

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A function that clients may run, and what it wants; see `Jobs.job`.

    Attributes:
        arguments: what it takes as JSON.
        payload: what it takes as a body, if anything.
    """

    name: str
    description: str
    fn: Callable[..., Awaitable[Any]] = field(repr=False)
    setup: Callable[[RemoteDevice], Any] | None
    model: str | None
    family: str | None
    tags: frozenset[str]
    priority: int
    timeout: float
    wait: float
    attempts: int
    arguments: type[BaseModel]
    payload: Payload | None

    def validated(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them; raises `Refusal`, which does not repeat values."""
        try:
            model = self.arguments.model_validate_json(json.dumps(arguments))
        except ValidationError as error:
            told = mistakes(error.errors(include_url=False), "arguments", self.arguments)
            raise Refusal(422, "invalid-request", told) from None

        return {info.alias or name: getattr(model, name) for name, info in self.arguments.model_fields.items()}


class Jobs:
    """Functions that clients of a service may run, each by its name.

    jobs = Jobs()

    @jobs.job(model="Pynq-Z2", timeout=60)
    async def blink(board: RemoteDevice, times: int = 3) -> dict[str, int]:
        ...

    app = create_service(farm, tokens, jobs=jobs)
    """

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __len__(self) -> int:
        return len(self._jobs)

    def get(self, name: str) -> Job | None:
        """The job of a name."""
        return self._jobs.get(name)

    def job(
        self,
        *,
        name: str | None = None,
        setup: Callable[[RemoteDevice], Any] | None = None,
        model: str | None = None,
        family: str | None = None,
        tags: str | Iterable[str] = (),
        priority: int = 0,
        timeout: float = 60.0,
        wait: float = 3600.0,
        attempts: int = 3,
    ) -> Callable[[Function], Function]:
        """Let clients run the async function that follows, on a board that nobody else has meanwhile.

        It is called with a board, or with what `setup(board)` gives, and with what the client sent. Arguments are
        checked by Pydantic as they are annotated. One that is `bytes` or a numpy array comes as the request's body.
        It returns what JSON can say, bytes, or a numpy array. When its board fails it is called anew with another one.

        Args:
            name: what clients call it; the function's name unless told.
            setup: as of `BoardFarm.map`, such as `lambda board: Overlay.load(board, path)`: awaited, or entered where
                it can be, before each run.
            model: which boards it may have, as of `BoardFarm.lease`; and so `family`, `tags` and `priority`.
            family: see `model`.
            tags: see `model`.
            priority: see `model`.
            timeout: seconds that `setup` and the function may take together.
            wait: seconds that a run may wait for a board.
            attempts: on how many boards it is tried when they fail.

        Raises `InvalidArgument` for a function that is not async or whose parameters cannot be checked.
        """
        if attempts < 1 or not (timeout > 0 and wait > 0):
            raise InvalidArgument("a job has at least 1 attempt, and timeout and wait of more than 0 seconds")

        wanted = frozenset([tags] if isinstance(tags, str) else tags)

        def register(fn: Function) -> Function:
            called = name if name is not None else str(getattr(fn, "__name__", ""))

            if not re.fullmatch(r"[\w.-]{1,64}", called):
                raise InvalidArgument(f"{called!r} is no name of a job: letters, digits and . _ - only, at most 64")

            if called in self._jobs:
                raise InvalidArgument(f"there is a job {called!r} already")

            arguments, payload = _parameters(called, fn)
            description = inspect.getdoc(fn) or ""
            self._jobs[called] = Job(
                called,
                description,
                fn,
                setup,
                model,
                family,
                wanted,
                priority,
                timeout,
                wait,
                attempts,
                arguments,
                payload,
            )
            return fn

        return register


def _parameters(job: str, fn: Callable[..., Any]) -> tuple[type[BaseModel], Payload | None]:
    """What a function takes beside the board: as JSON, and as a body."""
    if not inspect.iscoroutinefunction(fn):
        raise InvalidArgument(f"the job {job} is no async function")

    try:
        hints = get_type_hints(fn, include_extras=True)
    except Exception as error:
        raise InvalidArgument(f"the job {job}: its annotations cannot be read ({error})") from None

    board, *parameters = inspect.signature(fn).parameters.values() or (None,)

    if board is None or board.kind not in (board.POSITIONAL_ONLY, board.POSITIONAL_OR_KEYWORD):
        raise InvalidArgument(f"the job {job}: its first parameter is the board, or what its setup gives")

    payload: Payload | None = None
    fields: dict[str, Any] = {}
    aliases: dict[str, str] = {}  # so that a parameter may have any name, also one that a model has

    for place, parameter in enumerate(parameters):
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise InvalidArgument(f"the job {job}: {parameter} cannot be given by name")

        if parameter.name not in hints:
            raise InvalidArgument(f"the job {job}: {parameter.name} has no annotation")

        optional = parameter.default is not parameter.empty
        found = Payload.of(parameter.name, hints[parameter.name], optional=optional)

        if found is None:
            aliases[f"argument_{place}"] = parameter.name
            fields[f"argument_{place}"] = (hints[parameter.name], parameter.default if optional else ...)
        elif payload is None:
            payload = found
        else:
            raise InvalidArgument(
                f"the job {job}: {payload.name} and {found.name} cannot both be the body of a request"
            )

    config = ConfigDict(extra="forbid", alias_generator=aliases.__getitem__)

    try:
        return create_model("Arguments", __config__=config, **fields), payload
    except Exception as error:
        raise InvalidArgument(f"the job {job}: its parameters cannot be checked by Pydantic ({error})") from None
