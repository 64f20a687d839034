"""`python -m everest.trace` is `everest-trace`."""

import sys

from everest.trace.cli import main

sys.exit(main())
