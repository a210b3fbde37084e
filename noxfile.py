"""What is checked, each in an environment of its own: `nox` for tests, lint and types, `nox -l` for the rest."""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.reuse_venv = "yes"

PYTHONS = ("3.11", "3.12", "3.13")
PYNQ_RELEASES = ("4.0.0", "3.1.2")
PROJECT = nox.project.load_toml("pyproject.toml")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, with the newest versions of everything."""
    session.install("-e", ".[cli,test]")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(python=PYTHONS[0])
def minimums(session: nox.Session) -> None:
    """The tests, with the lowest versions that pyproject.toml allows at run time."""
    extras = PROJECT["project"]["optional-dependencies"]
    lowest = [
        requirement.replace(">=", "==") + ".*"
        for requirement in PROJECT["project"]["dependencies"] + extras["cli"] + extras["dask"] + extras["service"]
    ]
    session.install("-e", ".[cli,test]", *lowest)
    session.run("pip", "list")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, and the layers that imports keep to."""
    session.install(*group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly, tests included."""
    session.install("-e", ".[cli,test]", *group("types"), *group("api"))
    session.run("mypy", *session.posargs)


@nox.session(python=PYTHONS[0])
def api(session: nox.Session) -> None:
    """Whatever is sent to the service, it answers as its OpenAPI description says."""
    session.install("-e", ".[cli,test]", *group("api"))
    session.run("pytest", "tests/service/test_schema.py", *session.posargs)


@nox.session
def protos(session: nox.Session) -> None:
    """Compile protos/ into the package; `nox -s protos -- --check` only says whether that was done."""
    session.install("grpcio-tools")
    session.run("python", "protos/compile.py", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demonstration as a new user does: `nox -s demo -- --boards 2`."""
    session.install(".[cli]")
    session.run("pynq-async", "demo", *session.posargs)


@nox.session(python=PYTHONS[0])
def interop(session: nox.Session) -> None:
    """PYNQ's own clients on our simulated board, and this package beside PYNQ; see tests/interop."""
    session.install(".")

    for release in PYNQ_RELEASES:
        python = pynq_environment(session, release)
        session.run("python", "tests/interop/run.py", "client", release, python)

    python = pynq_environment(session, PYNQ_RELEASES[0])
    pip = (python, "-m", "pip")
    before = versions(session, python)
    session.run(*pip, "install", "-q", ".", external=True)
    session.run(*pip, "check", external=True)

    if changed := before - versions(session, python):
        session.error(f"installing beside pynq changed {', '.join(sorted(changed))}")

    session.run("python", "tests/interop/run.py", "beside", PYNQ_RELEASES[0], python)


@nox.session(python=PYTHONS[0])
def bench(session: nox.Session) -> None:
    """Speed against PYNQ's client and memory; options go to benchmarks/against_pynq.py."""
    session.install(".")
    session.run("python", "benchmarks/memory.py")
    python = pynq_environment(session, PYNQ_RELEASES[0])
    session.run("python", "benchmarks/against_pynq.py", "--pynq-python", python, *session.posargs)


def group(name: str) -> list[str]:
    """The requirements of a dependency group, for a pip that knows no groups yet."""
    return list(nox.project.dependency_groups(PROJECT, name))


def pynq_environment(session: nox.Session, release: str) -> str:
    """The interpreter of an environment of its own with PYNQ in it."""
    folder = Path(session.virtualenv.location) / f"pynq-{release}"
    python = str(folder / "bin" / "python")

    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        session.run("python", "-m", "venv", str(folder))
        # Without the variable PYNQ installs only on a board.
        variables = {"PYNQ_REMOTE": "1"}
        session.run(python, "-m", "pip", "install", "-q", f"pynq=={release}", env=variables, external=True)
        (folder / "complete").touch()

    return python


def versions(session: nox.Session, python: str) -> set[str]:
    """What is installed for that interpreter, as `name==version`."""
    listed = session.run(python, "-m", "pip", "freeze", silent=True, external=True)
    return set(str(listed).split("\n"))
