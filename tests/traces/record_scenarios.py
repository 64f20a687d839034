"""Renews the recordings of the scenarios, tests/traces/scenarios: `python -m tests.traces.record_scenarios [NAME...]`.

Each file of scenarios/ is played in virtual time and recorded. To keep the recordings small, what the manager retains
is left out, and so are fast readings that no module needs.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from everest.manager import paths
from everest.scenario import reading
from everest.scenario.run import play
from everest.trace import records
from everest.trace.records import BusMessage, Record, Trace
from tests.traces.compact import FAST, compact

RECORDINGS = Path(__file__).parent / "scenarios"
SCENARIOS = sorted((paths.resolve().data_dir / "scenarios").glob("*.yaml"))
LEFT_OUT = (
    *FAST,
    "/evse/var/limits",
    "/ev_manager/var/",
    "/rcd/var/",
    "/energy_grid/var/",
    "/powermeter/var/powermeter",
    "/main/cmd/store/response/evse_manager",
)
METER_REGISTERS = b"_meter"
"""Keys under which the EVSEs keep their registers, twice a second."""


def is_register(record: Record) -> bool:
    """Whether an EVSE has its meter's register kept here."""
    is_store = isinstance(record, BusMessage) and record.topic.endswith("/main/cmd/store")
    return is_store and METER_REGISTERS in record.payload


def made(file: Path) -> Trace:
    """Play a scenario and record it."""
    found: Trace = []
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(reading.load(file), Path(folder), virtual=True, write=found.append)
    if not outcome.passed:
        raise SystemExit(f"{file} does not pass: `everest-manager scenario --virtual {file}` tells why")
    return [record for record in compact(found, Path(folder), LEFT_OUT) if not is_register(record)]


def main(names: list[str]) -> None:
    for file in SCENARIOS:
        if not names or file.stem in names:
            trace = made(file)
            records.save(RECORDINGS / f"{file.stem}.jsonl.gz", trace)
            print(f"{file.stem}: {len(trace)} records")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
