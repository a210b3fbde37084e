"""`--pynq-inventory`: tests on the boards of a laboratory, with all that its file says of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from pynq_async.sim import Link, SimBoard, serve

from ..certificates import Certificates

pytest_plugins = ["pytester"]


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Path]:
    """The inventory of a laboratory: a ZCU104 behind TLS that wants client certificates, and a plain Pynq-Z2."""
    certificates = Certificates.make(tmp_path)

    async with AsyncExitStack() as stack:
        left = await stack.enter_async_context(serve(SimBoard(family="zynqmp", model="ZCU104")))
        right = await stack.enter_async_context(serve(SimBoard(seed=1)))
        shelf = await stack.enter_async_context(Link(left, tls=certificates.terminator("left.lab", clients=True)))
        path = tmp_path / "lab.toml"
        path.write_text(f"""
            [[board]]
            name = "left"
            address = "{shelf}"
            tags = ["camera", "lab"]
            limits = {{ streams = 2 }}
            timeouts = {{ call = 7.0 }}
            tls = {{ ca = "ca.pem", certificate = "client.pem", key = "client.key", server_name = "left.lab" }}

            [[board]]
            name = "right"
            address = "{right}"
            tags = ["lab"]
        """)
        yield path


async def run(suite: pytest.Pytester, *arguments: object) -> pytest.RunResult:
    """Run the suite in a process of its own, while the boards are served in our loop."""
    return await asyncio.to_thread(suite.runpytest_subprocess, *map(str, arguments))


SUITE = """
import asyncio
import pytest
from pynq_async import BoardFarm, RemoteDevice

def test_one(pynq_boards):
    (spec,) = pynq_boards(tags="camera")

    async def use():
        async with RemoteDevice(spec) as board:
            await board.mmio(0x4000_0000, 4).write(0, 1)
            return board.limits.streams, board.timeouts.call

    found = asyncio.run(use())
    assert "camera" in spec.tags

    if spec.tls is not None:
        assert spec.name == "left" and found == (2, 7.0)

@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.pynq_sim(tags=["lab"])
def test_farm(pynq_farm, exclusive):
    async def use():
        async with BoardFarm(pynq_farm, exclusive=exclusive) as farm:
            async with farm.lease(tags="lab", timeout=1) as board, farm.lease(timeout=1) as other:
                return {board.name, other.name}

    assert len(asyncio.run(use())) == 2
"""


async def test_boards_are_reached_and_named_as_the_inventory_says(suite: pytest.Pytester, lab: Path) -> None:
    suite.makepyfile(SUITE)
    result = await run(suite, "--pynq-inventory", lab, "-W", "error::pynq_async.pytest_plugin.BufferLeft")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["pynq-async: real boards left, right"])


async def test_the_same_tests_run_on_simulated_boards(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE)
    (await run(suite)).assert_outcomes(passed=3)


async def test_boards_are_chosen_by_name_and_tag(suite: pytest.Pytester, lab: Path) -> None:
    suite.makepyfile("""
        import pytest

        def test_names(pynq_farm):
            assert [spec.name for spec in pynq_farm] == ["left"]

        @pytest.mark.pynq_sim(tags=["camera", "gpu"])
        def test_tags(pynq_board): pass
    """)
    result = await run(suite, "--pynq-inventory", lab, "--pynq-tag", "lab", "--pynq-board", "left", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*real boards: 1 board wanted of tag camera and gpu, 0 given"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--pynq-inventory", "lab.toml", "--pynq-board", "lefd"], "lab.toml: there is no board called 'lefd'; *"),
        (["--pynq-inventory", "lab.toml", "--pynq-tag", "gpu"], "lab.toml: no board has the tag 'gpu'; *"),
        (["--pynq-inventory", "none.toml"], "none.toml*"),
        (["--pynq-inventory", "wrong.toml"], "wrong.toml:2: board number 1, nam: there is no such key*"),
    ],
)
def test_options_that_cannot_be_right_end_the_run_at_the_start(
    suite: pytest.Pytester, options: list[str], said: str
) -> None:
    (suite.path / "lab.toml").write_text("[[board]]\nname = 'left'\naddress = '10.0.0.1'\ntags = ['camera']\n")
    (suite.path / "wrong.toml").write_text("[[board]]\nnam = 'left'\n")
    result = suite.runpytest_inprocess(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --pynq-inventory: *{said}"])


def test_a_tag_needs_an_inventory(suite: pytest.Pytester) -> None:
    result = suite.runpytest_inprocess("--pynq-tag", "camera")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --pynq-tag needs --pynq-inventory"])
