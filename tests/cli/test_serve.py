"""`pynq-async serve`."""

import asyncio
import json
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import httpx
import pytest

from pynq_async.service import Token
from pynq_async.service.tokens_file import append_token
from pynq_async.sim import SimBoard

from ..certificates import Certificates
from .command import COMMAND, command_environment
from .conftest import Here
from .service_process import client, serving, stopped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for one process")


async def test_boards_are_served_until_interrupted(pair: tuple[SimBoard, SimBoard]) -> None:
    addresses = sorted(sim.address for sim in pair)

    async with serving(*addresses, "127.0.0.1:1", "--timeout", 1) as (process, start):
        assert start["boards"] == addresses
        assert "connection was refused" in start["absent"]["127.0.0.1:1"]

        async with client(start) as http:
            told = {board["address"]: board["state"] for board in (await http.get("/api/boards")).json()}
            assert told == {**dict.fromkeys(addresses, "free"), "127.0.0.1:1": "absent"}
            assert (await http.post("/api/leases", json={"count": 2})).status_code == 201

        assert await stopped(process, signal.SIGINT) == "Stopping; Ctrl-C again ends at once.\n"


async def test_what_a_shell_needs_is_printed(lone: SimBoard) -> None:
    command = [*COMMAND, "serve", lone.address, "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=-1, env=command_environment())
    assert process.stdout is not None

    async with asyncio.timeout(30):
        while not (line := (await process.stdout.readline()).decode()).startswith("For a shell: "):
            assert line

    process.kill()
    await process.communicate()
    assert re.fullmatch(r"For a shell: export URL=http://127.0.0.1:\d+ TOKEN=[\w-]+\n", line)


async def test_simulated_boards_end_with_the_service() -> None:
    async with serving("--simulate", 4) as (process, start):
        assert start["boards"] == ["sim-1", "sim-2", "sim-3", "sim-4"]
        assert [Path(path).name for path in start["bitstreams"]] == ["resizer.bit", "rfsoc_sam.bit"]

        async with client(start) as http:
            boards = (await http.get("/api/boards")).json()
            stored = {one["name"]: one for one in (await http.get("/api/bitstreams")).json()}
            assert {name: one["described"] for name, one in stored.items()} == {
                "resizer.bit": True,
                "rfsoc_sam.bit": True,
            }

            for board, name, count in (("sim-1", "resizer.bit", 2), ("sim-4", "rfsoc_sam.bit", 11)):
                assert (await http.post("/api/leases", json={"name": board})).status_code == 201
                wanted = {"bitstream": stored[name]["id"]}
                assert (await http.post(f"/api/boards/{board}/program", json=wanted)).json()["ip"] == count

        assert [board["model"] for board in boards] == ["Pynq-Z2"] * 3 + ["RFSoC4x2"]
        assert [board["family"] for board in boards] == ["zynq7000"] * 3 + ["zynqmp"]
        assert await stopped(process, signal.SIGTERM) == "Stopping; Ctrl-C again ends at once.\n"

    for board in boards:
        host, _, port = board["address"].partition(":")

        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))), "a board outlived the command"

    assert not Path(start["bitstreams"][0]).parent.exists()


async def test_tls_tokens_of_a_file_and_the_audit_log(lone: SimBoard, tmp_path: Path) -> None:
    authority = Certificates.make(tmp_path).authority
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "service.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "service.key")
    tokens, audit = tmp_path / "tokens.toml", tmp_path / "audit.jsonl"
    alice, token = Token.make("alice", "read")
    append_token(tokens, token)
    tls = "--certificate", tmp_path / "service.pem", "--key", tmp_path / "service.key"

    async with serving(lone.address, "--tokens", tokens, "--audit", audit, *tls) as (process, start):
        assert (start["token"], start["url"].partition(":")[0]) == (None, "https")
        trusted = ssl.create_default_context(cafile=tmp_path / "ca.pem")

        async with client(start, alice, verify=trusted) as http:
            assert (await http.get("/api/boards")).status_code == 200
            assert (await http.post("/api/leases", json={})).status_code == 403
            assert (await http.get("/api/boards", headers={"Authorization": "Bearer x"})).status_code == 401

        await stopped(process, signal.SIGTERM)

    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    shown = [(line["token"], line["method"], line["path"], line["status"]) for line in lines]
    assert shown == [
        ("alice", "GET", "/api/boards", 200),
        ("alice", "POST", "/api/leases", 403),
        (None, "GET", "/api/boards", 401),
    ]
    assert alice not in audit.read_text()


