"""The external MQTT topics of EVSE, car and board simulation (station 2.11, 3.2, 3.4). Names and payloads only."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from everest.contracts.types.evse_board_support import Telemetry
from everest.contracts.types.powermeter import Powermeter

from .states import STATE_TOPICS, State

Publish = Callable[[str, str], None]


class Topics:
    """Publishes under `everest_external/nodered/<n>/`; knows the names to subscribe."""

    def __init__(self, connector_id: int, module_id: str, publish: Publish) -> None:
        self._base = f"everest_external/nodered/{connector_id}/"
        self._module_id = module_id
        self._publish = publish

    def command(self, name: str) -> str:
        """`cmd/enable`, `carsim/error` ... with the prefix of this EVSE."""
        return self._base + name

    def state(self, state: State) -> None:
        number, text = STATE_TOPICS[state]
        self._publish(self._base + "state/state_string", text)
        self._publish(self._base + "state/state", str(number))

    def hlc_log(self, line: str) -> None:
        """A line of the session log, JSON."""
        self._publish(f"everest_api/{self._module_id}/var/hlc_log", line)

    def max_current(self, amps: float) -> None:
        self._publish(self._base + "state/max_current", f"{amps:.5f}")

    def max_watt(self, watts: float) -> None:
        self._publish(self._base + "state/max_watt", f"{watts:.5f}")

    def telemetry(self, telemetry: Telemetry) -> None:
        self._publish(self._base + "state/temperature", f"{telemetry.evse_temperature_C:.5f}")

    def powermeter(self, reading: Powermeter) -> None:
        """The reading in parts and as a whole."""
        power = f"{round((reading.power_W.total if reading.power_W else 0.0) / 1000.0, 1)}"
        energy = f"{reading.energy_Wh_import.total / 1000.0:.5f}"
        exported = reading.energy_Wh_export.total if reading.energy_Wh_export else 0.0
        text = msgspec.json.encode(reading).decode()
        for name, payload in (
            ("phaseSeqError", "true" if reading.phase_seq_error else "false"),
            ("time_stamp", reading.timestamp),
            ("totalKw", power),
            ("totalKWattHr", energy),
            ("totalExportKWattHr", f"{exported / 1000.0:.5f}"),
        ):
            self._publish(f"{self._base}powermeter/{name}", payload)
        self._publish(self._base + "powermeter_json", text)

    def legacy(self, reading: Powermeter, temperature_C: float) -> None:
        """Topics of EVerest's old simulator, without <n> (station 3.4)."""
        power = f"{round((reading.power_W.total if reading.power_W else 0.0) / 1000.0, 1)}"
        energy = f"{reading.energy_Wh_import.total / 1000.0:.5f}"
        voltage = reading.voltage_V.L1 if reading.voltage_V and reading.voltage_V.L1 is not None else 0.0
        shared = (("tempL1", f"{temperature_C:.5f}"), ("totalKw", power), ("totalKWattHr", energy))
        own = (
            ("vrmsL1", f"{voltage:.5f}"),
            ("phaseSeqError", "true" if reading.phase_seq_error else "false"),
            ("time_stamp", reading.timestamp),
        )
        for name, payload in own + shared:
            self._publish(f"/external/powermeter/{name}", payload)
        for name, payload in shared:
            self._publish(f"/external/{self._module_id}/powermeter/{name}", payload)
        flat = {
            "current_A": reading.current_A,
            "voltage_V": reading.voltage_V,
            "power_W": reading.power_W,
            "energy_Wh_import": reading.energy_Wh_import,
            "energy_Wh_export": reading.energy_Wh_export,
        }
        values = {
            f"{quantity}.{name}": value
            for quantity, struct in flat.items()
            if struct is not None
            for name, value in msgspec.structs.asdict(struct).items()
            if value is not None
        }
        self._publish("/external/powermeter_json", msgspec.json.encode([values]).decode())
