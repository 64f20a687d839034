"""The start sequence: what is merged, what is inserted, and what stops the start with which words (libocpp 1.3)."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from ocpp16.configuration import Configuration, Source, keys
from ocpp16.configuration.schemas import write
from ocpp16.errors import ConfigurationError
from tests.support.configurations import document


def refused(content: Any, **options: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        Configuration.load(content, **options)
    return str(error.value)


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_user_config_lies_over_the_base_file_as_a_merge_patch(tmp_path: Path) -> None:
    base = written(tmp_path / "base.json", document(Core={"BlinkRepeat": 3, "LightIntensity": 5}))
    user = written(tmp_path / "user.json", {"Core": {"HeartbeatInterval": 7, "BlinkRepeat": None}})
    configuration = Configuration.load(base, user_config=user)
    assert configuration[keys.HeartbeatInterval] == 7
    assert keys.BlinkRepeat not in configuration
    assert configuration[keys.LightIntensity] == 5


def test_the_number_of_connectors_of_the_caller_lies_below_the_user_config(tmp_path: Path) -> None:
    assert Configuration.load(document(), number_of_connectors=4)[keys.NumberOfConnectors] == 4
    user = written(tmp_path / "user.json", {"Core": {"NumberOfConnectors": 6}})
    assert Configuration.load(document(), number_of_connectors=4, user_config=user)[keys.NumberOfConnectors] == 6


def test_an_absent_user_config_is_created_empty(tmp_path: Path) -> None:
    Configuration.load(document(), user_config=tmp_path / "user.json")
    assert json.loads((tmp_path / "user.json").read_text()) == {}


def test_a_user_config_in_a_missing_folder_stops_the_start(tmp_path: Path) -> None:
    text = refused(document(), user_config=tmp_path / "missing" / "user.json")
    assert "user.json: the user config cannot be created" in text
    assert "create the folder" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1, column 2: not valid JSON"),
        ('{"a": 1,\n "b" 2}', "line 2, column 6: not valid JSON"),
        ("[]", "holds no JSON object"),
        ('{"Core": {"HeartbeatInterval": NaN}}', "NaN is no JSON number"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_a_broken_file_is_named_with_line_and_column(tmp_path: Path, content: str, words: str) -> None:
    base = written(tmp_path / "base.json", content)
    assert str(base) in refused(base)
    assert words in refused(base)
    assert words in refused(document(), user_config=base)


def test_a_file_that_is_not_utf_8_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b'{"a": "\xff"}')
    assert "latin.json: not UTF-8" in refused(tmp_path / "latin.json")
    assert "none.json: cannot be read" in refused(tmp_path / "none.json")


def test_defaults_are_inserted_in_sections_that_are_there_only() -> None:
    configuration = Configuration.load(document(SmartCharging={"ChargeProfileMaxStackLevel": 3}))
    assert keys.RetryBackoffRandomRange in configuration
    assert keys.MaxChargingProfilesInstalled in configuration
    assert keys.ISO15118CertificateManagementEnabled not in configuration
    assert configuration.origin(keys.RetryBackoffRandomRange).source is Source.DEFAULT


def test_the_security_section_is_a_must_though_its_key_has_a_default() -> None:
    assert Configuration.load(document() | {"Security": {}})[keys.SecurityProfile] == 0
    without = {name: content for name, content in document().items() if name != "Security"}
    assert "top level: 'Security' is a required property; add it" in refused(without)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"Core": {"HeartbeatInterval": "often"}},
         "Core.HeartbeatInterval: 'often' is not of type 'integer'; it must be an integer, at least 0"),
        ({"Core": {"HeartbeatInterval": -1}}, "Core.HeartbeatInterval: -1 is less than the minimum of 0"),
        ({"Core": {"HeartBeatInterval": 5}}, "did you mean HeartbeatInterval?"),
        ({"Core": {"Something": 5}}, "'Something' was unexpected); remove it"),
        ({"Internal": {"ChargePointModel": "x" * 21}}, "Internal.ChargePointModel"),
        ({"Sound": {}}, "'Sound' was unexpected); remove it"),
        ({"Security": {"AuthorizationKey": "1234567"}}, "Security.AuthorizationKey"),
        ({"SmartCharging": {}}, "'ChargeProfileMaxStackLevel' is a required property; add it"),
        ({"Core": {"SupportedFeatureProfiles": "Core, RemoteTrigger"}}, "unknown feature profile ' RemoteTrigger'"),
        ({"Core": {"SupportedFeatureProfiles": "RemoteTrigger"}}, "Core.SupportedFeatureProfiles: Core is missing"),
        ({"Internal": {"SupportedMeasurands": "Energy"}}, "Internal.SupportedMeasurands: 'Energy' is no measurand"),
        ({"Core": {"StopTxnSampledData": "RPM"}}, "Core.StopTxnSampledData: RPM is not in SupportedMeasurands"),
        ({"Core": {"MeterValuesAlignedData": "Voltage, SoC"}}, "Core.MeterValuesAlignedData: ' SoC' is no measurand"),
    ],
)  # fmt: skip
def test_wrong_content_stops_the_start_with_key_and_fix(sections: dict[str, Any], words: str) -> None:
    assert words in refused(document(**sections))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    text = refused(document(Core={"HeartbeatInterval": -1, "ResetRetries": True}, Sound={}))
    assert len(text.splitlines()) == 3


def test_an_error_names_the_file_that_holds_the_value(tmp_path: Path) -> None:
    base = written(tmp_path / "base.json", document())
    user = written(tmp_path / "user.json", {"Core": {"HeartbeatInterval": -1}})
    assert refused(base, user_config=user).startswith(str(user))


@pytest.mark.parametrize("secret", ["hunter2", "correct horse" * 40])
def test_a_password_is_not_shown_in_errors(secret: str) -> None:
    text = refused(document(Security={"AuthorizationKey": secret}))
    assert "Security.AuthorizationKey" in text
    assert secret not in text


def test_internal_and_security_are_always_active_and_others_by_their_section() -> None:
    plain = Configuration.load(document())
    assert plain.active_profiles == {"Core", "RemoteTrigger", "Internal", "Security"}
    more = Configuration.load(document(PnC={"ISO15118PnCEnabled": True, "ContractValidationOffline": True}, Custom={}))
    assert more.active_profiles - plain.active_profiles == {"PnC", "Custom"}


def test_a_named_profile_without_its_section_is_not_active_and_said_so(caplog: pytest.LogCaptureFixture) -> None:
    core = {"SupportedFeatureProfiles": "Core,SmartCharging,LocalAuthListManagement,Reservation"}
    with caplog.at_level(logging.ERROR):
        configuration = Configuration.load(document(Core=core))
    assert {"SmartCharging", "LocalAuthListManagement"}.isdisjoint(configuration.active_profiles)
    assert "Reservation" in configuration.active_profiles
    assert "SmartCharging is not active: its section is missing" in caplog.text
    assert configuration.text("SupportedFeatureProfiles") == core["SupportedFeatureProfiles"]


def test_a_custom_section_without_its_schema_stops_the_start(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "Custom.json").unlink()
    text = refused(document(Custom={"ExampleConfigurationKey": "x"}), profile_schemas=tmp_path)
    assert "put a Custom.json" in text


def test_the_ready_configurations_load() -> None:
    folder = Path(__file__).parents[3] / "config" / "ocpp"
    files = sorted(folder.glob("*.json"))
    assert files
    for file in files:
        Configuration.load(file)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("MeterValuesSampledData", "Voltage,SoC"),
        ("StopTxnSampledData", "Voltage,SoC"),
        ("ConnectorPhaseRotation", "0.RST,1.RST"),
        ("SupportedFeatureProfiles", "Core,RemoteTrigger"),
    ],
)
def test_lists_longer_than_their_limit_are_warned_of_and_do_not_stop_the_start(
    caplog: pytest.LogCaptureFixture, key: str, value: str
) -> None:
    def start(limit: int) -> str:
        caplog.clear()
        Configuration.load(document(Core={key: value, f"{key}MaxLength": limit}))
        return caplog.text

    assert f"Core.{key}: 2 items, but {key}MaxLength is 1; shorten the list or raise the limit" in start(1)
    assert start(2) == ""
