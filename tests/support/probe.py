"""A ProbeModule in the test's own process: EVSEs with several connectors, and a card reader at one of them.

`probe_config` writes a stack whose OCPP and Auth modules are connected to the probe, which has no manifest: what it
provides follows from those connections (bus 6.3). `running_probe` joins such a stack over the real broker, as EVerest's
own tests do. The EVSEs tell what EvseManager tells, in its order, with the connector's id in every event of a session.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from everest.contracts.interfaces.auth_token_provider import AuthTokenProviderImplementation
from everest.contracts.interfaces.evse_manager import EvseManagerImplementation
from everest.contracts.types import authorization as auth
from everest.contracts.types import evse_manager as em
from everest.contracts.types import iso15118, powermeter, units
from everest.runtime import Module, ModuleContext, run_module
from everest.runtime.clock import timestamp
from everest.runtime.mqtt import MqttTransport
from tests.support.stack import ROOT, Station, write_ocpp_configuration

CONNECTORS: Mapping[int, list[int]] = {1: [1, 2], 2: [1, 2]}
"""EVSE id -> ids of its connectors: the OCPP connectors 1 to 4."""

READER = "reader_1_2"
"""The card reader at connector 2 of EVSE 1."""

Event = em.SessionEventEnum


def probe_config(folder: Path, csms_url: str, **changes: Any) -> Path:
    """The default stack with the probe in place of EVSEs and card reader; `changes` are OCPP configuration values."""
    stack = yaml.safe_load((ROOT / "manifest.yaml").read_text(encoding="utf-8"))
    modules = stack["active_modules"]
    for name in ("evse_manager_1", "evse_manager_2", "token_provider_manual"):
        del modules[name]
    evses = [{"module_id": "probe", "implementation_id": f"evse_{evse}"} for evse in CONNECTORS]
    for name in ("ocpp", "auth"):
        modules[name]["connections"]["evse_manager"] = [dict(evse) for evse in evses]
    modules["auth"]["connections"]["token_provider"][0] = {"module_id": "probe", "implementation_id": READER}
    for module in modules.values():
        for connected in module.get("connections", {}).values():
            connected[:] = [end for end in connected if end["module_id"] in (*modules, "probe")]
    places: dict[str, Any] = {f"evse_{evse}": {"evse": evse} for evse in CONNECTORS}
    places[READER] = {"evse": 1, "connector": 2}
    modules["probe"] = {"module": "ProbeModule", "mapping": {"implementations": places}}
    modules["ocpp"]["config_module"]["ChargePointConfigPath"] = write_ocpp_configuration(folder, csms_url, **changes)
    path = folder / "stack.yaml"
    path.write_text(yaml.safe_dump(stack), encoding="utf-8")
    return path


class ProbeEvse(EvseManagerImplementation):
    """One EVSE. The test plugs, unplugs and measures; commands of the stack are recorded in `orders` and obeyed."""

    def __init__(self, evse_id: int, connectors: list[int]) -> None:
        self._evse_id = evse_id
        self._connectors = connectors
        self._out_of_service: set[int] = set()
        self._sessions = 0
        self._session = ""
        self._connector = 0
        self._transaction = False
        self._energy = 100.0 * evse_id
        self._power = 0.0
        self.orders: list[tuple[str, Any]] = []
        """Every command that came in: its name and what it was about."""

    # --- what the test does ------------------------------------------------------------------------------------------

    def plug(self, connector: int) -> None:
        """A car is plugged in at a connector."""
        self._sessions += 1
        self._session, self._connector = f"session-{self._evse_id}-{self._sessions}", connector
        started = em.SessionStarted(reason=em.StartSessionReason.EVConnected, meter_value=self._meter())
        self.tell(Event.SessionStarted, session_started=started)
        self.tell(Event.AuthRequired)

    def resume_after_power_loss(self, session: str, energy: float) -> None:
        """Back after a power cut: the transaction is over, as EvseManager tells it, without a connector's id."""
        self._energy = energy
        now = timestamp(self.module.clock.now())
        finished = em.TransactionFinished(meter_value=self._meter(), reason=em.StopTransactionReason.PowerLoss)
        self.publish_session_event(em.SessionEvent(uuid=session, timestamp=now, event=Event.SessionResumed))
        self.publish_session_event(
            em.SessionEvent(uuid=session, timestamp=now, event=Event.TransactionFinished, transaction_finished=finished)
        )

    def unplug(self) -> None:
        """The car leaves; its transaction has ended before."""
        self.tell(Event.SessionFinished, session_finished=em.SessionFinished(meter_value=self._meter()))
        self._session, self._connector = "", 0

    def measure(self, energy: float, *, power: float = 0.0, soc: float | None = None) -> None:
        """A reading of the meter (Wh since the last one, W) and of the car (percent)."""
        self._energy += energy
        self._power = power
        if soc is not None:
            self.publish_ev_info(em.EVInfo(soc=soc))
        self.publish_powermeter(self._meter())

    def tell(self, event: em.SessionEventEnum, *, connector: int | None = None, **details: Any) -> None:
        """A session event, of the running session unless a connector (0: none is named) is given."""
        self.publish_session_event(
            em.SessionEvent(
                uuid=self._session if connector is None else "",
                timestamp=timestamp(self.module.clock.now()),
                event=event,
                connector_id=(self._connector if connector is None else connector) or None,
                **details,
            )
        )

    def _meter(self) -> powermeter.Powermeter:
        return powermeter.Powermeter(
            timestamp=timestamp(self.module.clock.now()),
            energy_Wh_import=units.Energy(total=self._energy),
            power_W=units.Power(total=self._power),
        )

    # --- what the stack orders ---------------------------------------------------------------------------------------

    async def get_evse(self) -> em.Evse:
        kind = em.ConnectorTypeEnum.cType2
        return em.Evse(id=self._evse_id, connectors=[em.Connector(id=each, type=kind) for each in self._connectors])

    async def external_ready_to_start_charging(self) -> bool:
        self.switch(0, enable=True)
        self.publish_ready(True)
        return True

    async def enable_disable(self, connector_id: int, cmd_source: em.EnableDisableSource) -> bool:
        enable = cmd_source.enable_state is em.EnableDisableSourceEnableState.Enable
        self.orders.append(("enable_disable", (connector_id, enable)))
        if (connector_id in self._out_of_service) is enable:
            self.switch(connector_id, enable=enable)
        return enable

    def switch(self, connector: int, *, enable: bool) -> None:
        """A connector, or the EVSE (0), goes out of service or comes back, and says so."""
        (self._out_of_service.discard if enable else self._out_of_service.add)(connector)
        source = em.EnableDisableSource(
            enable_source=em.EnableDisableSourceEnableSource.Unspecified,
            enable_state=em.EnableDisableSourceEnableState.Unassigned,
            enable_priority=10000,
        )
        self.tell(Event.Enabled if enable else Event.Disabled, connector=connector, source=source)

    async def authorize_response(
        self, provided_token: auth.ProvidedIdToken, validation_result: auth.ValidationResult
    ) -> None:
        self.orders.append(("authorize_response", provided_token.id_token.value))
        accepted = validation_result.authorization_status is auth.AuthorizationStatus.Accepted
        if not accepted or not self._session or self._transaction:
            return
        self._transaction = True
        self.tell(Event.Authorized, authorization_event=em.AuthorizationEvent(meter_value=self._meter()))
        started = em.TransactionStarted(
            id_tag=provided_token,
            meter_value=self._meter(),
            reservation_id=validation_result.reservation_id,
        )
        self.tell(Event.TransactionStarted, transaction_started=started)
        self.tell(Event.PrepareCharging)
        charging = em.ChargingStateChangedEvent(meter_value=self._meter())
        self.tell(Event.ChargingStarted, charging_state_changed_event=charging)

    async def stop_transaction(self, request: em.StopTransactionRequest) -> bool:
        self.orders.append(("stop_transaction", request.reason))
        return self._finish(request.reason, request.id_tag)

    def _finish(self, reason: em.StopTransactionReason, id_tag: auth.ProvidedIdToken | None = None) -> bool:
        if not self._transaction:
            return False
        self._transaction = False
        self.tell(Event.StoppingCharging)
        self.tell(Event.ChargingFinished)
        finished = em.TransactionFinished(meter_value=self._meter(), reason=reason, id_tag=id_tag)
        self.tell(Event.TransactionFinished, transaction_finished=finished)
        return True

    async def force_unlock(self, connector_id: int) -> bool:
        self.orders.append(("force_unlock", connector_id))
        if connector_id == self._connector:
            self._finish(em.StopTransactionReason.UnlockCommand)
        return True

    async def reserve(self, reservation_id: int) -> bool:
        self.orders.append(("reserve", reservation_id))
        self.tell(Event.ReservationStart, connector=0)
        return True

    async def cancel_reservation(self) -> None:
        self.orders.append(("cancel_reservation", None))
        self.tell(Event.ReservationEnd, connector=0)

    async def pause_charging(self) -> bool:
        self.orders.append(("pause_charging", None))
        return True

    async def resume_charging(self) -> bool:
        self.orders.append(("resume_charging", None))
        return True

    async def withdraw_authorization(self) -> None:
        self.orders.append(("withdraw_authorization", None))

    async def set_plug_and_charge_configuration(
        self, plug_and_charge_configuration: em.PlugAndChargeConfiguration
    ) -> None:
        pass

    async def update_allowed_energy_transfer_modes(
        self, allowed_energy_transfer_modes: list[iso15118.EnergyTransferMode]
    ) -> em.UpdateAllowedEnergyTransferModesResult:
        return em.UpdateAllowedEnergyTransferModesResult.NoHlc

    async def set_der_available(self, available: bool) -> em.SetDerAvailableResult:
        return em.SetDerAvailableResult.NoHlc


