"""The reference pages that are drawn from the tables of the library: `python -m ocpp16.documentation [FOLDER]`.

`PAGES` is file name -> text. The pages are committed in docs/reference; a test draws them again and compares.
Never imported by the library. May import: the tables. Must not import: anything that runs.
"""

from ocpp16.documentation.broken_input import page as broken_input
from ocpp16.documentation.keys import page as configuration_keys
from ocpp16.documentation.messages import page as messages
from ocpp16.documentation.states import page as connector_states

PAGES = {
    "configuration-keys.md": configuration_keys,
    "connector-states.md": connector_states,
    "messages.md": messages,
    "broken-input.md": broken_input,
}
"""What draws each page."""

__all__ = ["PAGES"]
