"""The inventory: a TOML file that says which boards a laboratory has.

::

    [defaults]                                  # for every board that does not say otherwise
    tags = ["lab-2"]                            # in addition to the board's own
    timeouts = { connect = 3.0 }
    tls = { ca = "lab-ca.pem" }                 # paths are relative to this file

    [[board]]
    name = "bench-left"
    address = "192.168.2.99"
    tags = ["camera"]
    tls = { server_name = "bench-left.lab" }

    [[board]]
    name = "shelf"
    address = "shelf.lab:7968"
    tls = false                                 # plaintext, whatever the defaults say

`INVENTORY_SCHEMA` is a JSON Schema of it, for editors.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from ..config import Address, BoardSpec, Limits, Timeouts, Tls
from ..errors import InvalidArgument
from .toml_file import Keys, TomlFile, nearest

INVENTORY_SCHEMA = Path(__file__).with_name("inventory.schema.json")

Options = TypeVar("Options", Tls, Timeouts, Limits)

_BOARD = ("name", "address", "tags", "tls", "timeouts", "limits")
_DEFAULTS = ("tags", "tls", "timeouts", "limits")
_PATHS = ("ca", "certificate", "key")


def load_inventory(
    path: str | os.PathLike[str], *, names: Iterable[str] | None = None, tags: str | Iterable[str] = ()
) -> tuple[BoardSpec, ...]:
    """The boards of an inventory file, or those with a name in `names` and with all of `tags`.

    Raises `InventoryError` with line and field, and `InvalidArgument` for a name or tag that is not in the file.
    """
    boards = {board.name: board for board in _Inventory(TomlFile.read(path)).boards()}
    chosen = list(boards) if names is None else [names] if isinstance(names, str) else list(dict.fromkeys(names))
    wanted = [tags] if isinstance(tags, str) else list(tags)
    known = frozenset[str]().union(*(board.tags for board in boards.values()))

    for name in chosen:
        if name not in boards:
            raise InvalidArgument(f"{path}: there is no board called {name!r}{nearest(name, boards)}")

    for tag in wanted:
        if tag not in known:
            raise InvalidArgument(f"{path}: no board has the tag {tag!r}{nearest(tag, known)}")

    found = tuple(boards[name] for name in chosen if boards[name].tags.issuperset(wanted))

    if not found and wanted:
        raise InvalidArgument(f"{path}: no board{' of those' if names else ''} has the tags {' and '.join(wanted)}")

    return found


class _Inventory:
    """Turns the tables of a file into specs."""

    def __init__(self, file: TomlFile) -> None:
        self._file = file
        self._folder = file.path.absolute().parent
        file.check_keys((), ("defaults", "board"))
        file.check_keys(("defaults",), _DEFAULTS)

    def boards(self) -> list[BoardSpec]:
        """All boards, in the order of the file."""
        tables = self._file.content.get("board")

        if isinstance(tables, Mapping):
            raise self._file.error(("board",), "write [[board]], with two brackets, above each board")

        if not isinstance(tables, list) or not tables:
            raise self._file.error(("board",), "the inventory names no board; write [[board]] above each")

        boards = [self._board(("board", index)) for index in range(len(tables))]
        self._check_distinct("name", [board.name for board in boards], "the board in line {} is called {!r} too")
        places = [
            (board.address, board.tls and board.tls.server_name) for board in boards
        ]  # one terminator, many boards
        self._check_distinct("address", places, "the board in line {} is at {[0]} too")
        return boards

    def _check_distinct(self, field: str, values: list[Any], problem: str) -> None:
        for index, value in enumerate(values):
            if (first := values.index(value)) != index:
                line = self._file.line(("board", first, field))
                raise self._file.error(("board", index, field), problem.format(line, value))

    def _board(self, at: Keys) -> BoardSpec:
        file = self._file
        table = file.table(at)
        file.check_keys(at, _BOARD)

        for key in ("name", "address"):
            if key not in table:
                raise file.error(at, f"has no {key}; write {key} = ...")

        try:
            address = Address.parse(file.text((*at, "address")))
        except InvalidArgument as error:
            raise file.error((*at, "address"), str(error)) from None

        return BoardSpec(
            file.text((*at, "name")),
            address,
            tags=self._tags(at) | self._tags(("defaults",)),
            tls=self._tls(at),
            timeouts=self._options(at, "timeouts", Timeouts),
            limits=self._options(at, "limits", Limits),
        )

    def _tags(self, at: Keys) -> frozenset[str]:
        return frozenset(self._file.texts((*at, "tags")))

    def _tls(self, at: Keys) -> Tls | None:
        if self._file.table(at).get("tls") is False:
            return None

        return self._options(at, "tls", Tls)

    def _options(self, at: Keys, section: str, kind: type[Options]) -> Options | None:
        """The options of a board: field by field its own, or those of the defaults; None when neither has any."""
        mine, general = self._values((*at, section), kind), self._values(("defaults", section), kind)
        return kind(**(general or {}) | (mine or {})) if mine is not None or general is not None else None

    def _values(self, at: Keys, kind: type[Tls] | type[Timeouts] | type[Limits]) -> dict[str, Any] | None:
        file = self._file

        if file.get(at) is None or (kind is Tls and file.get(at) is False):
            return None

        file.check_keys(at, [field.name for field in fields(kind)])
        values: dict[str, Any] = {}

        for name in file.table(at):
            if kind is Tls:
                text = file.text((*at, name))
                values[name] = self._folder / text if name in _PATHS else text
            else:
                values[name] = file.positive((*at, name), whole=kind is Limits)

        try:
            kind(**values)
        except InvalidArgument as error:
            blamed = [name for name, value in values.items() if repr(value) in str(error)]
            raise file.error((*at, *blamed[:1]), str(error)) from None

        return values
