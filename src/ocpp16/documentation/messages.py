"""docs/reference/messages.md: all actions, from their table."""

from __future__ import annotations

from ocpp16.actions import ACTIONS, Action, Direction
from ocpp16.documentation.markdown import GENERATED, code, table

HEAD = """# Messages

All actions of OCPP 1.6 edition 2 and of the Security Whitepaper edition 3.

- **Profile**: a CALL of the CSMS is taken up if this feature profile is active, else it is answered by CALLERROR
  NotSupported. Where the table says *always*, the action answers by itself what a station without the profile would.
  Security is always active.
- **Queue**: what the station sends goes through one of two queues. *transaction* keeps its order and survives loss of
  connection and power; *normal* is dropped while offline, unless `QueueAllMessages` is set.

"""

ARROWS = {
    Direction.STATION_TO_CSMS: "station → CSMS",
    Direction.CSMS_TO_STATION: "CSMS → station",
    Direction.BOTH: "both ways",
}


def page() -> str:
    """The whole page."""
    columns = ("Action", "Direction", "Profile", "Transaction related", "Queue")
    return f"{GENERATED}{HEAD}{table(columns, map(row, ACTIONS.values()))}\n{len(ACTIONS)} actions.\n"


def row(action: Action) -> tuple[str, ...]:
    """One action."""
    queue = "transaction" if action.transaction_related else "normal"
    return (
        code(action.name),
        ARROWS[action.direction],
        f"{action.profile}{', always' if action.always else ''}",
        "yes" if action.transaction_related else "",
        "" if action.direction is Direction.CSMS_TO_STATION else queue,
    )