class Reader(AuthTokenProviderImplementation):
    """A card reader."""

    def swipe(self, card: str) -> None:
        token = auth.IdToken(value=card, type=auth.IdTokenType.ISO14443)
        kind = auth.AuthorizationType.RFID
        self.publish_provided_token(auth.ProvidedIdToken(id_token=token, authorization_type=kind))


class Probe(Module):
    """The probe: `evses` by id, and the reader. `before` is called when all is ready, before an EVSE says so."""

    def __init__(self, context: ModuleContext, before: Callable[[Probe], None]) -> None:
        super().__init__(context)
        self._before = before
        self.evses = {evse: ProbeEvse(evse, connectors) for evse, connectors in CONNECTORS.items()}
        self.reader = Reader()
        for evse, implementation in self.evses.items():
            self.provide(f"evse_{evse}", implementation)
        self.provide(READER, self.reader)

    async def ready(self) -> None:
        self._before(self)
        for evse in self.evses.values():
            evse.publish_waiting_for_external_ready(True)

    def ordered(self, evse: int, command: str) -> list[Any]:
        """What an EVSE was ordered to do so far by one command."""
        return [about for name, about in self.evses[evse].orders if name == command]


@contextlib.asynccontextmanager
async def running_probe(
    config: Path, port: int, *, before: Callable[[Probe], None] = lambda _probe: None
) -> AsyncIterator[Probe]:
    """The stack of `probe_config` and the probe in it, until the end of the block; `before`: see `Probe`."""
    async with Station(config, port, "--standalone", "probe", wait=False) as station:
        await station.wait_for_status("WAITING_FOR_STANDALONE_MODULES")
        made: asyncio.Future[Module] = asyncio.get_running_loop().create_future()
        transport = MqttTransport("127.0.0.1", port)
        life = asyncio.create_task(
            run_module(
                lambda context: Probe(context, before), module_id="probe", transport=transport, created=made.set_result
            ),
            name="probe",
        )
        try:
            await station.wait_for_status("ALL_MODULES_STARTED")
            probe = await made
            assert isinstance(probe, Probe)
            yield probe
            assert not life.done(), "the probe has ended before the test"
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
