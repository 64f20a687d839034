"""The module's configuration as one typed value; names of keys as in manifest.yaml. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from everest.contracts.types.evse_board_support import HardwareCapabilities, HardwareCapabilitiesConnectorType
from everest.contracts.types.evse_manager import ConnectorTypeEnum
from everest.contracts.types.iso15118 import EnergyTransferMode

from .battery import BatteryConfig
from .budget import Hardware
from .car import CarConfig
from .meter import MeterConfig
from .states import ISO_DUTY, Times
from .v2g import Offer

ConfigValue = bool | int | float | str


@dataclass(frozen=True)
class Settings:
    """What the module reads from its configuration."""

    config: Mapping[str, ConfigValue]

    def text(self, key: str) -> str:
        return str(self.config[key])

    def flag(self, key: str) -> bool:
        return bool(self.config[key])

    def number(self, key: str) -> float:
        return float(self.config[key])

    @property
    def connector_id(self) -> int:
        return int(self.config["connector_id"])

    @property
    def seed(self) -> int:
        """Seed of everything that is random and repeatable here."""
        return int(self.config["noise_seed"]) + self.connector_id

    @property
    def connector_type(self) -> ConnectorTypeEnum | None:
        """None for a name that the contract does not know: the field is then left out (station 2.9)."""
        name = self.text("connector_type")
        return ConnectorTypeEnum(name) if name in ConnectorTypeEnum.__members__ else None

    def times(self) -> Times:
        five_percent = self.hlc and self.flag("ac_hlc_use_5percent")
        return Times(
            state_f_s=self.number("state_F_after_fault_ms") / 1000.0,
            phase_switch_s=self.number("switch_3ph1ph_delay_s"),
            phase_switch_state_f=self.text("switch_3ph1ph_cp_state") == "F",
            fixed_duty=ISO_DUTY if self.dc else None,
            waiting_duty=ISO_DUTY if self.dc or five_percent else None,
            five_percent_start=five_percent and not self.dc,
            enforce_hlc=self.hlc and not self.dc and self.flag("ac_enforce_hlc"),
            waiting_duty_after_s=self.number("sleep_before_enabling_pwm_hlc_mode_ms") / 1000.0,
        )

    def car(self) -> CarConfig:
        return CarConfig(
            max_current_A=self.number("max_current"),
            three_phases=self.flag("three_phases"),
            battery=self._battery(),
            stops_when_full=self.flag("stops_when_full") and not self.bidirectional,
            iso15118=self.hlc,
            nominal_voltage_V=self.number("ac_nominal_voltage"),
            plugin_commands=self.text("plugin_commands"),
        )

    @property
    def dc(self) -> bool:
        return self.text("charge_mode") == "DC"

    @property
    def bidirectional(self) -> bool:
        """Energy may flow back from a DC car: EVSE and car must both know SAE J2847/2."""
        return self.dc and self.flag("sae_j2847_2_bpt_enabled") and self.flag("support_sae_j2847")

    @property
    def hlc(self) -> bool:
        """Whether the car and EVSE play ISO 15118 as far as it shows outside."""
        return self.dc or self.flag("ac_hlc_enabled") or self.flag("ac_with_soc")

    @property
    def energy_transfer_modes(self) -> list[EnergyTransferMode]:
        """What is offered by ISO 15118; nothing without it."""
        if self.dc:
            return [EnergyTransferMode.DC_extended]
        return [EnergyTransferMode.AC_single_phase_core, EnergyTransferMode.AC_three_phase_core] if self.hlc else []

    def offer(self) -> Offer:
        """Payment options and what goes with them, as configured."""
        return Offer(
            eim=self.flag("payment_enable_eim"),
            pnc=self.flag("payment_enable_contract"),
            central_validation=self.flag("central_contract_validation_allowed"),
            installation=self.flag("contract_certificate_installation_enabled"),
        )

    @property
    def evcc_id(self) -> str:
        """MAC address of the simulated car."""
        return self.text("evcc_id") or f"02:00:00:00:00:{self.connector_id % 256:02X}"

    @property
    def emaid(self) -> str:
        """eMAID of the simulated car's contract."""
        return self.text("contract_emaid") or f"UKSWI12345679{self.connector_id}A"

    def _battery(self) -> BatteryConfig:
        return BatteryConfig(
            soc_percent=self.number("soc"),
            capacity_Wh=self.number("dc_energy_capacity"),
            max_power_W=self.number("dc_max_power_limit"),
            taper_from_percent=self.number("taper_from_soc"),
            ramp_A_per_s=self.number("dc_ramp_ampere_per_second" if self.dc else "ramp_ampere_per_second"),
            standby_W=self.number("standby_power"),
            full_voltage_V=self.number("dc_target_voltage"),
            most_given_W=self.number("dc_discharge_max_power_limit"),
            minimal_soc_percent=self.number("dc_discharge_v2g_minimal_soc"),
        )

    def meter(self) -> MeterConfig:
        return MeterConfig(
            nominal_voltage_V=self.number("ac_nominal_voltage"),
            nominal_frequency_Hz=self.number("ac_nominal_frequency"),
            send_on_transaction_start=self.flag("dummy_meter_value_send_on_transaction_start"),
            blob_start=self.text("dummy_meter_value_blob_start"),
            blob_stop=self.text("dummy_meter_value_blob_stop"),
        )

    def capabilities(self) -> HardwareCapabilities:
        """hw_capabilities of the simulated board (station 2.9)."""
        return HardwareCapabilities(
            max_current_A_import=self.number("max_current_A_import"),
            min_current_A_import=self.number("min_current_A_import"),
            max_phase_count_import=3,
            min_phase_count_import=1,
            max_current_A_export=16.0,
            min_current_A_export=0.0,
            max_phase_count_export=3,
            min_phase_count_export=1,
            supports_changing_phases_during_charging=True,
            supports_cp_state_E=False,
            connector_type=HardwareCapabilitiesConnectorType.IEC62196Type2Cable,
        )


def hardware_of(capabilities: HardwareCapabilities, nominal_voltage_V: float) -> Hardware:
    """What the budget needs of a board's capabilities."""
    return Hardware(
        min_current_A=capabilities.min_current_A_import,
        max_current_A=capabilities.max_current_A_import,
        max_phases=capabilities.max_phase_count_import,
        min_phases=capabilities.min_phase_count_import,
        switches_phases=capabilities.supports_changing_phases_during_charging,
        max_export_A=capabilities.max_current_A_export,
        nominal_voltage_V=nominal_voltage_V,
    )
