"""Its handlers raise: a command, a variable callback, an error callback, the ready and the shutdown callback."""

import sys
import threading

from everest.framework import Module, RuntimeSession


class PyFaulty:
    def __init__(self):
        self._mod = Module(RuntimeSession())
        setup = self._mod.say_hello()
        self._where = setup.configs.module["where"]
        self._sinks = setup.connections["sink"]
        self._mod.implement_command("main", "fail", self._fail)
        self._mod.implement_command("main", "call_sink", self._call_sink)
        self._mod.implement_command("main", "odd", lambda args: {1, 2})
        self._mod.implement_command("main", "works", lambda args: True)
        for sink in self._sinks:
            self._mod.subscribe_variable(sink, "noted", self._noted)
            self._mod.subscribe_all_errors(sink, self._raised, lambda error: None)
        self._mod.shutdown_handler(lambda: self._raise_if("shutdown"))
        self._mod.init_done(lambda: self._raise_if("ready"))

    def _raise_if(self, where):
        if self._where == where:
            raise LookupError(f"raised in {where}")
        if self._where == "exit":
            sys.exit("this is no way to end")

    def _fail(self, args):
        raise ValueError(args["reason"])

    def _call_sink(self, args):
        self._mod.call_command(self._sinks[0], "store", {"key": args["key"], "value": 1})

    def _noted(self, value):
        if value == "bad":
            raise ValueError("raised in variable")

    def _raised(self, error):
        raise ValueError(f"raised in error {error.type}")


faulty = PyFaulty()
threading.Event().wait()
