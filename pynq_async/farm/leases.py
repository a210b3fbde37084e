"""Who holds which board and who waits: decided here, without I/O and without waiting, and acted on elsewhere.

Every method that changes something returns the requests that it granted. The rules:

* no board is held twice;
* requests are served by priority, then in the order they came. One that must wait keeps for itself every free board it
  could use, so that nobody behind it takes what it is waiting for; who needs other boards goes past it;
* so each request is granted after those before it, as long as boards come back and answer. Only a stream of requests of
  higher priority can keep one waiting for ever;
* one that the farm's boards can never meet is refused when it is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Want:
    """What a lease asks for: `count` boards, each with all that is said; the highest `priority` is served first."""

    count: int = 1
    names: frozenset[str] | None = None
    model: str | None = None
    family: str | None = None
    tags: frozenset[str] = frozenset()
    priority: int = 0

    def fits(self, board: "Known") -> bool:
        """Whether a board would do; one that was never reached may have any model."""
        return (
            (self.names is None or board.name in self.names)
            and (self.model is None or board.model in (self.model, None))
            and (self.family is None or board.family in (self.family, None))
            and self.tags <= board.tags
        )

    def __str__(self) -> str:
        words = [f"name {' or '.join(sorted(self.names))}"] if self.names is not None else []
        words += [f"{key} {value}" for key, value in (("model", self.model), ("family", self.family)) if value]
        words += [f"tag {tag}" for tag in sorted(self.tags)]
        return f"{self.count} board{'s' if self.count != 1 else ''}" + (f" with {', '.join(words)}" if words else "")


@dataclass(slots=True)
class Known:
    """What is known of a board: `model` and `family` are None until it has answered once."""

    name: str
    place: int
    tags: frozenset[str] = frozenset()
    model: str | None = None
    family: str | None = None
    holder: "Request | None" = None
    aside: bool = False
    elsewhere: bool = False
    returned: int = 0

    @property
    def free(self) -> bool:
        """Whether it may be given to somebody."""
        return self.holder is None and not self.aside and not self.elsewhere


@dataclass(eq=False, slots=True)
class Request:
    """A place in the queue, then the boards that were granted."""

    want: Want
    order: int
    fitting: frozenset[str] = frozenset()
    boards: tuple[str, ...] = ()


class Leases:
    """The one object in which it is written who holds which board, who waits, and which boards cannot be given."""

    def __init__(self) -> None:
        self._boards: dict[str, Known] = {}
        self._queue: list[Request] = []  # by priority, then by order
        self._orders = 0
        self._returns = 0

    @property
    def names(self) -> tuple[str, ...]:
        """All boards that were ever added."""
        return tuple(self._boards)

    @property
    def waiting(self) -> tuple[Request, ...]:
        """Those who wait, first the one that is served next."""
        return tuple(self._queue)

    def holder(self, name: str) -> Request | None:
        """Who has a board."""
        return self._boards[name].holder

    def known(self, name: str) -> Known:
        """What is known of a board, and what has become of it."""
        return self._boards[name]

    def is_free(self, name: str) -> bool:
        """Whether a board could be given to somebody now."""
        return self._boards[name].free

    def is_aside(self, name: str) -> bool:
        """Whether a board does not answer."""
        return self._boards[name].aside

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """The boards that another process of this host has."""
        return tuple(name for name, board in self._boards.items() if board.elsewhere)

    def add(
        self, name: str, tags: Iterable[str] = (), model: str | None = None, family: str | None = None
    ) -> list[Request]:
        """Take in a board, set aside when its model is not known; or say what one is.

        Returns those in the queue who can never be served now that more is known; end them.
        """
        board = self._boards.setdefault(name, Known(name, len(self._boards), aside=model is None))
        board.tags, board.model, board.family = frozenset(tags), model, family

        for request in self._queue:
            request.fitting = self.fitting(request.want)

        return [request for request in self._queue if len(request.fitting) < request.want.count]

    def request(self, want: Want) -> Request:
        """Stand in the queue; `boards` has what is granted at once. Raises `InvalidArgument` for what can never be."""
        self.check(want)
        self._orders += 1
        request = Request(want, self._orders, self.fitting(want))
        self._enqueue(request)
        self._assign()
        return request

    def end(self, request: Request) -> list[Request]:
        """Leave the queue, or give all boards back; a second time does nothing."""
        if request in self._queue:
            self._queue.remove(request)

        return self.give_back(request, *request.boards)

    def give_back(self, request: Request, *names: str) -> list[Request]:
        """Give some of the granted boards back; a second time does nothing."""
        for name in names:
            board = self._boards[name]

            if board.holder is request:
                board.holder = None
                self._returns += 1
                board.returned = self._returns

        return self._assign()

    def refuse(self, request: Request, elsewhere: Iterable[str]) -> list[Request]:
        """A granted request could not have some boards, which another process has: it is back at its old place."""
        for name in request.boards:
            self._boards[name].holder = None

        for name in elsewhere:
            self._boards[name].elsewhere = True

        request.boards = ()
        self._enqueue(request)
        return self._assign()

    def here_again(self, name: str) -> list[Request]:
        """Another process has given a board back."""
        self._boards[name].elsewhere = False
        return self._assign()

    def set_aside(self, name: str) -> None:
        """Give a board to nobody; who has it keeps it."""
        self._boards[name].aside = True

    def take_back(self, name: str) -> list[Request]:
        """A board answers again."""
        self._boards[name].aside = False
        return self._assign()

    def contended(self, name: str, priority: int) -> bool:
        """Whether somebody of at least this priority waits who could use the board."""
        return any(name in request.fitting and request.want.priority >= priority for request in self._queue)

    def fitting(self, want: Want) -> frozenset[str]:
        """The boards that would do, free or not."""
        return frozenset(name for name, board in self._boards.items() if want.fits(board))

    def check(self, want: Want) -> None:
        """Raise `InvalidArgument` for what the boards of this farm can never meet."""
        if not isinstance(want.count, int) or want.count < 1:
            raise InvalidArgument(f"a lease is of at least one board, not {want.count!r}")

        if not isinstance(want.priority, int):
            raise InvalidArgument(f"a priority is a whole number, not {want.priority!r}")

        fitting = self.fitting(want)

        if len(fitting) >= want.count:
            return

        boards = self._boards.values()
        tags = frozenset().union(*(board.tags for board in boards))

        for asked, there, what in (
            (want.names or (), self._boards.keys(), "board called"),
            (want.tags, tags, "board with the tag"),
        ):
            for missing in sorted(set(asked) - set(there)):
                raise InvalidArgument(
                    f"the farm has no {what} {missing!r}; it has {', '.join(sorted(there)) or 'none'}"
                )

        raise InvalidArgument(
            f"a lease of {want} can never be met: {len(fitting) or 'none'} of the farm's {len(boards)} would do; "
            f"it has {', '.join(self.described())}"
        )

    def described(self) -> tuple[str, ...]:
        """All boards, with their models."""
        return tuple(f"{board.name} ({board.model or 'not reached yet'})" for board in self._boards.values())

    def _enqueue(self, request: Request) -> None:
        self._queue.append(request)
        self._queue.sort(key=lambda one: (-one.want.priority, one.order))

    def _assign(self) -> list[Request]:
        free = {name for name, board in self._boards.items() if board.free}
        granted: list[Request] = []

        for request in self._queue:
            if not free:
                break

            usable = request.fitting & free

            if len(usable) >= request.want.count:
                chosen = sorted(usable, key=self._reluctance)[: request.want.count]
                request.boards = tuple(chosen)
                granted.append(request)
                free.difference_update(chosen)

                for name in chosen:
                    self._boards[name].holder = request
            else:
                free -= usable

        self._queue = [request for request in self._queue if not request.boards]
        return granted

    def _reluctance(self, name: str) -> tuple[int, int, int]:
        """What others want least is given first, and of those what has rested longest."""
        board = self._boards[name]
        return sum(name in request.fitting for request in self._queue), board.returned, board.place
