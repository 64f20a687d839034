"""GetConfiguration: what the CSMS sees, in which order and spelling (libocpp 1.6)."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from ocpp16.configuration import Configuration, Key, Kind, keys
from ocpp16.messages import GetConfigurationResponse, KeyValue, check
from tests.support import traces
from tests.support.configurations import document

ALL_SECTIONS = {
    "FirmwareManagement": {"SupportedFileTransferProtocols": "FTP"},
    "LocalAuthListManagement": {"LocalAuthListEnabled": True, "LocalAuthListMaxLength": 5, "SendLocalListMaxLength": 5},
    "Reservation": {"ReserveConnectorZeroSupported": True},
    "SmartCharging": {"ChargeProfileMaxStackLevel": 5},
}
PROFILES = "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging"


def load(**sections: dict[str, Any]) -> Configuration:
    return Configuration.load(document(**sections))


def names(response: GetConfigurationResponse) -> list[str]:
    return [entry.key for entry in response.configuration_key or ()]


def as_document(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The configuration file behind a recorded answer."""
    content: dict[str, dict[str, Any]] = {"Internal": {"MeterPublicKeys": []}}
    for entry in entries:
        if entry["key"].startswith("MeterPublicKey"):
            content["Internal"]["MeterPublicKeys"].append(entry["value"])
        elif "value" in entry:
            key = keys.TABLE[entry["key"]]
            content.setdefault(key.section, {})[key.name] = stored(key, entry["value"])
    return content


def stored(key: Key[Any], text: str) -> Any:
    match key.kind:
        case Kind.BOOLEAN:
            return text == "true"
        case Kind.INTEGER | Kind.NUMBER:
            return int(text)
        case Kind.TEXTS:
            return text.split(key.separator)
    return text


def test_a_real_everest_reports_the_same_keys_in_the_same_order_with_the_same_values() -> None:
    frames = (json.loads(event.frame) for event in traces.ocpp("configuration") if event.frame.startswith("[3"))
    recorded = next(frame[2] for frame in frames if "configurationKey" in frame[2])
    ours = Configuration.load(as_document(recorded["configurationKey"])).report()
    departure_3 = {"VerifyCsmsAllowWildcards"}
    assert names(ours) == [entry["key"] for entry in recorded["configurationKey"]]
    for entry, theirs in zip(ours.configuration_key or (), recorded["configurationKey"], strict=True):
        assert entry.value == theirs.get("value"), entry.key
        assert entry.readonly == theirs["readonly"] or entry.key in departure_3, entry.key


def test_without_names_all_visible_keys_come_by_profile_and_byte_order() -> None:
    configuration = load(Core={"SupportedFeatureProfiles": PROFILES}, **ALL_SECTIONS)
    shown = names(configuration.report())
    assert shown == names(configuration.report([]))
    sections = [keys.TABLE[name].section for name in shown]
    assert list(dict.fromkeys(sections)) == [
        "Internal", "Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging", "Security",
    ]  # fmt: skip
    for section in set(sections):
        inside = [name for name in shown if keys.TABLE[name].section == section]
        assert inside == sorted(inside, key=str.encode)
    assert "BlinkRepeat" not in shown


@pytest.mark.parametrize(
    ("name", "visible_without_profile"),
    [
        ("SupportedFileTransferProtocols", False),
        ("LocalAuthListEnabled", False),
        ("ChargeProfileMaxStackLevel", False),
        ("ReserveConnectorZeroSupported", True),
    ],
)
def test_keys_of_optional_profiles_are_seen_only_with_their_profile(name: str, visible_without_profile: bool) -> None:
    without = load(**ALL_SECTIONS)
    assert (without.report([name]).unknown_key is None) is visible_without_profile
    assert name not in names(without.report())
    active = load(Core={"SupportedFeatureProfiles": PROFILES}, **ALL_SECTIONS)
    assert names(active.report([name])) == [name]
    assert name in names(active.report())


def test_named_keys_keep_the_order_of_the_request_and_their_own_spelling() -> None:
    response = load().report(["zebra", "HEARTBEATINTERVAL", "Nonsense", "chargepointid"])
    assert response == GetConfigurationResponse(
        configuration_key=(
            KeyValue(key="HeartbeatInterval", readonly=False, value="3600"),
            KeyValue(key="ChargePointId", readonly=True, value="cp001"),
        ),
        unknown_key=("zebra", "Nonsense"),
    )


def test_empty_lists_are_left_out() -> None:
    assert load().report(["Nonsense"]).configuration_key is None
    assert load().report(["HeartbeatInterval"]).unknown_key is None


@pytest.mark.parametrize("security", [{}, {"AuthorizationKey": "x" * 20}])
def test_the_authorization_key_is_never_shown(security: dict[str, str]) -> None:
    configuration = load(Security=security)
    assert "AuthorizationKey" not in names(configuration.report())
    assert configuration.report(["authorizationKey"]) == GetConfigurationResponse(unknown_key=("authorizationKey",))
    assert configuration.text("AuthorizationKey") is None


