"""The command `ocpp16`: configuration, queue and transactions for people, and a standalone charge point.

    main.py          the tree of commands, errors, exit statuses     output.py       tables and texts
    config.py        config explain, list, get, set, check           queue.py        queue ..., transactions list
    charge_point.py  the standalone charge point (libocpp 10)

Never imported by the library: rich stays out of module processes.
"""
