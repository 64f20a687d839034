import threading

from everest.framework import Module, RuntimeSession, log


class PyDoubler:
    def __init__(self):
        self._session = RuntimeSession()  # keep a reference for the life of the module
        self._mod = Module(self._session)
        log.update_process_name(self._mod.info.id)
        setup = self._mod.say_hello()
        self._factor = setup.configs.module["factor"]
        self._sinks = setup.connections["log_sink"]
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._mod.implement_command("main", "double", self._double)
        if hasattr(self._mod, "shutdown_handler"):
            self._mod.shutdown_handler(self._stop.set)
        self._mod.init_done(self._ready.set)

    def _double(self, args):
        y = args["x"] * self._factor
        self._mod.publish_variable("main", "last", y)
        return y

    def run(self):
        self._ready.wait()
        log.info("running")
        for sink in self._sinks:
            self._mod.call_command(sink, "store", {"key": "doubler", "value": "up"})
        self._stop.wait()


PyDoubler().run()
