"""`python -m ocpp16.configuration [FOLDER]`: write the JSON schemas of the key table (default: where they ship)."""

import sys
from pathlib import Path

from ocpp16.configuration.schemas import SHIPPED, write

write(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
