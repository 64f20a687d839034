"""Calls back into its caller from a command handler: a.ask -> b.answer -> a.who, all while a.ask is being handled."""

from threading import Event

from everest.framework import Module, RuntimeSession, log

session = RuntimeSession()
module = Module(session)
log.update_process_name(module.info.id)
peer = module.say_hello().connections["peer"][0]


def ask(args):
    return module.call_command(peer, "answer", {"text": args["text"]})


def answer(args):
    caller = module.call_command(peer, "who", {})
    return f"{args['text']} from {module.info.id} to {caller}"


module.implement_command("main", "ask", ask)
module.implement_command("main", "answer", answer)
module.implement_command("main", "who", lambda args: module.info.id)
stop = Event()
module.shutdown_handler(stop.set)
module.init_done()
stop.wait()
