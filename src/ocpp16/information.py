"""The information methods of the charge point (libocpp 2.3): configuration keys, and the data of BootNotification.

May import: core, configuration. Must not import: connection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ocpp16.configuration import Configuration, Key, keys
from ocpp16.core import Core
from ocpp16.errors import UsageError
from ocpp16.messages import ConfigurationStatus, GetConfigurationRequest, GetConfigurationResponse


class Information:
    """Mixed into `ChargePoint`."""

    configuration: Configuration
    _core: Core | None

    async def update_chargepoint_information(
        self,
        vendor: str,
        model: str,
        serialnumber: str | None = None,
        chargebox_serialnumber: str | None = None,
        firmware_version: str | None = None,
    ) -> None:
        """Overwrite what BootNotification says of the station; None keeps a value. Persisted. Raises
        ConfigurationError for a text that is too long."""
        await self._store_texts(
            (keys.ChargePointVendor, vendor),
            (keys.ChargePointModel, model),
            (keys.ChargePointSerialNumber, serialnumber),
            (keys.ChargeBoxSerialNumber, chargebox_serialnumber),
            (keys.FirmwareVersion, firmware_version),
        )

    async def update_modem_information(self, iccid: str | None = None, imsi: str | None = None) -> None:
        """Overwrite iccid and imsi; None keeps a value. Persisted."""
        await self._store_texts((keys.ICCID, iccid), (keys.IMSI, imsi))

    async def update_meter_information(
        self, meter_serialnumber: str | None = None, meter_type: str | None = None
    ) -> None:
        """Overwrite what BootNotification says of the meter; None keeps a value. Persisted."""
        await self._store_texts((keys.MeterSerialNumber, meter_serialnumber), (keys.MeterType, meter_type))

    async def _store_texts(self, *values: tuple[Key[str] | Key[str | None], str | None]) -> None:
        for key, value in values:
            if value is not None and value != self.configuration[key]:
                await self.configuration.store(key, value)

    def get_configuration_key(
        self, request: GetConfigurationRequest | Iterable[str] | None = None
    ) -> GetConfigurationResponse:
        """As GetConfiguration: the keys asked for, or all of them."""
        names: Sequence[str] | None
        if isinstance(request, GetConfigurationRequest):
            names = request.key
        else:
            names = None if request is None else list(request)
        return self.configuration.report(names)

    async def set_configuration_key(self, key: str, value: str) -> ConfigurationStatus:
        """As ChangeConfiguration, with its effects and callbacks; before `init` the value is only kept."""
        if self._core is None:
            return await self.configuration.change(key, value)
        return await self._core.configuration_requests.set(key, value)

    async def set_powermeter_public_key(self, connector: int, key: str) -> bool:
        """Keep the public key of a connector's meter, shown as `MeterPublicKey<connector>`. False if there is no such
        connector."""
        number = int(self.configuration[keys.NumberOfConnectors])
        if not 1 <= connector <= number:
            return False
        stored = tuple(self.configuration[keys.MeterPublicKeys] or ())
        public_keys = [*stored, *[""] * (number - len(stored))]
        if public_keys[connector - 1] != key:
            public_keys[connector - 1] = key
            await self.configuration.store(keys.MeterPublicKeys, tuple(public_keys))
        return True

    async def call_set_connection_timeout(self) -> None:
        """Tell the integrator `ConnectionTimeOut` by its callback."""
        if self._core is None:
            raise UsageError("call_set_connection_timeout needs an initialised charge point")
        self._core.set_connection_timeout()
