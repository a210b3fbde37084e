"""`python -m pynq_async`: the same as the command `pynq-async`."""

import sys

from .cli import main

sys.exit(main())
