"""docs/reference/connector-states.md: the connector's transitions, as diagram and as table, with OCPP's letters."""

from __future__ import annotations

from collections.abc import Iterator

from ocpp16.connector import CONNECTOR_ZERO, TRANSITIONS, ConnectorEvent, Table
from ocpp16.documentation.markdown import GENERATED, table
from ocpp16.messages import ChargePointStatus

HEAD = """# Connector states

The status of a connector is what OCPP 1.6 §4.9 calls ChargePointStatus. An event that has no row for the present state
is ignored, and nothing is reported. `Faulted` is no state of its own: it covers the state as long as an error with the
fault flag is active, and the state goes on following events underneath.

The letters are those of the specification's table: the row A to I stands for the state that is left, the column 1 to 9
for the state that is entered, in the order Available, Preparing, Charging, SuspendedEV, SuspendedEVSE, Finishing,
Reserved, Unavailable, Faulted.

"""

ORDER = (
    ChargePointStatus.Available,
    ChargePointStatus.Preparing,
    ChargePointStatus.Charging,
    ChargePointStatus.SuspendedEV,
    ChargePointStatus.SuspendedEVSE,
    ChargePointStatus.Finishing,
    ChargePointStatus.Reserved,
    ChargePointStatus.Unavailable,
    ChargePointStatus.Faulted,
)
"""Rows A to I and columns 1 to 9 of OCPP 1.6 §4.9."""

FAULT = "an error with the fault flag is active"
FAULT_OVER = "no such error is active any more, and events have led here underneath"


def letter(state: ChargePointStatus, new: ChargePointStatus) -> str:
    """`A2` for Available to Preparing."""
    return f"{'ABCDEFGHI'[ORDER.index(state)]}{ORDER.index(new) + 1}"


def transitions(rules: Table) -> Iterator[tuple[str, ChargePointStatus, ConnectorEvent, ChargePointStatus]]:
    """All transitions of a table by their letters."""
    found = [(letter(old, new), old, event, new) for old, events in rules.items() for event, new in events.items()]
    yield from sorted(found)


def diagram(rules: Table) -> str:
    """Mermaid; `Faulted` is left out, it can be reached from everywhere."""
    lines = [f"    {old} --> {new}: {label} {event}" for label, old, event, new in transitions(rules)]
    return "```mermaid\nstateDiagram-v2\n    [*] --> Available\n" + "\n".join(lines) + "\n```\n"


def matrix(rules: Table) -> str:
    """States by states, with the letters of the transitions that exist."""
    known = {label for label, *_ in transitions(rules)} | {label for label, *_ in _faults(rules)}
    rows = (
        (f"**{'ABCDEFGHI'[index]} {old}**", *(label if (label := letter(old, new)) in known else "" for new in ORDER))
        for index, old in enumerate(ORDER)
    )
    return table(("From \\ to", *(f"{index} {new}" for index, new in enumerate(ORDER, start=1))), rows)


def _faults(rules: Table) -> Iterator[tuple[str, ChargePointStatus, str, ChargePointStatus]]:
    faulted = ChargePointStatus.Faulted
    for state in ORDER:
        if state in rules:
            yield letter(state, faulted), state, FAULT, faulted
    for state in ORDER:
        if state in rules:
            yield letter(faulted, state), faulted, FAULT_OVER, state


def listing(rules: Table) -> str:
    """One line per transition, the faults' at the end."""
    columns = ("Letter", "From", "Event", "To")
    return table(columns, [*transitions(rules), *_faults(rules)])


def page() -> str:
    """The whole page."""
    return (
        f"{GENERATED}{HEAD}## Connectors 1, 2, ...\n\n{diagram(TRANSITIONS)}\n{matrix(TRANSITIONS)}\n"
        "E5 is our own: a connector that stays SuspendedEVSE is reported again when the reason changes and\n"
        "`ReportSuspendedEVSEReasonChange` is set.\n\n"
        f"{listing(TRANSITIONS)}\n## Connector 0\n\nThe station as a whole knows no charging states.\n\n"
        f"{diagram(CONNECTOR_ZERO)}\n{listing(CONNECTOR_ZERO)}"
    )
