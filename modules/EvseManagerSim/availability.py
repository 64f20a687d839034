"""Who may enable and disable the EVSE: the table of sources (station 2.6, DEPARTURE E4: the table alone decides).

Pure; the session machine asks it, the command enable_disable writes it.
"""

from __future__ import annotations

from everest.contracts.types.evse_manager import EnableDisableSource
from everest.contracts.types.evse_manager import EnableDisableSourceEnableSource as EnableSource
from everest.contracts.types.evse_manager import EnableDisableSourceEnableState as EnableState

START_ROW = EnableDisableSource(
    enable_source=EnableSource.Unspecified, enable_state=EnableState.Unassigned, enable_priority=10000
)
"""What wins while nobody said anything; as EVerest shows it in its first Enabled event (station 2.2)."""
HIGHEST_PRIORITY = 10000


def is_allowed(row: EnableDisableSource) -> bool:
    """Whether the priority is one of station 2.6; another would beat the whole table, and break the events' schema."""
    return 0 <= row.enable_priority <= HIGHEST_PRIORITY


class AvailabilityTable:
    """One row per enable_source, replaced by each call.

    `Unassigned` rows do not count. The lowest priority number wins; at equal numbers Disable wins. No row: enabled.
    """

    def __init__(self) -> None:
        self._rows: dict[EnableSource, EnableDisableSource] = {}

    def set(self, row: EnableDisableSource) -> bool:
        """Store a row; True if the EVSE is enabled afterwards."""
        self._rows[row.enable_source] = row
        return self.enabled

    @property
    def winner(self) -> EnableDisableSource:
        """The row that decides."""
        counting = [row for row in self._rows.values() if row.enable_state != EnableState.Unassigned]
        return min(
            counting,
            key=lambda row: (row.enable_priority, row.enable_state != EnableState.Disable),
            default=START_ROW,
        )

    @property
    def enabled(self) -> bool:
        return self.winner.enable_state != EnableState.Disable
