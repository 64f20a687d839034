"""Scenario files: everyday situations of a charging station, written in YAML, played and judged.

    cli.py       `everest-manager scenario`       run.py      one scenario from start to end
    reading.py   YAML -> model.py, by steps.py, vocabulary.py and schemas.py (OCPP's words, the car's)
    stack.py     the station's names; its configuration as the scenario changes it (settings.py)
    player.py    doing the steps                  expectations.py, matching.py, unmet.py judge
    station.py   the stack, on a bus of bus.py    watch.py    what passes on the bus
    csms.py      the central system; server.py its websocket
    files.py     firmware and logs; file_server.py over http
    report.py    text and JUnit XML               clock.py, chance.py         time and lots

May import: everest.manager, everest.trace, everest.runtime. Modules and ocpp16 are not known by name.
"""
