"""What all commands have in common."""

import importlib.metadata
import subprocess
import sys
import warnings

import pytest
from click.testing import CliRunner

from pynq_async.cli.app import app
from pynq_async.cli.running import carry_out

from .command import pynq_async
from .conftest import Here

COMMANDS = ("demo", "download", "info", "peek", "poke", "selftest", "serve", "sim", "token")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_shows_examples(command: str) -> None:
    ended = CliRunner().invoke(app, [command, "--help"], prog_name="pynq-async")

    assert ended.exit_code == 0
    assert f"  pynq-async {command}" in ended.output.partition("Examples:")[2]
    assert all(len(line) <= 90 for line in ended.output.splitlines())


def test_the_list_of_commands_is_not_cut_off() -> None:
    output = CliRunner().invoke(app, ["--help"]).output

    assert all(f"\n  {command} " in output for command in COMMANDS)
    assert "..." not in output.partition("Commands:")[2]


def test_version() -> None:
    assert importlib.metadata.version("pynq-async") in CliRunner().invoke(app, ["--version"]).output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["info", "a b"], "is no host name"),
        (["info", "board:99999"], "is not between 1 and 65535"),
        (["peek", "board", "0x4000_0002"], "is no multiple of 4"),
        (["peek", "board", "-4"], "No such option"),
        (["peek", "board", "here"], "is no address; write it as 0x4125_0000"),
        (["peek", "board", "41250000"], "is no address; write it as 0x4125_0000"),
        (["poke", "board", "0x40000001", "1"], "is no multiple of 4"),
        (["demo", "--boards", "2", "--address", "board"], "with --address there are none"),
        (["demo", "--size", "4096"], "2047"),
        (["sim", "--boards", "2", "--port", "65535"], "beyond 65535"),
        (["info", "board", "--timeout", "0"], "--timeout"),
        (["serve", "--simulate", "2", "board"], "takes the place of boards"),
        (["serve", "board", "--tag", "camera"], "--tag needs --inventory"),
        (["serve", "board", "--key", "k.pem"], "--key needs --certificate"),
        (["serve", "board", "--require", "some"], "'some' is none of all, any and a number"),
        (["serve", "board", "--port", "65536"], "65536 is not in the range"),
        (["token", "alice"], "--scope"),
        (["token", "alice", "--scope", "use", "--expires", "soon"], "'soon' is no time; write 30d, 12h, or a date"),
        (["token", "alice", "--scope", "use", "--expires", "9999999999999d"], "is no time"),
        (["token", "alice", "--scope", "use", "--expires", "1999-12-31"], "1999-12-31 is not in the future"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_done(arguments: list[str], complaint: str) -> None:
    ended = CliRunner().invoke(app, arguments)

    assert ended.exit_code == 2
    assert complaint in " ".join(ended.output.split())


async def test_the_real_command_ends_with_2_on_a_wrong_command_line() -> None:
    ended = await pynq_async("peek", "board", "0x2")

    assert ended.code == 2
    assert "is no multiple of 4" in ended.err
    assert not ended.out


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_the_extra_a_sentence_says_what_to_install(module: str) -> None:
    program = f"import sys; sys.modules['{module}'] = None; from pynq_async.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == f"error: {module} is missing; install pynq-async[cli] to have the command line\n"
    assert not done.stdout


def test_colours_are_for_terminals_that_want_them(
    here: Here, other_process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    green = "\x1b[1;32m"
    monkeypatch.setenv("TERM", "xterm")
    plain = here("selftest", other_process)
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = here("selftest", other_process)
    monkeypatch.setenv("NO_COLOR", "1")
    uncoloured = here("selftest", other_process)

    assert "\x1b" not in plain.out + plain.err
    assert green in coloured.out
    assert "32m" not in uncoloured.out


async def test_an_output_without_unicode_gets_words(other_process: str) -> None:
    ended = await pynq_async("selftest", other_process, PYTHONUTF8="0", PYTHONIOENCODING="ascii")

    assert ended.code == 0
    assert ended.out.startswith("ok")
    assert ended.out.isascii()


@pytest.mark.filterwarnings("default::RuntimeWarning")
def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> int:
        warnings.warn("board: the clock is a little off", RuntimeWarning, stacklevel=1)
        return 0

    assert carry_out(work()) == 0
    assert capsys.readouterr() == ("", "warning: board: the clock is a little off\n")


def test_several_boards_that_fail_are_a_line_each(here: Here, closed_address: str) -> None:
    other = closed_address.replace("127.0.0.1", "127.0.0.2")
    ended = here("demo", "--timeout", "0.3", "--address", closed_address, "--address", other)
    lines = ended.err.splitlines()

    assert ended.code == 1
    assert lines[0] == "error: 2 of 2 boards failed:"
    assert [line.split(": ")[0].strip() for line in lines[1:]] == [closed_address, other]
