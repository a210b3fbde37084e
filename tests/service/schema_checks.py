"""What schemathesis checks beyond its own checks; loaded by it, by the name in SCHEMATHESIS_HOOKS."""

from typing import Any

import schemathesis

# A board that is not free, memory that a board does not have, a service with too many watchers or runs.
_REFUSALS = ("lease-timeout", "too-many-", "allocation-error")


@schemathesis.check
def problems_are_the_right_ones(_context: Any, response: Any, case: Any) -> None:
    """Statuses that are allowed here are allowed for a cause that no description can exclude."""
    if response.status_code < 400 or case.method == "HEAD":
        return

    assert response.headers["content-type"] == ["application/problem+json"], response.headers
    problem = response.json()
    kind, detail = problem["type"].removeprefix("urn:pynq-async:problem:"), problem["detail"]

    if response.status_code >= 500:
        assert kind.startswith(_REFUSALS), kind

    if response.status_code == 422 and case.meta is not None and case.meta.generation.mode.is_positive:
        # What a job takes is described by /api/jobs.
        assert kind != "invalid-request" or detail.startswith("arguments"), detail
