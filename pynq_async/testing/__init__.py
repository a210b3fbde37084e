"""What stands behind the pytest plugin: a process beside the test run that serves and lends boards."""
