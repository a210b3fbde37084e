"""What is written down of each request, and what is not."""

import json
import logging
from typing import Any

import pytest

from pynq_async import RemoteDevice
from pynq_async.service import Jobs
from pynq_async.service.audit import LOGGER

from .services import Running, running

JOBS = Jobs()


@JOBS.job()
async def take(board: RemoteDevice, data: bytes, secret: str) -> None:
    """Nothing."""


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The log by now."""
    return [json.loads(record.getMessage()) for record in caplog.records if record.name == LOGGER.name]


async def test_arguments_of_jobs_are_not_written_down(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, LOGGER.name):
        async with running(jobs=JOBS) as it:
            path = "/api/jobs/take/runs?board=a&%61rguments=%7B%22secret%22:%22hush%22%7D"
            headers = {"Content-Type": "application/octet-stream"}
            assert (await it.alice.post(path, content=b"hush", headers=headers)).status_code == 202

    (line,) = lines(caplog)
    assert (line["token"], line["path"], line["status"]) == ("alice", "/api/jobs/take/runs", 202)
    assert (line["query"], line["received"]) == ("board=a&arguments=...", 4)


async def test_a_failure_of_the_service_is_written_down_as_what_it_was_answered(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running() as it:
        monkeypatch.delattr(it.service, "farm")
        await failed(it, caplog)
        monkeypatch.undo()


async def failed(it: Running, caplog: pytest.LogCaptureFixture) -> None:
    """Ask a service that fails."""
    with caplog.at_level(logging.INFO, LOGGER.name), pytest.raises(AttributeError):
        await it.alice.get("/api/boards")

    (line,) = lines(caplog)
    assert line["status"] == 500
