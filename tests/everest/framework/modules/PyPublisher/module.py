"""Publishes from several threads at once; also shows a module that is one function."""

import threading

from everest.framework import Module, RuntimeSession, log


def main():
    module = Module(RuntimeSession())

    def publish(thread, count):
        for number in range(count):
            module.publish_variable("main", "item", (thread, number))

    def burst(args):
        threads = [threading.Thread(target=publish, args=(n, args["count"])) for n in range(args["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        log.debug(f"published {args['threads'] * args['count']} values")
        return args["threads"] * args["count"]

    done = threading.Event()
    module.implement_command("main", "burst", burst)
    module.shutdown_handler(done.set)
    module.init_done(None)
    done.wait()


main()
