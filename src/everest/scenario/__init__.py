"""Scenario files: everyday situations of a charging station, written in YAML, played and judged.

    cli.py       `everest-manager scenario`     run.py        one scenario from start to end
    reading.py   YAML -> model.py, by steps.py  player.py     doing the steps; expectations.py, matching.py judge
    station.py   the stack, in this process     csms.py       the central system; server.py its websocket
    watch.py     what passes on the bus         report.py     text and JUnit XML; clock.py the wall clock

May import: everest.manager, everest.trace, everest.runtime. Modules and ocpp16 are not known by name.
"""
