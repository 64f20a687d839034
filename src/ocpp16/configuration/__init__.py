"""Configuration of the charge point: the table of keys, files with overlay, ChangeConfiguration and GetConfiguration.

    keys.py         the table             key.py       what a row is        measurands.py   measurand lists
    schemas.py      JSON schemas          files.py     JSON files           loading.py      the start sequence
    checks.py       texts from the CSMS   report.py    texts for the CSMS   configuration.py    all of it while running

Must not import: any capability, connection, store.
"""

from ocpp16.configuration import keys
from ocpp16.configuration.checks import authorization_key_bytes
from ocpp16.configuration.configuration import Configuration, Explanation, SecurityProfileCheck
from ocpp16.configuration.files import Origin, Source
from ocpp16.configuration.key import Access, Effect, Key, Kind
from ocpp16.configuration.measurands import Wanted, parse_measurands

__all__ = [
    "Access",
    "Configuration",
    "Effect",
    "Explanation",
    "Key",
    "Kind",
    "Origin",
    "SecurityProfileCheck",
    "Source",
    "Wanted",
    "authorization_key_bytes",
    "keys",
    "parse_measurands",
]
