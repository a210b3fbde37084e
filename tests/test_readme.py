"""The README is true: its table is complete and its snippets run."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import pynq_async
from pynq_async.cli.app import app, run
from pynq_async.service import load_tokens

from .cli.service_process import client, serving, stopped

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# Public names of pynq.pl_server.remote_device in PYNQ 4.0.0, and the public attributes of its classes.
PYNQ_NAMES = [
    "PYNQ_PORT",
    "BS_FPGA_MAN",
    "BS_FPGA_MAN_FLAGS",
    "FIRMWARE",
    "GrpcChannel",
    "RemoteBitstreamHandler",
    "RemoteBitfileHandler",
    "RemoteBinfileHandler",
    "RemotePdifileHandler",
    "RemoteXsafileHandler",
    "RemoteDevice",
    "RemoteMemory",
    "RemoteGPIO",
    "RemoteInterrupt",
    "RemoteUioController",
    "RemoteMMIO",
    "RemoteBuffer",
    "get_board_name",
    "get_arch",
    "exists_file",
    "read_file",
    "write_file",
    "get_bitfile_metadata",
    "set_axi_port_width",
    "gen_cache",
    "mmap",
    "get_memory",
    "download",
    "initial_global_state_file_boot_check",
    "shutdown",
    "allocate",
    "ip_addr",
    "port",
    "client",
    "arch",
    "name",
    "capabilities",
    "read",
    "write",
    "array",
    "mmio_id",
    "stub",
    "buffer_id",
    "coherent",
    "freed",
    "device",
    "freebuffer",
    "flush",
    "invalidate",
    "sync_to_device",
    "sync_from_device",
    "cacheable",
    "physical_address",
    "device_address",
    "virtual_address",
]


@pytest.mark.parametrize("name", PYNQ_NAMES)
def test_every_public_name_of_pynqs_remote_device_has_a_row(name: str) -> None:
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| ") and line.count("|") == 3]
    assert any(re.search(rf"\b{name}\b", row) for row in rows), name


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(import asyncio.*?)```", README, re.DOTALL))
def test_the_complete_snippets_run(snippet: str) -> None:
    """The one with a real board's address runs up to connecting; the others end by printing 42."""
    snippet = snippet.replace('RemoteDevice("192.168.2.99")', 'RemoteDevice("127.0.0.1:1", timeouts=QUICK)')
    snippet = snippet.replace('ClusterFarm("tcp://scheduler:8786")', 'ClusterFarm("tcp://127.0.0.1:1", timeout=0.2)')
    snippet = snippet.replace("BoardFarm.from_env()", 'BoardFarm("127.0.0.1:1", timeouts=QUICK)')
    code = f"from pynq_async import Timeouts\nQUICK = Timeouts(connect=0.2)\n{snippet}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)

    if "ClusterFarm" in snippet:
        pytest.importorskip("distributed", reason="Dask is not installed")
        assert "tcp://127.0.0.1:1" in done.stderr.splitlines()[-1] and "SyntaxError" not in done.stderr
    elif "127.0.0.1:1" in snippet:
        assert "ConnectError: 127.0.0.1:1: no connection" in done.stderr
    else:
        assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def shell(words: str) -> str:
    """The one snippet of shell that has these words."""
    (found,) = [each[1] for each in re.finditer(r"```sh\n(.*?)```", README, re.DOTALL) if words in each[1]]
    return found


@pytest.mark.skipif(shutil.which("curl") is None or sys.platform == "win32", reason="needs a shell and curl")
async def test_from_the_readme_to_a_page_with_eight_boards_and_a_walk_through_them() -> None:
    *_, command = shell("serve --simulate 8").strip().partition("pynq-async serve ")

    async with serving(*command.split()) as (process, start), client(start) as http:
        assert len(start["boards"]) == 8
        page = await http.get("/")
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        environment = os.environ | {"URL": start["url"], "TOKEN": start["token"]}
        walk = await asyncio.create_subprocess_exec(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            shell("api()"),
            cwd=Path(start["bitstreams"][0]).parent,
            env=environment,
            stdout=-1,
            stderr=-1,
        )
        out, err = await walk.communicate()
        assert (walk.returncode, err) == (0, b"")
        assert b'"name":"MM2S_DMASR"' in out
        assert (await http.get("/api/leases")).json() == []
        await stopped(process, signal.SIGTERM)


def test_the_commands_of_the_service_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    token, serve = shell("token alice").strip().splitlines()
    assert run(token.split()[1:]) == 0
    assert [token.name for token in load_tokens("tokens.toml")] == ["alice"]
    assert "lab.toml: cannot be read" in CliRunner().invoke(app, serve.split()[1:]).output


def test_what_is_linked_is_there() -> None:
    for path in re.findall(r"\]\((?!http)([\w./-]+)\)", README):
        assert (ROOT / path).exists(), path


def test_nothing_is_left_to_fill_in() -> None:
    assert "FIGURES" not in README and "TODO" not in README


def test_the_public_names_are_those_that_are_documented() -> None:
    assert sorted(pynq_async.__all__, key=str) == sorted(set(pynq_async.__all__), key=str)

    for name in pynq_async.__all__:
        assert getattr(pynq_async, name).__doc__, name
