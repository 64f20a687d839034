"""Which EVSE and connector of the bus is which connector of OCPP 1.6. Pure.

OCPP connector ids count up over all EVSEs and their connectors (libocpp 9.2); every event and every command is
translated through this one map, so that several connectors per EVSE work (DEPARTURE 48).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec


class EvseConnector(msgspec.Struct, frozen=True):
    """A connector as the bus names it. Both ids count from 1."""

    evse_id: int
    connector_id: int


class ConnectorMap:
    """Both directions of the map, built once from the answers of get_evse in connection order."""

    def __init__(self, evses: Iterable[tuple[int, Sequence[int]]]) -> None:
        """`evses` are (EVSE id, its connector ids); an EVSE without connectors gets one with id 1.

        Raises ValueError unless the EVSE ids are 1, 2, 3, ... in this order (libocpp 9.2).
        """
        self._by_ocpp: dict[int, EvseConnector] = {}
        self._by_bus: dict[EvseConnector, int] = {}
        for position, (evse_id, connector_ids) in enumerate(evses, start=1):
            if evse_id != position:
                raise ValueError(
                    f"the EVSEs must have the ids 1, 2, 3, ... in the order of the connections of requirement "
                    f"'evse_manager', but connection {position} has id {evse_id}; "
                    f"order the connections by connector_id"
                )
            for connector_id in connector_ids or (1,):
                ocpp = len(self._by_ocpp) + 1
                place = EvseConnector(evse_id, connector_id)
                self._by_ocpp[ocpp] = place
                self._by_bus[place] = ocpp

    def __len__(self) -> int:
        """NumberOfConnectors."""
        return len(self._by_ocpp)

    def to_ocpp(self, evse_id: int, connector_id: int | None = None) -> int | None:
        """The OCPP connector, None if the EVSE has no such connector. A missing connector id means 1."""
        return self._by_bus.get(EvseConnector(evse_id, 1 if connector_id is None else connector_id))

    def to_bus(self, ocpp_connector: int) -> EvseConnector | None:
        """EVSE and connector of an OCPP connector (1..N), None if there is none (0 included)."""
        return self._by_ocpp.get(ocpp_connector)

    def of_evse(self, evse_id: int) -> list[int]:
        """All OCPP connectors of an EVSE."""
        return [ocpp for ocpp, place in self._by_ocpp.items() if place.evse_id == evse_id]