async def test_jobs_are_imported_from_the_current_folder(
    lone: SimBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work.py").write_text(
        "from pynq_async.service import Jobs\njobs = Jobs()\n@jobs.job()\nasync def look(board):\n    'Nothing.'\n"
    )
    monkeypatch.chdir(tmp_path)

    async with serving(lone.address, "--jobs", "work:jobs") as (process, start), client(start) as http:
        assert [job["name"] for job in (await http.get("/api/jobs")).json()] == ["look"]
        await stopped(process, signal.SIGTERM)


async def test_who_listens_to_other_machines_without_tls_is_warned(lone: SimBoard) -> None:
    async with serving(lone.address, "--host", "0.0.0.0") as (process, start):
        assert start["url"].startswith(f"http://{socket.gethostname()}:")
        said = await stopped(process, signal.SIGTERM)
        assert said.startswith("warning: 0.0.0.0 can be reached from other machines, and without TLS tokens")


async def test_a_second_interrupt_ends_at_once(lone: SimBoard) -> None:
    async with serving(lone.address) as (process, start), client(start) as http:
        body = asyncio.Event()

        async def unfinished() -> AsyncIterator[bytes]:
            yield b'{"name": '
            await body.wait()

        request = asyncio.create_task(http.post("/api/leases", content=unfinished()))
        await http.get("/api/boards")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == -signal.SIGINT
        body.set()
        await asyncio.wait({request})
        assert isinstance(request.exception(), httpx.TransportError)


def test_what_is_wrong_is_one_sentence(here: Here, tmp_path: Path) -> None:
    tokens, junk = tmp_path / "tokens.toml", tmp_path / "junk.pem"
    tokens.write_text("[[token]]\nname = 'alice'\n")
    junk.write_text("junk")
    lab = tmp_path / "lab.toml"
    lab.write_text("[[board]]\naddress = 'a'\n")
    nobody = "127.0.0.1:1", "--timeout", 0.2, "--require", 0

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        for arguments, words in {
            (): "no boards: give an ADDRESS, --inventory, --simulate N, or set PYNQ_REMOTE_DEVICES",
            ("127.0.0.1:1", "--timeout", 0.2): "127.0.0.1:1: no connection: the connection was refused",
            (*nobody, "--tokens", tokens): f"{tokens}:1: token 'alice': has no scope",
            (*nobody, "--tokens", tmp_path / "none.toml"): "none.toml: cannot be read",
            (*nobody, "--port", port): f"cannot listen on 127.0.0.1:{port} (Address already in use); choose another",
            (*nobody, "--host", "nowhere.invalid"): "cannot listen on nowhere.invalid:8000",
            (*nobody, "--port", 0, "--certificate", tmp_path / "none.pem"): "none.pem cannot be read: No such file",
            (*nobody, "--port", 0, "--certificate", junk, "--key", tmp_path / "none.key"): "the key "
            f"{tmp_path / 'none.key'} cannot be read: No such file or directory",
            (*nobody, "--tokens", lab): f"{lab}:1: board: is this a file of tokens? Its tables are [[token]]",
            (*nobody, "--port", 0, "--certificate", junk): "junk.pem or its key cannot be used",
            (*nobody, "--audit", tmp_path / "none" / "log"): "cannot be written (No such file or directory)",
            ("--inventory", tmp_path / "none.toml"): "none.toml: cannot be read",
            (*nobody, "--jobs", "nowhere:jobs"): "--jobs nowhere:jobs cannot be imported: No module named 'nowhere'",
            (*nobody, "--jobs", "json:loads"): "--jobs json:loads is no pynq_async.service.Jobs but function",
            (*nobody, "--jobs", "json"): "--jobs json: write MODULE:NAME",
        }.items():
            ended = here("serve", *arguments)
            assert ended.code == 1
            assert words in ended.only_error


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['fastapi'] = None; from pynq_async.cli.app import run; sys.exit(run(sys.argv[1:]))"

    async def main(*arguments: str) -> tuple[int, str]:
        done = await anyio.run_process([sys.executable, "-c", code, *arguments], check=False, env=command_environment())
        return done.returncode, done.stderr.decode()

    for command in (["serve", "127.0.0.1:1"], ["token", "alice", "--scope", "use"]):
        said = asyncio.run(main(*command))
        assert said == (1, "error: fastapi is missing; install pynq-async[service] to have the service\n")
