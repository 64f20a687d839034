"""`RuntimeSession` (bus 7.1): what it needs, where it finds the broker, how it logs."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from everest.framework import Module, RuntimeSession, log
from tests.support.mosquitto import free_port, mosquitto, needs_mosquitto, running_mosquitto

__all__ = ["mosquitto"]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A complete environment; what a test changes, `apply` sets."""
    for name in [name for name in os.environ if name.startswith(("EV_", "MQTT_"))]:
        monkeypatch.delenv(name)
    config = tmp_path / "logging.ini"
    config.write_text('[Core]\nFilter="%Severity% >= WARN"\n', encoding="utf-8")
    values = {
        "EV_MODULE": "me",
        "EV_LOG_CONF_FILE": str(config),
        "EV_MQTT_BROKER_HOST": "broker.example",
        "EV_MQTT_BROKER_PORT": "1884",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def test_the_environment_says_where_the_broker_is(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    broker = RuntimeSession()._broker
    assert (broker.host, broker.port, broker.socket_path) == ("broker.example", 1884, None)
    assert (broker.everest_prefix, broker.external_prefix) == ("everest/", "")
    monkeypatch.setenv("EV_MQTT_EVEREST_PREFIX", "my/house")
    monkeypatch.setenv("EV_MQTT_EXTERNAL_PREFIX", "out")
    monkeypatch.setenv("MQTT_SERVER_ADDRESS", "not.read")
    broker = RuntimeSession()._broker
    assert (broker.host, broker.everest_prefix, broker.external_prefix) == ("broker.example", "my/house/", "out")


def test_a_socket_stands_in_for_host_and_port(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EV_MQTT_BROKER_HOST")
    monkeypatch.delenv("EV_MQTT_BROKER_PORT")
    monkeypatch.setenv("EV_MQTT_BROKER_SOCKET_PATH", "/run/broker.sock")
    assert RuntimeSession()._broker.socket_path == "/run/broker.sock"


def test_an_unreadable_port_counts_as_1883(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EV_MQTT_BROKER_PORT", "many")
    assert RuntimeSession()._broker.port == 1883
    assert "many" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["EV_MODULE", "EV_LOG_CONF_FILE", "EV_MQTT_BROKER_HOST", "EV_MQTT_BROKER_PORT"])
def test_a_missing_variable_is_named(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(RuntimeError, match=name):
        RuntimeSession()


def test_the_logging_configuration_must_exist(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EV_LOG_CONF_FILE", "/nowhere/logging.ini")
    with pytest.raises(RuntimeError, match=r"/nowhere/logging\.ini does not exist"):
        RuntimeSession()


def test_the_session_logs_to_stderr_with_label_and_filter(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    root = list(logging.getLogger().handlers)
    RuntimeSession()
    for say in (log.verbose, log.debug, log.info, log.warning, log.error, log.critical):
        say(f"100% {say.__name__}")
    log.update_process_name("a_name_longer_than_fifteen")
    log.warning("renamed")
    captured = capsys.readouterr()
    lines = [line.split(" ", 2)[2] for line in captured.err.splitlines()]
    assert lines == [
        "[WARN] me              100% warning",
        "[ERRO] me              100% error",
        "[CRIT] me              100% critical",
        "[WARN] a_name_longer_t renamed",
    ]
    assert captured.out == "" and logging.getLogger().handlers == root
    assert not caplog.records, "the script's own logging is left alone"


# --- the harness's constructor ---------------------------------------------------------------------------------------


def prefix(tmp_path: Path, settings: str, *, logging_file: str = "etc/everest/default_logging.cfg") -> tuple[str, str]:
    root = tmp_path / "prefix"
    log_config = root / logging_file
    log_config.parent.mkdir(parents=True, exist_ok=True)
    log_config.write_text("[Core]\n", encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(f"settings: {settings}\nactive_modules: {{}}\n", encoding="utf-8")
    return str(root), str(config)


def test_a_harness_names_prefix_and_configuration_and_is_warned(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = "{mqtt_broker_host: other, mqtt_broker_port: 99, mqtt_everest_prefix: a, mqtt_external_prefix: b}"
    broker = RuntimeSession(*prefix(tmp_path, settings))._broker
    assert (broker.host, broker.port, broker.everest_prefix, broker.external_prefix) == ("other", 99, "a/", "b")
    assert "deprecated" in capsys.readouterr().err


def test_a_harness_is_overruled_by_the_managers_variables(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTT_SERVER_ADDRESS", "third")
    monkeypatch.setenv("MQTT_SERVER_PORT", "77")
    where = prefix(tmp_path, "{mqtt_broker_host: other, mqtt_broker_port: 99}")
    assert (RuntimeSession(*where)._broker.host, RuntimeSession(*where)._broker.port) == ("third", 77)
    monkeypatch.setenv("MQTT_SERVER_PORT", "many")
    assert RuntimeSession(*where)._broker.port == 99


def test_a_harness_without_settings_gets_the_defaults(tmp_path: Path, environment: dict[str, str]) -> None:
    broker = RuntimeSession(*prefix(tmp_path, "{logging_config_file: log.ini}", logging_file="log.ini"))._broker
    assert (broker.host, broker.port, broker.everest_prefix) == ("localhost", 1883, "everest/")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("{mqtt_broker_host: a, mqtt_broker_socket_path: /b}", "a broker socket"),
        ("{mqtt_everest_prefix: a, mqtt_external_prefix: a/}", "are both 'a/'"),
        ("{logging_config_file: nowhere.ini}", r"nowhere\.ini does not exist"),
        ("{mqtt_broker_port: soon}", "settings.mqtt_broker_port is 'soon', but has to be int"),
        ("{mqtt_everest_prefix: 5}", "settings.mqtt_everest_prefix is 5, but has to be str"),
        ("{logging_config_file: 5}", "settings.logging_config_file is 5"),
        ("[", "cannot be read"),
    ],
)
def test_a_harness_is_told_what_is_wrong(
    tmp_path: Path, environment: dict[str, str], settings: str, reason: str
) -> None:
    with pytest.raises(RuntimeError, match=reason):
        RuntimeSession(*prefix(tmp_path, settings))


@pytest.mark.skipif(Path("/etc/everest/default_logging.cfg").exists(), reason="this machine has an EVerest in /usr")
def test_the_prefix_usr_has_its_configuration_in_etc(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "c.yaml").write_text("active_modules: {}\n")
    with pytest.raises(RuntimeError, match=r" /etc/everest/default_logging\.cfg does not exist"):
        RuntimeSession("/usr", str(tmp_path / "c.yaml"))


def test_one_argument_alone_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        RuntimeSession("prefix")  # type: ignore[call-overload]


# --- reaching the broker ---------------------------------------------------------------------------------------------


def test_a_broker_that_refuses_is_a_runtime_error_of_the_constructor(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EV_MQTT_BROKER_HOST", "127.0.0.1")
    monkeypatch.setenv("EV_MQTT_BROKER_PORT", str(free_port()))
    with pytest.raises(RuntimeError, match=r"cannot connect to the MQTT broker at 127\.0\.0\.1"):
        Module(RuntimeSession())


@pytest.mark.mosquitto
@needs_mosquitto[1]
def test_a_broker_is_reached_through_its_socket(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everest.runtime.bus.GET_TIMEOUT", 0.05)
    with running_mosquitto(tmp_path, unix_socket=True) as broker:
        monkeypatch.setenv("EV_MQTT_BROKER_SOCKET_PATH", str(broker.socket_path))
        with pytest.raises(RuntimeError, match="no manager answered"):
            Module(RuntimeSession())
