"""`python -m ocpp16.documentation [FOLDER]`: write the pages (default: docs/reference of the working directory)."""

import sys
from pathlib import Path

from ocpp16.documentation import PAGES

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")
folder.mkdir(parents=True, exist_ok=True)
for name, draw in PAGES.items():
    (folder / name).write_text(draw(), encoding="utf-8")
