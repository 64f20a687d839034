"""`python -m everest.manager`."""

import sys

from everest.manager.start import main

if __name__ == "__main__":
    sys.exit(main())
