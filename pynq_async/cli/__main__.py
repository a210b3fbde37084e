"""`python -m pynq_async.cli`: the same as `pynq-async`."""

import sys

from . import main

sys.exit(main())
