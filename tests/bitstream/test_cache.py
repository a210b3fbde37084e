import os
from pathlib import Path, PurePosixPath

import pytest

from pynq_async.bitstream import cache as cache_module
from pynq_async.bitstream.cache import KEPT, cache_folder, cache_key, read_entry, write_entry

KEY = "ab" * 32


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"PYNQ_ASYNC_CACHE": "/x/y"}, "linux", "/x/y"),
        ({"PYNQ_ASYNC_CACHE": "/x/y", "XDG_CACHE_HOME": "/z"}, "linux", "/x/y"),
        ({"XDG_CACHE_HOME": "/z"}, "linux", "/z/pynq-async"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "/home/me/.cache/pynq-async"),
        ({}, "linux", "/home/me/.cache/pynq-async"),
        ({}, "darwin", "/home/me/Library/Caches/pynq-async"),
        ({"LOCALAPPDATA": "/local"}, "win32", "/local/pynq-async/Cache"),
        ({}, "win32", "/home/me/AppData/Local/pynq-async/Cache"),
    ],
)
def test_folder_follows_the_platform(
    environ: dict[str, str], platform: str, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))

    assert PurePosixPath(cache_folder(environ, platform)) == PurePosixPath(folder)


def test_what_was_written_is_read(cache: Path) -> None:
    assert read_entry(KEY) is None

    write_entry(KEY, b"body\nwith lines")

    assert read_entry(KEY) == b"body\nwith lines"
    assert [path.name for path in cache.iterdir()] == [f"{KEY}.design"]


@pytest.mark.parametrize("kept", range(0, 150, 7))
def test_cut_entry_is_not_believed(cache: Path, kept: int) -> None:
    write_entry(KEY, b"body")
    path = cache / f"{KEY}.design"
    path.write_bytes(path.read_bytes()[:kept])

    assert read_entry(KEY) is None


def test_changed_or_foreign_entry_is_not_believed(cache: Path) -> None:
    write_entry(KEY, b"body")
    path = cache / f"{KEY}.design"
    whole = path.read_bytes()
    other = "cd" * 32

    (cache / f"{other}.design").write_bytes(whole)
    assert read_entry(other) is None

    for changed in (whole + b"\n", whole.replace(b"body", b"bode"), b"\n" + whole, b"", b"{}"):
        path.write_bytes(changed)
        assert read_entry(KEY) is None


def test_entry_too_large_to_be_ours_is_not_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_entry(KEY, b"body")
    monkeypatch.setattr(cache_module, "_LARGEST", 10)

    assert read_entry(KEY) is None


def test_folder_that_cannot_be_written_is_no_error(cache: Path) -> None:
    cache.write_bytes(b"a file where the folder should be")

    write_entry(KEY, b"body")

    assert read_entry(KEY) is None


def test_user_without_a_home_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("PYNQ_ASYNC_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    write_entry(KEY, b"body")

    assert read_entry(KEY) is None


def test_write_that_fails_half_way_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: str, target: str) -> None:
        raise PermissionError(13, "the file is open in another program")

    monkeypatch.setattr(os, "replace", fail)
    write_entry(KEY, b"body")

    assert list(cache.iterdir()) == []


def test_only_the_newest_are_kept(cache: Path) -> None:
    cache.mkdir()

    for number in range(KEPT + 10):
        path = cache / f"{number:064}.design"
        path.write_bytes(b"")
        os.utime(path, (number, number))

    (cache / "somebody's.txt").write_bytes(b"")
    write_entry(KEY, b"body")

    names = {path.stem for path in cache.glob("*.design")}
    assert names == {f"{number:064}" for number in range(11, KEPT + 10)} | {KEY}
    assert (cache / "somebody's.txt").exists()


def test_key_depends_on_content_format_and_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    first = cache_key("a")
    assert cache_key("a") == first
    keys = {first, cache_key("b")}

    monkeypatch.setattr(cache_module, "FORMAT", cache_module.FORMAT + 1)
    keys.add(cache_key("a"))

    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    keys.add(cache_key("a"))

    assert len(keys) == 4