def test_cpo_name_is_listed_without_value_when_unset() -> None:
    entry = KeyValue(key="CpoName", readonly=False)
    assert load().report(["CpoName"]).configuration_key == (entry,)
    assert entry in (load().report().configuration_key or ())
    assert load(Security={"CpoName": "ACME"}).text("CpoName") == "ACME"


def test_values_are_texts() -> None:
    configuration = load(Internal={"CompositeScheduleDefaultLimitAmps": 48.7})
    assert configuration.text("LocalAuthorizeOffline") == "true"
    assert configuration.text("LocalPreAuthorize") == "false"
    assert configuration.text("SupportedCiphers13") == "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"
    assert configuration.text("LogMessagesFormat") == "log,html,session_logging,security"
    assert configuration.text("StopTxnAlignedData") == ""
    assert configuration.text("CompositeScheduleDefaultLimitAmps") == "48"  # DEPARTURE 6
    assert configuration.text("SupplyVoltage") == "230"


def test_public_keys_of_meters_are_numbered_from_one() -> None:
    configuration = load(Internal={"MeterPublicKeys": ["one", "two"]})
    asked = ["MeterPublicKey1", "MeterPublicKey2", "MeterPublicKey3", "MeterPublicKey0", "MeterPublicKey01",
             "meterpublickey1", "MeterPublicKeys", "MeterPublicKey" + "9" * 30]  # fmt: skip
    response = configuration.report(asked)
    assert [(entry.key, entry.value) for entry in response.configuration_key or ()] == [
        ("MeterPublicKey1", "one"),
        ("MeterPublicKey2", "two"),
    ]
    assert list(response.unknown_key or ()) == asked[2:]
    shown = names(configuration.report())
    assert shown.index("MeterPublicKey1") == shown.index("MaxMessageSize") + 1


def price(**content: Any) -> Configuration:
    return load(CostAndPrice={"CustomDisplayCostAndPrice": True, "CustomMultiLanguageMessages": True, **content})


def test_price_texts_are_shown_by_language_and_empty_where_there_is_none() -> None:
    entry = {"priceText": "billig", "language": "de"}
    configuration = price(DefaultPriceText={"priceTexts": [entry]}, DefaultPrice={"priceText": "x"})
    assert configuration.text("DefaultPriceText,de") == json.dumps(entry, indent=2)
    assert configuration.text("DefaultPriceText,fr") == ""
    assert configuration.text("DefaultPrice") == '{\n  "priceText": "x"\n}'
    assert configuration.report(["DefaultPriceText", "DefaultPriceText,"]).configuration_key is None
    shown = names(configuration.report())
    assert [name for name in shown if name.startswith("DefaultPriceText")] == ["DefaultPriceText,de"]
    assert price().text("DefaultPriceText,de") == ""


def test_price_texts_are_unknown_without_the_multi_language_switch() -> None:
    configuration = price(CustomMultiLanguageMessages=False, DefaultPriceText={})
    assert configuration.report(["DefaultPriceText,de"]).unknown_key == ("DefaultPriceText,de",)


def test_custom_keys_are_case_sensitive() -> None:
    configuration = load(Custom={"ExampleConfigurationKey": "x", "Other": 5})
    response = configuration.report(["ExampleConfigurationKey", "exampleconfigurationkey", "Other"])
    assert response.configuration_key == (KeyValue(key="ExampleConfigurationKey", readonly=False, value="x"),)
    assert response.unknown_key == ("exampleconfigurationkey", "Other")
    assert names(configuration.report())[-1] == "ExampleConfigurationKey"


def test_a_value_that_is_too_long_for_the_message_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    configuration = load(Internal={"ConnectorEvseIds": ",".join(["DE*ICE*E1234"] * 60)})
    with caplog.at_level(logging.WARNING):
        response = configuration.report()
    check(response)  # DEPARTURE 4
    assert KeyValue(key="ConnectorEvseIds", readonly=False) in (response.configuration_key or ())
    assert "leaves out the value of ConnectorEvseIds" in caplog.text


def test_a_language_that_makes_the_key_too_long_is_left_out() -> None:
    texts = {"priceTexts": [{"priceText": "x", "language": "l" * 60}]}
    check(price(DefaultPriceText=texts).report())


def test_more_names_than_the_maximum_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    configuration = load(Core={"GetConfigurationMaxKeys": 2})
    assert names(configuration.report(["ResetRetries", "HeartbeatInterval", "ConnectionTimeOut"])) == [
        "ResetRetries",
        "HeartbeatInterval",
    ]
    assert "GetConfigurationMaxKeys is 2" in caplog.text
    assert len(names(configuration.report())) > 2
