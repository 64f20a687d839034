"""Turns what is seen on the bus into lines that a person can follow. Pure: messages in, lines out.

Only EVerest's own topics are read: session events, power meter, token validation, errors, and `ocpp_message` of the
OCPP module, which carries both sides of the OCPP traffic.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

RESET = "a Reset ends the whole stack, as a reboot would; whoever supervises it starts it again"
METER_LINE_SECONDS = 2.0
"""While energy flows, at most one meter line per EVSE in this time."""


@dataclass(frozen=True)
class Line:
    """One line of the story: who (`EVSE 1`, `card`, `OCPP`), which way for OCPP traffic, and what."""

    who: str
    text: str
    arrow: str = ""
    """`->` from the station to the CSMS, `<-` from the CSMS, empty for everything that is no OCPP frame."""
    alarming: bool = False


def _join(*parts: object) -> str:
    return ", ".join(str(part) for part in parts if part not in (None, ""))


def _status(request: dict[str, Any]) -> str:
    error = request["errorCode"]
    return _join(
        f"connector {request['connectorId']} {request['status']}",
        None if error == "NoError" else error,
        request.get("info"),
    )


def _meter_values(request: dict[str, Any]) -> str:
    samples = [s for value in request["meterValue"] for s in value["sampledValue"] if "phase" not in s]
    texts = [
        f"{s['value']} {s.get('unit', s.get('measurand', 'Wh'))}"
        if s.get("format") != "SignedData"
        else f"signed value ({s.get('context', '')})"
        for s in samples
    ]
    transaction = f"transaction {request['transactionId']}" if "transactionId" in request else ""
    return _join(f"connector {request['connectorId']}", transaction, *texts)


def _id_tag_status(response: dict[str, Any]) -> str:
    return str(response.get("idTagInfo", {}).get("status", ""))


def _registration(response: dict[str, Any]) -> str:
    """`interval` is that of the heartbeats, or how long to wait before the next try (OCPP 1.6 §4.2)."""
    what = "heartbeat every" if response["status"] == "Accepted" else "next try in"
    return f"{response['status']}" + (f", {what} {response['interval']} s" if response["interval"] else "")


REQUESTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "BootNotification": lambda r: f"{r['chargePointVendor']} {r['chargePointModel']}",
    "StatusNotification": _status,
    "Authorize": lambda r: str(r["idTag"]),
    "StartTransaction": lambda r: _join(
        f"connector {r['connectorId']}", r["idTag"], f"meterStart {r['meterStart']} Wh"
    ),
    "StopTransaction": lambda r: _join(
        f"transaction {r['transactionId']}", f"meterStop {r['meterStop']} Wh", r.get("reason")
    ),
    "MeterValues": _meter_values,
    "RemoteStartTransaction": lambda r: _join(
        r["idTag"], f"connector {r['connectorId']}" if "connectorId" in r else ""
    ),
    "RemoteStopTransaction": lambda r: f"transaction {r['transactionId']}",
    "SecurityEventNotification": lambda r: str(r["type"]),
    "ChangeConfiguration": lambda r: f"{r['key']} = {r['value']}",
    "ChangeAvailability": lambda r: f"connector {r['connectorId']} {r['type']}",
    "TriggerMessage": lambda r: _join(
        r["requestedMessage"], f"connector {r['connectorId']}" if "connectorId" in r else ""
    ),
    "Reset": lambda r: str(r["type"]),
}

RESPONSES: dict[str, Callable[[dict[str, Any]], str]] = {
    "BootNotification": _registration,
    "Authorize": _id_tag_status,
    "StartTransaction": lambda r: _join(f"transaction {r['transactionId']}", _id_tag_status(r)),
    "StopTransaction": _id_tag_status,
}
"""What stands for a response; any other shows its `status`, if it has one."""

SESSION_EVENTS: dict[str, str] = {
    "Enabled": "is enabled",
    "Disabled": "is disabled",
    "AuthRequired": "waits for authorization",
    "Authorized": "is authorized",
    "Deauthorized": "lost its authorization",
    "PrepareCharging": "prepares to charge",
    "ChargingStarted": "charges",
    "ChargingPausedEV": "paused by the car",
    "ChargingPausedEVSE": "paused by the EVSE",
    "StoppingCharging": "stops charging",
    "ChargingFinished": "has finished charging",
    "ReservationStart": "is reserved",
    "ReservationEnd": "is no longer reserved",
    "PluginTimeout": "waited too long for authorization",
    "SwitchingPhases": "switches phases",
    "SessionResumed": "found an open session from before the restart",
}


class Story:
    """Collects what a line needs from earlier messages. `names` maps a module id to how it is called in the story."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self._actions: dict[str, str] = {}
        self._last_meter: dict[str, tuple[float, int]] = {}
        self._connected: bool | None = None

    def name_of(self, module_id: str) -> str:
        return self._names.get(module_id, module_id)

    def session_event(self, module_id: str, event: dict[str, Any]) -> Iterator[Line]:
        kind = event["event"]
        if kind == "SessionStarted":
            text = f"session starts ({event['session_started']['reason']})"
        elif kind == "SessionFinished":
            text = "session is over, free again"
        elif kind == "TransactionStarted":
            started = event["transaction_started"]
            text = f"transaction starts: {started['id_tag']['id_token']['value']}, {_energy(started)}"
        elif kind == "TransactionFinished":
            finished = event["transaction_finished"]
            text = f"transaction ends: {finished.get('reason', 'Other')}, {_energy(finished)}"
        else:
            text = SESSION_EVENTS.get(kind, kind)
        yield Line(self.name_of(module_id), text)

    def powermeter(self, module_id: str, reading: dict[str, Any], *, time: float) -> Iterator[Line]:
        """A line when the energy has grown, at most every METER_LINE_SECONDS (`time` is monotonic seconds)."""
        energy = int(reading["energy_Wh_import"]["total"])
        last_time, last_energy = self._last_meter.setdefault(module_id, (float("-inf"), energy))
        if energy == last_energy or time - last_time < METER_LINE_SECONDS:
            return
        self._last_meter[module_id] = (time, energy)
        if energy > last_energy:
            power = reading.get("power_W", {}).get("total", 0.0)
            yield Line(self.name_of(module_id), f"{energy} Wh, {power / 1000:.1f} kW")

    def token(self, status: dict[str, Any]) -> Iterator[Line]:
        value = status["token"]["id_token"]["value"]
        yield Line("card", f"{value}: {status['status']}", alarming=status["status"] in {"Rejected", "TimedOut"})

    def error(self, error: dict[str, Any]) -> Iterator[Line]:
        who = self.name_of(error["origin"]["module_id"])
        raised = error["state"] == "Active"
        yield Line(who, f"{error['type']} {'raised: ' + error['message'] if raised else 'cleared'}", alarming=raised)

    def connection(self, status: dict[str, Any]) -> Iterator[Line]:
        """Only changes are told; that there was no connection before the first one is no news."""
        connected = bool(status["connected"])
        if connected != self._connected and (connected or self._connected is not None):
            text = f"connected to {status.get('csms_url', 'the CSMS')}" if connected else "connection lost"
            yield Line("OCPP", text, alarming=not connected)
        self._connected = connected

    def ocpp_message(self, message: dict[str, Any]) -> Iterator[Line]:
        """A frame as the OCPP module publishes it: `message` (text) and `direction`."""
        arrow = "->" if message["direction"] == "ChargingStationToCSMS" else "<-"
        try:
            frame = json.loads(message["message"])
            action = self._actions.get(frame[1])
            yield Line("OCPP", *self._frame(frame, arrow))
            if action == "Reset" and frame[0] == 3 and frame[2].get("status") == "Accepted":
                yield Line("story", RESET)
        except (ValueError, LookupError, TypeError, AttributeError):
            yield Line("OCPP", f"not understood: {str(message['message'])[:80]}", arrow, alarming=True)

    def _frame(self, frame: list[Any], arrow: str) -> tuple[str, str, bool]:
        if frame[0] == 2:
            action, payload = frame[2], frame[3]
            self._actions[frame[1]] = action
            return f"{action:<26}{REQUESTS.get(action, _nothing)(payload)}".rstrip(), arrow, False
        action = self._actions.pop(frame[1], "?")
        if frame[0] == 4:
            return f"{action:<26}CALLERROR {frame[2]} {frame[3]}".rstrip(), arrow, True
        detail = RESPONSES.get(action, _response_status)(frame[2])
        return f"{action:<26}{detail or 'ok'}", arrow, False


def _nothing(_payload: dict[str, Any]) -> str:
    return ""


def _response_status(response: dict[str, Any]) -> str:
    return str(response.get("status", ""))


def _energy(holder: dict[str, Any]) -> str:
    return f"{holder['meter_value']['energy_Wh_import']['total']:.0f} Wh"
