"""`python -m everest.manager`."""

import sys

from everest.manager.cli import main

if __name__ == "__main__":
    sys.exit(main())
