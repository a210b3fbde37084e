import asyncio
import hashlib
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import anyio
import pytest

from pynq_async.bitstream import load_bitstream, load_design, loading, shipped_description, synthetic_bitstream
from pynq_async.bitstream.cache import cache_key, write_entry
from pynq_async.errors import BitstreamError, DesignError

from .archives import small_xsa
from .descriptions import partial_description, zynq_description, zynq_parameters

SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"


def forbid_parsing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(name: str, data: bytes) -> bytes:
        raise AssertionError("was parsed again")

    monkeypatch.setattr(loading, "_parse", refuse)


def child_command(monkeypatch: pytest.MonkeyPatch, code: str, *arguments: str) -> None:
    monkeypatch.setattr(loading, "_command", lambda: [sys.executable, "-c", code, *arguments])


def is_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True

    return False


async def process_of(path: Path) -> int:
    with anyio.fail_after(20):
        while not (path.exists() and path.read_text()):
            await anyio.sleep(0.01)

    return int(path.read_text())


async def test_second_load_of_a_content_is_equal_and_not_parsed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = shipped_description("resizer")
    first = await load_design(data)
    forbid_parsing(monkeypatch)

    second = await load_design(data)

    assert second == first
    assert second is not first
    assert second.clock_dict[0]["divisor0"] == 4
    assert len(list(cache.iterdir())) == 1


async def test_description_is_found_by_every_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zynq_description()
    (tmp_path / "base.hwh").write_bytes(data)
    (tmp_path / "base.bit").write_bytes(synthetic_bitstream())
    (tmp_path / "top.xsa").write_bytes(small_xsa(data))
    design = await load_design(tmp_path / "base.hwh")
    forbid_parsing(monkeypatch)

    assert design.ps_name == "ps"
    assert await load_design(str(tmp_path / "base.bit")) == design
    assert await load_design(tmp_path / "top.xsa") == design
    assert await load_design(await load_bitstream(tmp_path / "base.bit")) == design
    assert await load_design(await load_bitstream(tmp_path / "top.xsa")) == design


async def test_missing_descriptions_are_named(tmp_path: Path) -> None:
    (tmp_path / "base.bit").write_bytes(synthetic_bitstream())

    with pytest.raises(DesignError, match=r"has no hardware description; put base\.hwh beside it"):
        await load_design(tmp_path / "base.bit")

    with pytest.raises(DesignError, match="loaded without a hardware description"):
        await load_design(await load_bitstream(tmp_path / "base.bit"))

    with pytest.raises(DesignError, match="no such file"):
        await load_design(tmp_path / "base.hwh")

    with pytest.raises(BitstreamError, match="no such file"):
        await load_design(tmp_path / "base.xsa")


async def test_partial_design_goes_through_the_child(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await load_design(partial_description())
    forbid_parsing(monkeypatch)

    assert first.partial
    assert await load_design(partial_description()) == first


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE x []><EDKSYSTEM/>", "declares a document type"),
        (zynq_description({**zynq_parameters(), "PCW_FPGA_FCLK0_ENABLE": "x"}), "cannot be understood: ValueError: "),
    ],
)
async def test_descriptions_that_cannot_be_used_are_errors_and_leave_no_trace(
    cache: Path, tmp_path: Path, data: bytes, problem: str
) -> None:
    path = tmp_path / "base.hwh"
    path.write_bytes(data)

    with pytest.raises(DesignError, match=f"base.hwh: {problem}"):
        await load_design(path)

    assert not cache.exists()


async def test_large_description_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "DESCRIPTION_LIMIT", 10)

    with pytest.raises(DesignError, match="has 11 bytes; more than 10 are refused"):
        await load_design(bytes(11))


@pytest.mark.parametrize("damage", [b"", b"{}", b"cut"])
async def test_damaged_cache_is_parsed_and_written_again(cache: Path, damage: bytes) -> None:
    first = await load_design(partial_description())
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage and whole[:-9] + damage)

    assert await load_design(partial_description()) == first
    assert entry.read_bytes() == whole


async def test_cache_of_another_description_is_not_believed(cache: Path) -> None:
    first = await load_design(partial_description())
    (entry,) = cache.iterdir()
    other = partial_description() + b" "
    body = entry.read_bytes().partition(b"\n")[2]
    write_entry(cache_key(hashlib.sha256(other).hexdigest()), body)

    second = await load_design(other)

    assert second.digest != first.digest
    assert second.ip_dict == first.ip_dict


async def test_cache_folder_that_cannot_be_written_does_not_matter(cache: Path) -> None:
    cache.write_bytes(b"a file where the folder should be")

    assert (await load_design(partial_description())).partial


async def test_cancelled_load_kills_its_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child_command(monkeypatch, SLEEPER, str(tmp_path / "pid"))
    task = asyncio.create_task(load_design(partial_description()))
    process = await process_of(tmp_path / "pid")

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert is_gone(process)


