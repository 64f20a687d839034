"""Scenario files: everyday situations of a charging station, written in YAML, played and judged.

    reading.py  YAML -> model.py        player.py  the steps, one verdict each     station.py  the stack, in this process
    csms.py     the central system      watch.py   what passes on the bus          clock.py    virtual time
    cli.py      `everest-manager scenario`          report.py  text and JUnit XML

May import: everest.manager, everest.trace, everest.runtime. Modules and ocpp16 are not known by name.
"""
