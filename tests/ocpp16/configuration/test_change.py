"""ChangeConfiguration: the decision order, and the value checks of each key (libocpp 1.7)."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from ocpp16.configuration import Configuration, Source, authorization_key_bytes, files, keys
from ocpp16.configuration.schemas import write
from ocpp16.errors import ConfigurationError
from ocpp16.messages import ConfigurationStatus
from tests.support.configurations import NOW, FixedClock, document

PRICE = {
    "CustomDisplayCostAndPrice": True,
    "CustomMultiLanguageMessages": True,
    "SupportedLanguages": "en, de,nl",
    "DefaultPrice": {"priceText": "cheap"},
    "TimeOffset": "+00:00",
    "NextTimeOffsetTransitionDateTime": "2020-01-01T00:00:00Z",
    "WaitForSetUserPriceTimeout": 0,
    "Language": "en",
}
RICH = document(
    Internal={
        "IgnoredProfilePurposesOffline": "",
        "SeccLeafSubjectCountry": "DE",
        "SeccLeafSubjectCommonName": "x" * 7,
        "ConnectorEvseIds": "DE*ICE*E*1",
        "SwitchSecurityProfileConnectionTimeout": 20,
    },
    Core={"LightIntensity": 5, "StopTxnSampledDataMaxLength": 2, "NumberOfConnectors": 2},
    CostAndPrice=PRICE,
    Custom={"ExampleConfigurationKey": "x"},
)


def load(content: dict[str, Any] = RICH, **options: Any) -> Configuration:
    return Configuration.load(content, clock=FixedClock(), **options)


ACCEPTED = [
    ("HeartbeatInterval", "0"), ("HeartbeatInterval", "+12"), ("heartbeatINTERVAL", "2147483647"),
    ("LocalPreAuthorize", "TRUE"), ("LocalPreAuthorize", "false"), ("LightIntensity", "100"),
    ("OcspRequestInterval", "86400"), ("SwitchSecurityProfileConnectionTimeout", "1"),
    ("WaitForSetUserPriceTimeout", "30000"), ("CompositeScheduleDefaultNumberPhases", "1"),
    ("CompositeScheduleDefaultLimitAmps", "16"), ("RetryBackoffRepeatTimes", "4"), ("RetryBackoffWaitMinimum", "4"),
    ("VerifyCsmsAllowWildcards", "true"), ("Language", "de"),
    ("MeterValuesSampledData", ""),
    ("MeterValuesSampledData", "Voltage,SoC"), ("MeterValuesSampledData", "Voltage.L1-N"),
    ("StopTxnSampledData", "Voltage,SoC"),
    ("ConnectorPhaseRotation", "0.RST,1.RST, 2.NotApplicable"), ("ConnectorPhaseRotation", "2.Unknown"),
    ("IgnoredProfilePurposesOffline", ""), ("IgnoredProfilePurposesOffline", "TxProfile,TxDefaultProfile"),
    ("ConnectorEvseIds", "DE*ICE*E1,DE*ICE*E2"), ("ConnectorEvseIds", ",".join(["DE*ICE*E1"] * 5)),
    ("SeccLeafSubjectCountry", "NL"), ("SeccLeafSubjectCommonName", "y" * 64), ("CpoName", "ACME"),
    ("AuthorizationKey", "12345678"), ("authorizationkey", "x" * 40),
    ("TimeOffset", "-24:59"), ("TimeOffset", "2:0"),
    ("NextTimeOffsetTransitionDateTime", "2024-05-01T12:00:00.001Z"),
    ("DefaultPrice", '{"priceText": "x", "chargingPrice": {"kWhPrice": 0.3}}'),
    ("DefaultPriceText,de", '{"priceText": "billig"}'),
    ("ExampleConfigurationKey", "anything"),
]  # fmt: skip
REJECTED = [
    ("HeartbeatInterval", ""), ("HeartbeatInterval", "-1"), ("HeartbeatInterval", "1.0"), ("HeartbeatInterval", " 1"),
    ("HeartbeatInterval", "1_0"), ("HeartbeatInterval", "２"), ("HeartbeatInterval", "2147483648"),
    ("HeartbeatInterval", "9" * 400), ("HeartbeatInterval", "ten"),
    ("LocalPreAuthorize", "1"), ("LocalPreAuthorize", "yes"), ("LightIntensity", "101"),
    ("OcspRequestInterval", "86399"), ("SwitchSecurityProfileConnectionTimeout", "0"),
    ("WaitForSetUserPriceTimeout", "30001"), ("CompositeScheduleDefaultNumberPhases", "0"),
    ("CompositeScheduleDefaultNumberPhases", "4"), ("CompositeScheduleDefaultLimitAmps", "16.5"),
    ("MeterValuesSampledData", "Voltage, SoC"), ("MeterValuesSampledData", "RPM"), ("MeterValuesSampledData", "Speed"),
    ("MeterValuesSampledData", "Voltage,"),
    ("MeterValuesSampledData", "Voltage.L9"), ("MeterValuesSampledData", "RPM.L1"),
    ("StopTxnSampledData", "Voltage,SoC,Temperature"),
    ("ConnectorPhaseRotation", "3.RST"), ("ConnectorPhaseRotation", "1.ABC"), ("ConnectorPhaseRotation", ""),
    ("ConnectorPhaseRotation", "RST"), ("ConnectorPhaseRotation", "-1.RST"),
    ("IgnoredProfilePurposesOffline", "Tx"), ("IgnoredProfilePurposesOffline", "TxProfile, TxProfile"),
    ("ConnectorEvseIds", "DE*ICE"), ("ConnectorEvseIds", "x" * 38),
    ("SeccLeafSubjectCountry", "GER"), ("SeccLeafSubjectCommonName", "y" * 65), ("SeccLeafSubjectCommonName", "y" * 6),
    ("AuthorizationKey", "1234567"), ("AuthorizationKey", "x" * 41),
    ("TimeOffset", "25:00"), ("TimeOffset", "1:60"), ("TimeOffset", "1"), ("TimeOffset", "+1:-1"),
    ("NextTimeOffsetTransitionDateTime", "2024-05-01T12:00:00Z"), ("NextTimeOffsetTransitionDateTime", "soon"),
    ("DefaultPrice", "cheap"), ("DefaultPrice", "[]"), ("DefaultPrice", "{}"), ("DefaultPrice", '{"priceText": ""}'),
    ("DefaultPriceText,fr", '{"priceText": "x"}'),
    ("DefaultPriceText,de", "{}"), ("DefaultPriceText,de", "[" * 100_000),
    ("ChargePointId", "other"), ("NumberOfConnectors", "3"), ("CentralSystemURI", "ws://other"),
    ("SupportedMeasurands", "SoC"),
]  # fmt: skip
NOT_SUPPORTED = [
    ("Nonsense", "1"), ("BlinkRepeat", "1"),
    ("MeterPublicKey1", "x"), ("MeterPublicKeys", "x"), ("LocalAuthListEnabled", "true"),
    ("DefaultPriceText", "x"), ("defaultpricetext,de", "{}"),
    ("exampleConfigurationKey", "x"), ("ISO15118PnCEnabled", "true"),
    ("AllowOfflineTxForUnknownId", "true"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), ACCEPTED)
async def test_a_good_value_is_accepted(name: str, text: str) -> None:
    configuration = load()
    assert await configuration.change(name, text) is ConfigurationStatus.Accepted


@pytest.mark.parametrize(("name", "text"), REJECTED)
async def test_a_bad_value_or_a_read_only_key_is_rejected_and_nothing_changes(name: str, text: str) -> None:
    configuration = load()
    before = configuration.report()
    assert await configuration.change(name, text) is ConfigurationStatus.Rejected
    assert configuration.report() == before


@pytest.mark.parametrize(("name", "text"), NOT_SUPPORTED)
async def test_a_key_that_the_csms_cannot_see_is_not_supported(name: str, text: str) -> None:
    assert await load().change(name, text) is ConfigurationStatus.NotSupported


async def test_a_changed_value_is_typed_in_memory_and_json_on_disk(tmp_path: Path) -> None:
    user = tmp_path / "user.json"
    configuration = load(user_config=user)
    await configuration.change("heartbeatinterval", "12")
    await configuration.change("LocalPreAuthorize", "TRUE")
    await configuration.change("MeterValuesSampledData", "SoC")
    await configuration.change("DefaultPriceText,de", '{"priceText": "billig"}')
    assert configuration[keys.HeartbeatInterval] == 12
    assert json.loads(user.read_text()) == {
        "Core": {"HeartbeatInterval": 12, "LocalPreAuthorize": True, "MeterValuesSampledData": "SoC"},
        "CostAndPrice": {"DefaultPriceText": {"priceTexts": [{"priceText": "billig", "language": "de"}]}},
    }
    assert load(user_config=user).report() == configuration.report()


async def test_a_price_text_replaces_the_one_of_its_language_and_leaves_the_others() -> None:
    configuration = load()
    for name, text in (("de", "a"), ("en", "b"), ("de", "c")):
        await configuration.change(f"DefaultPriceText,{name}", json.dumps({"priceText": text}))
    assert configuration[keys.DefaultPriceText] == {
        "priceTexts": [{"priceText": "c", "language": "de"}, {"priceText": "b", "language": "en"}]
    }


async def test_a_writable_central_system_uri_answers_reboot_required_and_tells_nobody(tmp_path: Path) -> None:
    write(tmp_path)
    schema = json.loads((tmp_path / "Internal.json").read_text())
    schema["properties"]["CentralSystemURI"]["readOnly"] = False
    (tmp_path / "Internal.json").write_text(json.dumps(schema))
    configuration = load(profile_schemas=tmp_path)
    heard: list[str] = []
    configuration.on_change(lambda name, text: heard.append(name))
    assert await configuration.change("CentralSystemURI", "ws://other/") is ConfigurationStatus.RebootRequired
    assert configuration[keys.CentralSystemURI] == "ws://other/"
    assert heard == []


async def test_unlock_on_disconnect_can_be_closed_by_the_schema_file(tmp_path: Path) -> None:
    write(tmp_path)
    schema = json.loads((tmp_path / "Core.json").read_text())
    schema["properties"]["UnlockConnectorOnEVSideDisconnect"]["readOnly"] = True
    (tmp_path / "Core.json").write_text(json.dumps(schema))
    closed = load(profile_schemas=tmp_path)
    assert await closed.change("UnlockConnectorOnEVSideDisconnect", "false") is ConfigurationStatus.Rejected
    assert await load().change("UnlockConnectorOnEVSideDisconnect", "false") is ConfigurationStatus.Accepted


CUSTOM = {
    "type": "object",
    "properties": {
        "Whole": {"type": "integer", "readOnly": False, "maximum": 9},
        "Broken": {"type": "number", "readOnly": False},
        "Flag": {"type": "boolean", "readOnly": False},
        "List": {"type": "array", "readOnly": False},
        "Object": {"type": "object", "readOnly": False},
        "Fixed": {"type": "string", "readOnly": True},
        "Untold": {"type": "string"},
    },
}


@pytest.mark.parametrize(
    ("name", "text", "status", "value"),
    [
        ("Whole", "9", "Accepted", 9),
        ("Whole", "10", "Rejected", 1),
        ("Whole", "1.5", "Rejected", 1),
        ("Broken", "2.5", "Accepted", 2.5),
        ("Broken", "nan", "Rejected", 1.5),
        ("Flag", "True", "Accepted", True),
        ("Flag", "whatever", "Accepted", False),
        ("List", "a,b", "Rejected", []),
        ("Object", "{}", "Rejected", {}),
        ("Fixed", "x", "Rejected", "f"),
        ("Untold", "x", "NotSupported", "u"),
        ("whole", "1", "NotSupported", None),
    ],
)
async def test_custom_keys_follow_their_schema(tmp_path: Path, name: str, text: str, status: str, value: Any) -> None:
    write(tmp_path)
    (tmp_path / "Custom.json").write_text(json.dumps(CUSTOM))
    custom = {"Whole": 1, "Broken": 1.5, "Flag": True, "List": [], "Object": {}, "Fixed": "f", "Untold": "u"}
    configuration = load(document(Custom=custom), profile_schemas=tmp_path)
    assert (await configuration.change(name, text)).value == status
    assert configuration.custom(name) == value


@pytest.mark.parametrize(
    ("present", "key", "wanted", "certificates", "status"),
    [
        (0, None, "one", True, "Rejected"),
        (1, "x" * 16, "1", True, "Rejected"),
        (2, "x" * 16, "1", True, "Rejected"),
        (0, None, "1", True, "Rejected"),
        (0, None, "2", True, "Rejected"),
        (0, "x" * 16, "1", False, "Accepted"),
        (1, "x" * 16, "2", False, "Rejected"),
        (1, "x" * 16, "2", True, "Accepted"),
        (0, None, "3", False, "Rejected"),
        (0, None, "3", True, "Accepted"),
        (3, "x" * 16, "4", True, "Rejected"),
    ],
)
async def test_the_security_profile_only_rises_and_only_with_what_it_needs(
    present: int, key: str | None, wanted: str, certificates: bool, status: str
) -> None:
    security = {"SecurityProfile": present} | ({} if key is None else {"AuthorizationKey": key})
    configuration = load(document(Security=security))

    async def check(profile: int) -> bool:
        return certificates

    configuration.security_profile_check = check
    assert (await configuration.change("SecurityProfile", wanted)).value == status


async def test_without_somebody_who_knows_the_certificates_profiles_2_and_3_are_rejected() -> None:
    configuration = load(document(Security={"AuthorizationKey": "x" * 16}))
    assert await configuration.change("SecurityProfile", "2") is ConfigurationStatus.Rejected


@pytest.mark.parametrize(
    ("stored", "password"),
    [
        ("4142434445464748", b"4142434445464748"),
        ("12345678abcd", b"12345678abcd"),
        ("00" * 20, bytes(20)),
        ("fF" * 16, b"\xff" * 16),
        ("a" * 33, b"a" * 33),
        ("a" * 31, b"a" * 31),
        ("a" * 30, b"a" * 30),
        ("a" * 42, b"a" * 42),
        ("g" * 40, b"g" * 40),
        ("pässwort", "pässwort".encode()),
    ],
)
def test_an_authorization_key_of_32_to_40_hex_digits_stands_for_bytes(stored: str, password: bytes) -> None:
    assert authorization_key_bytes(stored) == password


async def test_a_short_authorization_key_is_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await load().change("AuthorizationKey", "x" * 16)
        assert "fewer than" not in caplog.text
        await load().change("AuthorizationKey", "secret-pass")
    assert "AuthorizationKey has fewer than 16 characters" in caplog.text
    assert "secret-pass" not in caplog.text


async def test_listeners_hear_the_keys_own_spelling_and_the_text_as_sent_when_all_is_stored(tmp_path: Path) -> None:
    user = tmp_path / "user.json"
    configuration = load(user_config=user)
    heard: list[tuple[str, str, int, bool]] = []

    def listen(name: str, text: str) -> None:
        heard.append((name, text, configuration[keys.HeartbeatInterval], "HeartbeatInterval" in user.read_text()))

    configuration.on_change(listen)
    await configuration.change("HEARTBEATINTERVAL", "+7")
    await configuration.change("HeartbeatInterval", "x")
    await configuration.change("NumberOfConnectors", "1")
    assert heard == [("HeartbeatInterval", "+7", 7, True)]


async def test_a_listener_that_fails_hides_the_change_from_nobody(caplog: pytest.LogCaptureFixture) -> None:
    configuration = load()
    heard: list[str] = []

    def fail(name: str, text: str) -> None:
        raise RuntimeError("no")

    configuration.on_change(fail)
    configuration.on_change(lambda name, text: heard.append(name))
    assert await configuration.change("HeartbeatInterval", "7") is ConfigurationStatus.Accepted
    assert heard == ["HeartbeatInterval"]
    assert "a listener failed" in caplog.text


async def test_a_value_that_cannot_be_written_is_rejected_and_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = load(user_config=tmp_path / "user.json")

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_durably", full)
    assert await configuration.change("HeartbeatInterval", "7") is ConfigurationStatus.Rejected
    assert configuration[keys.HeartbeatInterval] == 3600
    assert "No space left" in caplog.text
    with pytest.raises(ConfigurationError, match="cannot be written"):
        await configuration.store(keys.HeartbeatInterval, 7)


async def test_changes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    user = tmp_path / "user.json"
    configuration = load(user_config=user)
    names = ("HeartbeatInterval", "ConnectionTimeOut", "ResetRetries", "LightIntensity", "MeterValueSampleInterval")
    async with asyncio.TaskGroup() as group:
        for number, name in enumerate(names):
            group.create_task(configuration.change(name, str(number)))
    assert json.loads(user.read_text())["Core"] == {name: number for number, name in enumerate(names)}


async def test_a_cancelled_change_leaves_disk_and_memory_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = tmp_path / "user.json"
    configuration = load(user_config=user)
    writing, go_on = asyncio.Event(), threading.Event()
    loop, really_write = asyncio.get_running_loop(), files.write_durably

    def slow(path: Path, content: bytes) -> None:
        loop.call_soon_threadsafe(writing.set)
        go_on.wait(5)
        really_write(path, content)

    monkeypatch.setattr(files, "write_durably", slow)
    task = asyncio.create_task(configuration.change("HeartbeatInterval", "7"))
    await writing.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert json.loads(user.read_text()) == {"Core": {"HeartbeatInterval": 7}}
    assert configuration[keys.HeartbeatInterval] == 7


async def test_the_station_writes_without_regard_to_access_and_without_listeners(tmp_path: Path) -> None:
    user = tmp_path / "user.json"
    configuration = load(user_config=user)
    heard: list[str] = []
    configuration.on_change(lambda name, text: heard.append(name))
    await configuration.store(keys.HeartbeatInterval, 42)
    await configuration.store(keys.MeterPublicKeys, ("a", "b"))
    await configuration.store(keys.ChargePointModel, "M2")
    assert json.loads(user.read_text()) == {
        "Core": {"HeartbeatInterval": 42},
        "Internal": {"MeterPublicKeys": ["a", "b"], "ChargePointModel": "M2"},
    }
    assert configuration[keys.MeterPublicKeys] == ("a", "b")
    assert heard == []
    with pytest.raises(ConfigurationError, match=r"Core\.HeartbeatInterval: cannot be -1; use an integer"):
        await configuration.store(keys.HeartbeatInterval, -1)


async def test_who_set_a_value_last_and_when_is_known(tmp_path: Path) -> None:
    base, user = tmp_path / "base.json", tmp_path / "user.json"
    base.write_text(json.dumps(RICH))
    user.write_text('{"Core": {"BlinkRepeat": 2}}')
    configuration = Configuration.load(base, user_config=user, clock=FixedClock())
    await configuration.change("HeartbeatInterval", "7")
    await configuration.change("ResetRetries", "7", source=Source.API)
    await configuration.store(keys.ConnectionTimeOut, 5)
    again = Configuration.load(base, user_config=user)
    for loaded in (configuration, again):
        assert loaded.origin(keys.HeartbeatInterval) == (Source.CSMS, NOW, user)
        assert loaded.origin(keys.ResetRetries) == (Source.API, NOW, user)
        assert loaded.origin(keys.ConnectionTimeOut) == (Source.STATION, NOW, user)
        assert loaded.origin(keys.BlinkRepeat) == (Source.USER, None, user)
        assert loaded.origin(keys.LocalPreAuthorize) == (Source.FILE, None, base)
        assert loaded.origin(keys.SupplyVoltage) == (Source.DEFAULT, None, None)


async def test_a_key_is_explained_in_any_case_without_showing_the_password() -> None:
    configuration = load()
    explained = configuration.explain("heartbeatinterval")
    assert explained is not None
    assert (explained.name, explained.value, explained.default) == ("HeartbeatInterval", "3600", None)
    assert explained.expected == "an integer, at least 0"
    await configuration.change("AuthorizationKey", "x" * 20)
    secret = configuration.explain("AuthorizationKey")
    assert secret is not None
    assert secret.value == "(hidden)"
    assert configuration.explain("Nonsense") is None
