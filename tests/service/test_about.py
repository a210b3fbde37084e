"""Who asks, and what the service has done."""

from pynq_async.service import ServiceOptions

from ..farm.farms import several
from .services import problem, running
from .test_programming import OLD, program
from .uploads import upload_design


async def test_a_client_is_told_who_it_is() -> None:
    async with running(options=ServiceOptions(upload_bytes=1000)) as it:
        me = (await it.carol.get("/api/me")).json()
        assert (me["name"], me["scope"], me["expires"]) == ("carol", "read", None)
        assert me["version"] and me["limits"]["upload_bytes"] == 1000
        problem(await it.gone.get("/api/me"), 401, "expired-token")


async def test_what_was_done_is_counted() -> None:
    async with running(*several(2)) as it:
        lease = await it.lease("b")
        await program(it, await upload_design(it, OLD), "b")
        counts = (await it.carol.get("/api/statistics")).json()
        assert (counts["leases"], counts["waiting"], counts["watchers"], counts["bitstreams"]) == (1, 0, 0, 1)
        assert counts["stored_bytes"] >= 40_000
        idle, busy = counts["boards"]
        assert (idle["name"], idle["leases"], idle["loaded"]) == ("a", 0, 0)
        assert (busy["name"], busy["leases"], busy["loaded"]) == ("b", 1, 1) and busy["sent"] > 40_000
        await it.alice.delete(f"/api/leases/{lease}")
        assert (await it.carol.get("/api/statistics")).json()["leases"] == 0


async def test_the_description_is_good_to_generate_a_client_of() -> None:
    async with running() as it:
        description = (await it.nobody.get("/openapi.json")).json()

    operations = [(path, operation) for path, methods in description["paths"].items() for operation in methods.values()]
    names = [operation["operationId"] for _, operation in operations]
    assert len(set(names)) == len(names)
    assert {"take_lease", "upload_bitstream", "program", "read_registers", "run_job"} <= set(names)

    for path, operation in operations:
        assert path.startswith("/api/") and operation["tags"] and operation["summary"] and operation["description"]
        assert operation["security"], path
        assert {"4XX", "5XX"} <= set(operation["responses"])
        assert all(parameter.get("description") for parameter in operation.get("parameters", [])), path

    bodies = {name for name, schema in description["components"]["schemas"].items() if "properties" in schema}
    assert "Problem" in bodies and "HTTPValidationError" not in bodies