async def test_load_in_an_anyio_scope_that_ends_kills_its_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_command(monkeypatch, SLEEPER, str(tmp_path / "pid"))

    async with anyio.create_task_group() as group:
        group.start_soon(load_design, partial_description())
        process = await process_of(tmp_path / "pid")
        group.cancel_scope.cancel()

    assert is_gone(process)


async def test_parser_that_does_not_end_is_killed_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_command(monkeypatch, SLEEPER, str(tmp_path / "pid"))
    monkeypatch.setattr(loading, "DEADLINE", 1.0)

    with pytest.raises(DesignError, match="could not be understood within 1 s"):
        await load_design(partial_description())

    assert is_gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import sys; sys.stdin.read(); sys.exit('out of luck')", "ended with code 1: out of luck"),
        ("import os; os._exit(3)", "ended with code 3: it said nothing"),
        ("import sys; sys.stdin.read(); print('hello')", "gave an answer that makes no sense"),
        ("import sys; sys.stdin.read(); print('7')", "gave an answer that makes no sense"),
        ("import sys; sys.stdin.read(); print('{}')", "gave an answer that makes no sense: no design"),
    ],
)
async def test_parser_that_misbehaves_is_a_design_error(
    monkeypatch: pytest.MonkeyPatch, code: str, problem: str
) -> None:
    child_command(monkeypatch, code)

    with pytest.raises(DesignError, match=problem):
        await load_design(b"x" * 1_000_000)


async def test_interpreter_that_is_missing_is_a_design_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    with pytest.raises(DesignError, match="could not be run with '/nowhere/python'"):
        await load_design(partial_description())


async def test_loads_from_many_tasks_agree() -> None:
    designs = []

    async def load() -> None:
        designs.append(await load_design(zynq_description()))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(load)

    assert designs == [designs[0]] * 4


async def test_answer_is_decoded_off_the_event_loops_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    monkeypatch.setattr(loading, "decode", lambda data: threads.append(threading.current_thread()))

    with pytest.raises(DesignError):
        await load_design(partial_description())

    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to such a limit")
async def test_parser_that_needs_too_much_memory_is_a_design_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from pynq_async.bitstream import parse; parse._MEMORY = 80 << 20; parse.main()"
    child_command(monkeypatch, code)
    description = partial_description().replace(b"<EXTERNALPORTS/>", b"<A/>" * 1_000_000)

    with pytest.raises(DesignError, match="needs more than 83886080 bytes of memory"):
        await load_design(description)


async def test_what_a_library_prints_does_not_spoil_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from pynq_async.bitstream import parse; parse._limit_resources = lambda: print('hello'); parse.main()"
    child_command(monkeypatch, code)

    assert (await load_design(partial_description())).partial


def run_script(folder: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, *options, str(script)], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )


LOAD = """
    import asyncio, pathlib
    from pynq_async.bitstream import load_design
    design = asyncio.run(load_design(pathlib.Path("base.hwh")))
    print(design.ps_name)
"""


def test_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    (tmp_path / "base.hwh").write_bytes(zynq_description())

    done = run_script(tmp_path, LOAD)

    assert (done.stdout, done.stderr) == ("ps\n", "")


@pytest.mark.parametrize("options", [("-P",), ("-I",)])
def test_files_in_the_working_folder_that_are_named_like_modules_do_not_matter(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "base.hwh").write_bytes(zynq_description())

    for name in ("random", "json", "enum", "typing", "pynqmetadata", "pydantic"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")

    done = run_script(tmp_path, LOAD, *options)

    assert (done.stdout, done.stderr) == ("ps\n", "")


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="outside a virtual environment every interpreter finds it")
def test_packages_that_the_interpreter_does_not_find_by_itself_are_found_by_the_child(tmp_path: Path) -> None:
    (tmp_path / "base.hwh").write_bytes(zynq_description())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "random.py").write_text("raise SystemExit('the wrong module')")
    lines = (
        "import random, sys",
        f"sys.path[:0] = [{str(elsewhere)!r}]",
        f"sys.path += {[path for path in sys.path if path]!r}",
        "sys.executable = sys._base_executable",
    )

    done = run_script(tmp_path, "\n".join(lines) + "\n" + textwrap.dedent(LOAD))

    assert (done.stdout, done.stderr) == ("ps\n", "")


def test_importing_the_package_imports_no_parser_and_no_grpc(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import sys
        import pynq_async.bitstream
        print(sorted({"pynqmetadata", "IPython", "pydantic"} & sys.modules.keys()))
        """,
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_bitstream_files_import_neither_grpc_nor_other_layers() -> None:
    folder = Path(loading.__file__).parent

    for path in folder.glob("*.py"):
        text = path.read_text()
        assert "grpc" not in text
        assert "from ..wire" not in text
        assert ("import pynqmetadata" in text or "from pynqmetadata" in text) == (path.name == "parse.py")
