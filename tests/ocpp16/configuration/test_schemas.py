"""The JSON schemas ship as generated, and mean what the table says."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from ocpp16.configuration.schemas import SHIPPED, Schemas, generate, write
from ocpp16.errors import ConfigurationError


def test_the_committed_schemas_are_the_generated_ones(tmp_path: Path) -> None:
    write(tmp_path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        file.name: file.read_text() for file in SHIPPED.iterdir()
    }


def test_all_schemas_are_valid_draft_07() -> None:
    for document in generate().values():
        assert document["$schema"] == "http://json-schema.org/draft-07/schema#"
        jsonschema.Draft7Validator.check_schema(document)


def test_unknown_keys_are_tolerated_in_three_sections_only() -> None:
    documents = generate()
    closed = {
        name.removesuffix(".json") for name, schema in documents.items() if not schema.get("additionalProperties", True)
    }
    assert closed == {
        "Config", "Internal", "Core", "FirmwareManagement", "LocalAuthListManagement", "Reservation", "SmartCharging",
    }  # fmt: skip


def test_the_shipped_custom_schema_has_one_example_key() -> None:
    assert generate()["Custom.json"]["properties"] == {"ExampleConfigurationKey": {"type": "string", "readOnly": False}}


def test_access_flags_in_the_files_follow_the_table() -> None:
    schemas = Schemas(SHIPPED)
    assert schemas.read_only("Internal", "CentralSystemURI") is True
    assert schemas.read_only("Core", "UnlockConnectorOnEVSideDisconnect") is False
    assert schemas.read_only("Core", "Nothing") is None


def test_a_broken_schema_file_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "Core.json").write_text('{"type": 5}')
    with pytest.raises(ConfigurationError, match=r"Core\.json: not a readable JSON schema"):
        Schemas(tmp_path)
    (tmp_path / "Core.json").unlink()
    with pytest.raises(ConfigurationError, match=r"Core\.json"):
        Schemas(tmp_path)
