"""The map between EVSEs with their connectors and OCPP connectors (libocpp 9.2, DEPARTURE 48)."""

from __future__ import annotations

import pytest

from modules.OCPP.connectors import ConnectorMap, EvseConnector


def test_ocpp_connectors_count_up_over_all_evses_and_their_connectors() -> None:
    connectors = ConnectorMap([(1, [1, 2]), (2, [1]), (3, [])])
    assert len(connectors) == 4
    assert [connectors.to_bus(n) for n in (1, 2, 3, 4)] == [
        EvseConnector(1, 1),
        EvseConnector(1, 2),
        EvseConnector(2, 1),
        EvseConnector(3, 1),
    ]


def test_an_event_without_connector_id_means_the_first_connector() -> None:
    connectors = ConnectorMap([(1, [1, 2]), (2, [1])])
    assert connectors.to_ocpp(2, None) == 3
    assert connectors.to_ocpp(1, 2) == 2
    assert connectors.of_evse(1) == [1, 2]


def test_what_does_not_exist_is_none() -> None:
    connectors = ConnectorMap([(1, [1])])
    assert connectors.to_ocpp(1, 2) is None
    assert connectors.to_ocpp(2) is None
    assert connectors.to_bus(0) is None
    assert connectors.to_bus(2) is None


@pytest.mark.parametrize("ids", [[2, 1], [0, 1], [1, 3], [1, 1]])
def test_evse_ids_that_do_not_count_up_from_one_are_refused_with_the_fix(ids: list[int]) -> None:
    with pytest.raises(ValueError, match=r"1, 2, 3, .*order the connections"):
        ConnectorMap([(evse_id, [1]) for evse_id in ids])
