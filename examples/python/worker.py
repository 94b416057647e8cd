#!/usr/bin/env python3
"""A worker of Conclave's durable tasks, in Python.

    worker.py [--url http://127.0.0.1:8080] [--scope shop] [--threads 2]

It does three kinds of tasks. Yours are functions like these: what one returns is the
result, an exception fails the attempt, and the task is tried again.

TERM or ^C ends it in order: it takes nothing more and finishes what it has begun.
"""

import argparse
import signal
import sys
import threading

from conclave import Gateway, Refused, Unanswered, quote


class Discard(Exception):
    """Raised where trying again is no use: the task is dead."""


class Again(Exception):
    """Raised with a number of seconds, to be asked again then: no attempt is used up."""


# The kinds of tasks.


def add(task):
    """Adds numbers."""
    if not isinstance(task.body, list):
        raise Discard("the body must be a list of numbers")
    return sum(task.body)


def greet(task):
    """Has a letter sent to whom it greets, once: the task that follows is submitted
    in the same transaction that records that this one is done."""
    name = task.body["name"]
    task.then.append({"kind": "letter", "body": {"to": name, "text": f"Dear {name}"}})
    return {"greeted": name, "attempt": task.attempt}


def sleep(task):
    """Is long work: it saves how far it is, goes on there in the next attempt, and
    stops when the task is not ours any more."""
    begun = task.saved or 0
    for second in range(begun, task.body):
        print(f"task {task.id}, attempt {task.attempt}: second {second + 1} of {task.body}", flush=True)
        if task.stop.wait(1):
            raise Again(0)
        task.progress(second + 1)
    return {"slept": task.body, "here": task.body - begun}


KINDS = {"add": add, "greet": greet, "sleep": sleep}


class Task:
    """One attempt at a task."""

    def __init__(self, worker, lease):
        self.id, self.kind, self.body = lease["id"], lease["kind"], lease["body"]
        self.attempt = lease["attempt"]  # from 1; an effect that is repeated has a higher one
        self.fence = lease["fence"]  # so has this number, in the whole scope: for databases
        self.meta = lease.get("meta", {})
        self.saved = lease.get("saved")  # what an earlier attempt has saved by progress
        self.then = []  # tasks that follow if all goes well
        self.stop = threading.Event()  # set when the work is to stop
        self.beat = lease["beat"]
        self.path = f"{worker.path}/leases/{lease['lease']}"
        self.gateway = worker.connect()
        self.done = threading.Event()

    def progress(self, data):
        """Saves data for the next attempt, should this one fail."""
        self.shown(lambda: self.gateway.ask("POST", self.path + "/progress", {"data": data}))

    def show_life(self):
        """Heartbeats, in a thread beside the work, on a connection of their own."""
        while not self.done.wait(self.beat / 3):
            self.shown(lambda: self.heart.ask("POST", self.path + "/heartbeat", {}, timeout=self.beat))

    def shown(self, ask):
        try:
            ask()
        except Unanswered:
            pass  # the next one may get through
        except Refused as refused:
            if refused.status in (404, 409):  # cancelled, or another's by now
                print(f"task {self.id}: {refused}", flush=True)
                self.stop.set()

    def run(self, handler, heart):
        """Does the work and says how it ended, until that is recorded."""
        self.heart = heart
        threading.Thread(target=self.show_life, daemon=True).start()
        try:
            result = handler(self)
            verb, said = "complete", {"result": result, "then": self.then}
        except Discard as problem:
            verb, said = "discard", {"error": str(problem)}
        except Again as again:
            verb, said = "again", {"after": again.args[0]}
        except Exception as problem:
            verb, said = "fail", {"error": repr(problem)[:1000]}
        try:
            self.gateway.insist("POST", f"{self.path}/{verb}", said)
            print(f"task {self.id}, attempt {self.attempt}: {verb}", flush=True)
        except (Refused, Unanswered) as problem:
            # Its effects outside may be repeated, with a higher attempt.
            print(f"task {self.id}, attempt {self.attempt}: {verb} was not recorded: {problem}", flush=True)
        finally:
            self.done.set()


class Worker:
    """Takes tasks and does them, in threads."""

    def __init__(self, url, scope, cafile=None):
        self.url, self.cafile = url, cafile
        self.path = "/v1/scopes/" + quote(scope)
        self.leaving = threading.Event()
        self.pollers = []

    def connect(self):
        return Gateway(self.url, cafile=self.cafile)

    def work(self, poller):
        while not self.leaving.is_set():
            try:
                lease = poller.ask("POST", self.path + "/leases", {"kinds": list(KINDS), "wait": 30})
            except (Refused, Unanswered) as problem:
                if not self.leaving.is_set():
                    print(f"no tasks to be had: {problem}", flush=True)
                    self.leaving.wait(1)
                continue
            if lease is None:
                continue  # none came
            task = Task(self, lease)
            if self.leaving.is_set():
                task.gateway.insist("POST", task.path + "/release", {})
            else:
                task.run(KINDS[task.kind], self.connect())

    def leave(self, *_):
        self.leaving.set()

    def run(self, threads):
        signal.signal(signal.SIGTERM, self.leave)
        signal.signal(signal.SIGINT, self.leave)
        self.pollers = [self.connect() for _ in range(threads)]
        team = [threading.Thread(target=self.work, args=[poller]) for poller in self.pollers]
        for thread in team:
            thread.start()
        print(f"waiting for tasks: {', '.join(KINDS)}", flush=True)
        while not self.leaving.wait(0.2):
            pass  # signals are only seen between waits
        for thread, poller in zip(team, self.pollers):
            while thread.is_alive():
                poller.hang_up()  # who waits for a task waits no longer
                thread.join(0.2)


def main():
    flags = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags.add_argument("--url", default="http://127.0.0.1:8080", help="the gateway; its token is read from $CONCLAVE_TOKEN")
    flags.add_argument("--cafile", help="certificates to trust, for https")
    flags.add_argument("--scope", default="shop")
    flags.add_argument("--threads", type=int, default=2, help="how many tasks to do at a time")
    args = flags.parse_args()
    Worker(args.url, args.scope, args.cafile).run(args.threads)


if __name__ == "__main__":
    sys.exit(main())
