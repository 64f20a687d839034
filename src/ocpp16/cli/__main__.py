"""`python -m ocpp16.cli`: the same as the command `ocpp16`."""

import sys

from ocpp16.cli.main import main

sys.exit(main())
