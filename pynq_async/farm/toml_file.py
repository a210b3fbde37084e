"""A TOML file whose values are asked for by kind, with errors that name line and field."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import InventoryError

Keys: TypeAlias = tuple[str | int, ...]


class TomlFile:
    """The content of a file, addressed by keys: `("board", 1, "tags")` are the tags of the second board.

    Attributes:
        path: where the file is.
        content: what it says.
    """

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._lines = text.split("\n")

        try:
            self.content = tomllib.loads(text)
        except (
            ValueError,
            RecursionError,
        ) as error:  # a TOMLDecodeError, or what a number or a depth out of reach raises
            # tomllib says the place in words alone.
            place = re.search(r"\(at line (\d+), column \d+\)", str(error))
            raise InventoryError(path, int(place[1]) if place else len(self._lines), "", str(error)) from None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "TomlFile":
        """Read a file; raises `InventoryError`."""
        try:
            return cls(Path(path), Path(path).read_text("utf-8-sig"))
        except OSError as error:
            raise InventoryError(path, None, "", f"cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise InventoryError(path, None, "", "is no UTF-8 text") from None

    def get(self, keys: Keys) -> Any:
        """The value, whatever it is; None where there is none, for TOML has no such value."""
        return _get(self.content, keys)

    def table(self, keys: Keys) -> dict[str, Any]:
        """A table; an empty one where there is none."""
        value = self.get(keys)

        if value is not None and not isinstance(value, dict):
            raise self._is_not("a table", keys)

        return value or {}

    def text(self, keys: Keys) -> str:
        """A text with something in it."""
        value = self.get(keys)

        if not isinstance(value, str) or not value:
            raise self._is_not("a text with something in it", keys)

        return value

    def texts(self, keys: Keys) -> list[str]:
        """A list of texts; an empty one where there is none."""
        value = self.get(keys)

        if value is None:
            return []

        if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
            raise self._is_not('a list of texts, such as ["camera", "ddr"]', keys)

        return value

    def positive(self, keys: Keys, *, whole: bool) -> float:
        """A number above 0."""
        value = self.get(keys)

        if not isinstance(value, int if whole else int | float) or isinstance(value, bool) or not value > 0:
            raise self._is_not(f"a {'whole ' if whole else ''}number above 0", keys)

        return value

    def check_keys(self, keys: Keys, known: Iterable[str]) -> None:
        """Raise for a key that nobody knows."""
        for key in self.table(keys):
            if key not in known:
                raise self.error((*keys, key), f"there is no such key{nearest(key, known)}")

    def error(self, keys: Keys, problem: str) -> InventoryError:
        """An error about the value at `keys`, or about what it is missing from."""
        return InventoryError(self.path, self.line(keys), self._field(keys), problem)

    def line(self, keys: Keys) -> int:
        """The line in which the statement begins that gives the value, or else what it is missing from.

        tomllib keeps no lines, but says what any beginning of the file has: the statement comes after the longest one
        that is whole and lacks the value.
        """
        while keys and self.get(keys) is None:
            keys = keys[:-1]

        if not keys:
            return 1

        lacking, having = 0, len(self._lines)

        while having - lacking > 1:
            middle = (lacking + having) // 2
            count, content = self._beginning(middle, having)

            if content is None or _get(content, keys) is not None:
                having = middle
            else:
                lacking = count

        return lacking + 1

    def _beginning(self, least: int, end: int) -> tuple[int, dict[str, Any] | None]:
        """The shortest beginning of at least so many lines, and fewer than `end`, that does not stop inside a value."""
        for count in range(least, end):
            try:
                return count, tomllib.loads("\n".join(self._lines[:count]))
            except tomllib.TOMLDecodeError:
                continue

        return end, None

    def _field(self, keys: Keys) -> str:
        """The keys in words: `board 'shelf', timeouts.connect`."""
        if len(keys) < 2 or not isinstance(keys[1], int):
            return ".".join(map(str, keys))

        name = self.get((*keys[:2], "name"))
        which = f"{keys[0]} {name!r}" if isinstance(name, str) else f"{keys[0]} number {keys[1] + 1}"
        return ", ".join(part for part in (which, ".".join(map(str, keys[2:]))) if part)

    def _is_not(self, wanted: str, keys: Keys) -> InventoryError:
        value = self.get(keys)
        shown = "a table" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
        return self.error(keys, f"{shown.lower() if isinstance(value, bool) else shown} is not {wanted}")


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: what may be meant, or what there is."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    return (
        f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(words)}" if words else "; there are none"
    )


def _get(content: Any, keys: Keys) -> Any:
    for key in keys:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            return None

    return content
