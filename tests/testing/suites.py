"""Settings of test suites of users."""

# The package may be installed from a source without the entry point yet; where it has one, -p does nothing more.
PLUGIN = "-p pynq_async.pytest_plugin"
PLAIN_INI = f"""
[pytest]
filterwarnings =
    error
    ignore:Module already imported:pytest.PytestAssertRewriteWarning
addopts = {PLUGIN} -p no:cacheprovider -p no:timeout --strict-markers
"""
INI = f"{PLAIN_INI}asyncio_default_fixture_loop_scope = function\nasyncio_mode = "
