"""Errors raised, cleared and followed; configuration read, changed and followed."""

import threading

from everest.framework import Module, RuntimeSession, error, log


class PyKeeper:
    def __init__(self):
        self.session = RuntimeSession()
        self.mod = Module(self.session)
        log.update_process_name(self.mod.info.id)
        setup = self.mod.say_hello()
        self.limit = setup.configs.implementations["main"]["limit"]
        self.doubler = setup.connections["doubler"][0]
        self.values = []
        self.seen = []
        self.stop = threading.Event()
        self.factory = self.mod.get_error_factory("main")
        self.monitor = self.mod.get_error_state_monitor_impl("main")
        for name in ("keep", "report", "empty", "change"):
            self.mod.implement_command("main", name, getattr(self, name))
        for peer in setup.connections["peer"]:
            self.mod.subscribe_error(peer, "keeper/OverLimit", self.on_raised, self.on_cleared)
        self.mod.register_config_change_handler("main", "limit", self.on_limit)
        self.mod.register_config_change_handler(impl_id="!module", param_name="mode", handler=self.on_mode)
        self.mod.shutdown_handler(self.stop.set)
        self.mod.init_done()
        self.stop.wait()

    def keep(self, args):
        self.values.append(self.mod.call_command(self.doubler, "double", {"x": 1}))
        self.mod.publish_variable("main", "count", len(self.values))
        if len(self.values) > self.limit and not self.monitor.is_error_active("keeper/OverLimit", ""):
            e = self.factory.create_error("keeper/OverLimit", "", f"{len(self.values)} kept", error.Severity.High)
            self.mod.raise_error("main", e)
        return len(self.values)

    def empty(self, args):
        self.values.clear()
        self.mod.clear_error("main", "keeper/OverLimit")

    def report(self, args):
        return {
            "limit": self.limit,
            "seen": list(self.seen),
            "stored": self.mod.get_config_value(self.mod.info.id, "limit", "main"),
            "mode": self.mod.get_config_value(self.mod.info.id, param_name="mode"),
            "weight": self.mod.get_config_value(self.mod.info.id, "weight", "main"),
        }

    def change(self, args):
        return self.mod.set_config_value(self.mod.info.id, args["name"], args["value"], "main")

    def on_limit(self, value):
        if value == "13":
            raise ValueError("an unlucky number")
        if value == "0":
            return {"status": "Rejected", "reason": "nothing would fit in"}
        if value == "1":
            return {}
        self.limit = int(value)
        return {"status": "Accepted", "reason": ""}

    def on_mode(self, value):
        return {"status": "RebootRequired", "reason": "later"}

    def on_raised(self, e):
        self.seen.append(["raised", e.type, e.message, e.severity.name, e.origin.module_id])

    def on_cleared(self, e):
        self.seen.append(["cleared", e.type, e.state.name])


PyKeeper()
