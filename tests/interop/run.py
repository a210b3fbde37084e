"""Start a simulated board and let another interpreter, one with pynq installed, work on it.

`python run.py client 4.0.0 PYTHON` and `python run.py beside 4.0.0 PYTHON`; `nox -s interop` does it all.
"""

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.sim import spawn

HERE = Path(__file__).parent
STAGES = 6


async def client(python: str, release: str) -> None:
    """PYNQ's client on a board of its release, then the self-test where the release has one."""
    async with spawn(1, release=release.rpartition(".")[0]) as (address,):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "resizer.hwh").write_bytes(shipped_description("resizer"))
            Path(folder, "resizer.bit").write_bytes(synthetic_bitstream(size=4 << 20))
            await run(python, HERE / "pynq_client.py", address, folder)

        if release.startswith("4."):
            host, port = address.split(":")
            check_stages(await run(python, "-m", "pynq.remote.selftest", "--ip", host, "--port", port))


async def beside(python: str, release: str) -> None:
    """Both packages in one environment, imported in either order."""
    async with spawn(1, release=release.rpartition(".")[0]) as (address,):
        await run(python, HERE / "beside.py", address, "pynq", "pynq_async")
        await run(python, HERE / "beside.py", address, "pynq_async", "pynq")


async def run(*command: str | Path) -> str:
    """Run a command to its end, show and return what it said; a failure ends this program."""
    ended = await asyncio.to_thread(
        subprocess.run, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, cwd=HERE
    )
    print(ended.stdout, flush=True)

    if ended.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with code {ended.returncode}")

    return ended.stdout


def check_stages(report: str) -> None:
    """Of the self-test's stages the first six must have passed in every point; later ones need a real design."""
    for number in range(1, STAGES + 1):
        stage = re.search(rf"^\[{number}\].*\n((?:  \[\w+\].*\n)+)", report, re.MULTILINE)
        verdicts = re.findall(r"^  \[(\w+)\]", stage[1], re.MULTILINE) if stage else []

        if set(verdicts) != {"PASS"}:
            raise SystemExit(f"stage {number} of the self-test did not pass: {verdicts or 'it did not run'}")

    print(f"the first {STAGES} stages of PYNQ's self-test passed")


def main() -> None:
    """Do what the command line says."""
    what, release, python = sys.argv[1:]
    asyncio.run({"client": client, "beside": beside}[what](python, release))


if __name__ == "__main__":
    main()
