"""Kazoo's recipes, told to one server, with what came of them on standard
output: a line for each fact, the same on every run against any server that
behaves as ZooKeeper does. Usage: recipes.py HOST:PORT"""

import queue
import socket
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException
from kazoo.recipe.barrier import DoubleBarrier
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.recipe.watchers import PatientChildrenWatch
from kazoo.security import make_acl, make_digest_acl

PATIENCE = 20  # seconds that anything may take


def say(*words):
    print(*words, flush=True)


def await_true(fact, what):
    end = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > end:
            raise SystemExit("gave up waiting for " + what)
        time.sleep(0.01)


def failure(f, *args, **kw):
    """The name of the exception a call ends with."""
    try:
        f(*args, **kw)
    except KazooException as e:
        return type(e).__name__
    return "no error"


class Clients:
    """Connected clients that end with the section that asked for them."""

    def __init__(self, hosts):
        self.hosts, self.all = hosts, []

    def new(self, **kw):
        c = KazooClient(hosts=self.hosts, timeout=10.0, **kw)
        c.start(timeout=PATIENCE)
        self.all.append(c)
        return c

    def close(self):
        for c in reversed(self.all):
            c.stop()
            c.close()


def nodes(clients):
    c = clients.new()
    say("create", c.create("/n/a/b", b"deep", makepath=True))
    path, stat = c.create("/n/with-stat", b"abc", include_data=True)
    say("create with stat", path, stat.version, stat.data_length, stat.czxid == stat.mzxid)
    say("sequence", c.create("/n/s-", sequence=True), c.create("/n/s-", sequence=True, ephemeral=True))
    say("children", sorted(c.get_children("/n")))
    children, stat = c.get_children("/n", include_data=True)
    say("children and stat", len(children), stat.cversion, stat.numChildren)
    say("get", c.get("/n/a/b")[0], c.exists("/n/nothing"))
    stat = c.set("/n/a/b", b"deeper", version=0)
    say("set", stat.version, stat.last_modified_transaction_id > stat.creation_transaction_id)
    say("bad version", failure(c.set, "/n/a/b", b"x", version=0))
    say("no node", failure(c.get, "/n/nothing"), failure(c.delete, "/n/nothing"))
    say("exists", failure(c.create, "/n/a"), "not empty", failure(c.delete, "/n/a"))
    say("child of ephemeral", failure(c.create, "/n/s-0000000003/x"))
    big = b"x" * 900_000
    c.create("/n/big", big)
    say("big", c.get("/n/big")[0] == big)
    say("sync", c.sync("/n"))
    c.delete("/n", recursive=True)
    say("deleted", c.exists("/n"))


def words(clients):
    c = clients.new()
    say("ruok", c.command(b"ruok"), "isro", c.command(b"isro"))
    say("version", c.server_version())


def acls(clients):
    open_client = clients.new()
    mine = clients.new(auth_data=[("digest", "me:secret")], default_acl=[make_digest_acl("me", "secret", all=True)])
    mine.create("/acl", b"private")
    say("owner", mine.get("/acl")[0], "other", failure(open_client.get, "/acl"))
    say("acl", [(str(a.id.id), a.perms) for a in mine.get_acls("/acl")[0]])
    mine.set_acls("/acl", [make_acl("world", "anyone", read=True), make_digest_acl("me", "secret", all=True)])
    say("readable", open_client.get("/acl")[0], failure(open_client.set, "/acl", b"x"))
    say("seen by others", [(a.id.scheme, a.id.id, a.perms) for a in open_client.get_acls("/acl")[0]])
    open_client.add_auth("digest", "me:secret")
    say("proved", open_client.set("/acl", b"y").version)
    mine.delete("/acl")
    say("unknown scheme", failure(open_client.add_auth, "nonsense", "x"))


def transactions(clients):
    c = clients.new()
    c.create("/t")
    t = c.transaction()
    t.create("/t/a", b"1")
    t.create("/t/s-", sequence=True)
    t.set_data("/t/a", b"2", version=0)
    t.check("/t/a", version=1)
    results = t.commit()
    say("committed", [getattr(r, "version", r) for r in results])
    t = c.transaction()
    t.create("/t/b")
    t.delete("/t/nothing")
    t.create("/t/c")
    say("rolled back", [type(r).__name__ for r in t.commit()], c.exists("/t/b"))
    with c.transaction() as t:
        t.delete("/t/a")
        t.create("/t/a", b"again")
    say("again", c.get("/t/a")[0])
    c.delete("/t", recursive=True)


def locks(clients):
    a, b = clients.new(), clients.new()
    first, second = a.Lock("/lock", "first"), b.Lock("/lock", "second")
    say("first", first.acquire(), "second at once", second.acquire(blocking=False))
    say("second with patience", failure(second.acquire, timeout=0.2))
    got = threading.Event()

    def take():
        with second:
            got.set()

    t = threading.Thread(target=take)
    t.start()
    await_true(lambda: first.contenders() == ["first", "second"], "two contenders")
    say("contenders", first.contenders(), got.is_set())
    first.release()
    say("second after release", got.wait(PATIENCE))
    t.join()
    first.acquire()
    t = threading.Thread(target=take)
    got.clear()
    t.start()
    await_true(lambda: len(second.contenders()) == 2, "two contenders again")
    a.stop()
    say("second after the holder's session", got.wait(PATIENCE))
    t.join()
    r1, r2, w = b.ReadLock("/rw", "r1"), b.ReadLock("/rw", "r2"), b.WriteLock("/rw", "w")
    say("readers", r1.acquire(), r2.acquire(), "writer", w.acquire(blocking=False))
    r1.release(), r2.release()
    say("writer then", w.acquire(timeout=PATIENCE))
    w.release()
    s1, s2, s3 = (b.Semaphore("/sem", n, max_leases=2) for n in ("s1", "s2", "s3"))
    say("semaphore", s1.acquire(), s2.acquire(), s3.acquire(blocking=False), sorted(s1.lease_holders()))
    s1.release(), s2.release()


def elections(clients):
    leaders = queue.Queue()
    ends = {}
    threads = []
    for name in ("one", "two", "three"):
        c = clients.new()
        e = c.Election("/election", name)
        ends[name] = threading.Event()

        def lead(name=name):
            leaders.put(name)
            ends[name].wait(PATIENCE)

        t = threading.Thread(target=e.run, args=(lead,))
        t.start()
        threads.append(t)
        await_true(lambda: name in e.contenders(), name)
    say("candidates", e.contenders())
    for _ in ends:
        name = leaders.get(timeout=PATIENCE)
        say("leader", name, "alone", leaders.empty())
        ends[name].set()
    for t in threads:
        t.join(PATIENCE)
    say("election over", e.contenders())


def barriers(clients):
    a, b = clients.new(), clients.new()
    barrier = a.Barrier("/barrier")
    barrier.create()
    say("barrier holds", b.Barrier("/barrier").wait(0.1))
    threading.Timer(0.1, barrier.remove).start()
    say("barrier opens", b.Barrier("/barrier").wait(PATIENCE))
    inside = []

    def enter(c, name):
        d = DoubleBarrier(c, "/double", 2, name)
        d.enter()
        inside.append(name)
        d.leave()

    threads = [threading.Thread(target=enter, args=x) for x in ((a, "a"), (b, "b"))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    say("double barrier", sorted(inside))


def watches(clients):
    c, other = clients.new(), clients.new()
    seen, kids = queue.Queue(), queue.Queue()

    @c.DataWatch("/watched")
    def data(value, stat, event):
        seen.put((value, stat and stat.version, event and event.type))

    def next_data():
        return seen.get(timeout=PATIENCE)

    say("data", next_data())
    other.create("/watched", b"1")
    say("data", next_data())
    other.set("/watched", b"2")
    say("data", next_data())

    @c.ChildrenWatch("/watched")
    def children(names):
        kids.put(sorted(names))

    say("children", kids.get(timeout=PATIENCE))
    other.create("/watched/x")
    say("children", kids.get(timeout=PATIENCE))
    other.create("/watched/y", ephemeral=True)
    say("children", kids.get(timeout=PATIENCE))
    other.stop()
    say("children", kids.get(timeout=PATIENCE))
    c.delete("/watched", recursive=True)
    say("data", next_data())
    c.create("/patient")
    c.create("/patient/x")
    names, changed = PatientChildrenWatch(c, "/patient", 0.1).start().get(timeout=PATIENCE)
    c.create("/patient/y")
    say("patient", names, changed.get(timeout=PATIENCE) > 0)


def counters(clients):
    cs = [clients.new() for _ in range(3)]

    def count(c):
        n = c.Counter("/counter")
        for _ in range(20):
            n += 1

    threads = [threading.Thread(target=count, args=(c,)) for c in cs]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    say("counter", cs[0].Counter("/counter").value)
    parties = [c.Party("/party", "p%d" % i) for i, c in enumerate(cs)]
    for p in parties:
        p.join()
    say("party", sorted(parties[0]), len(parties[1]))
    cs[2].stop()
    say("party", sorted(parties[0]))
    q = cs[0].Queue("/queue")
    for word, priority in ((b"late", 200), (b"first", 1), (b"second", 1)):
        q.put(word, priority)
    say("queue", len(q), q.get(), q.get(), q.get(), q.get())
    lq = cs[1].LockingQueue("/locking")
    lq.put_all([b"a", b"b"])
    say("locking queue", lq.get(PATIENCE), lq.consume(), lq.get(PATIENCE), lq.release(), lq.get(PATIENCE))


def tree_cache(clients):
    c, other = clients.new(), clients.new()
    other.create("/tree/a", b"1", makepath=True)
    events = queue.Queue()
    cache = TreeCache(c, "/tree")
    cache.listen(lambda e: events.put(e))

    def await_event(kind, path):
        while True:
            e = events.get(timeout=PATIENCE)
            if e.event_type == kind and (path is None or e.event_data.path == path):
                return e.event_data and e.event_data.data

    cache.start()
    await_event(TreeEvent.INITIALIZED, None)
    say("cached", sorted(cache.get_children("/tree")), cache.get_data("/tree/a").data)
    other.set("/tree/a", b"2")
    say("updated", await_event(TreeEvent.NODE_UPDATED, "/tree/a"))
    other.create("/tree/a/b", b"3")
    say("added", await_event(TreeEvent.NODE_ADDED, "/tree/a/b"), cache.get_data("/tree/a/b").data)
    other.delete("/tree/a", recursive=True)
    await_event(TreeEvent.NODE_REMOVED, "/tree/a")
    say("removed", cache.get_data("/tree/a"), sorted(cache.get_children("/tree")))
    cache.close()


def sessions(clients):
    c, other = clients.new(), clients.new()
    states = queue.Queue()
    c.add_listener(lambda s: states.put(s))
    c.create("/mine", ephemeral=True)
    before = c.client_id[0]
    seen = queue.Queue()
    c.exists("/awaited", watch=lambda e: seen.put((e.type, e.path)))
    c._connection._socket.shutdown(socket.SHUT_RDWR)
    say("cut", states.get(timeout=PATIENCE), states.get(timeout=PATIENCE))
    say("same session", c.client_id[0] == before, "mine", c.exists("/mine").ephemeralOwner == before)
    # Kazoo does not set watches again after a cut: it tells each of them, and
    # the recipes look again.
    say("watch", seen.get(timeout=PATIENCE))
    gone = queue.Queue()
    other.exists("/mine", watch=lambda e: gone.put(e.type))
    # Who knows a session's id and password can end it. The one it is taken from
    # wants it back, so it may take more than one attempt.
    stolen = c.client_id
    for _ in range(20):
        clients.new(client_id=stolen).stop()
        try:
            say("gone", gone.get(timeout=1))
            break
        except queue.Empty:
            pass
    while states.get(timeout=PATIENCE) != KazooState.LOST:
        pass
    say("then", states.get(timeout=PATIENCE), "another session", c.client_id[0] != before)
    say("mine", c.exists("/mine"))


def main():
    hosts = sys.argv[1]
    for section in (nodes, words, acls, transactions, locks, elections, barriers, watches, counters, tree_cache, sessions):
        say("==", section.__name__)
        clients = Clients(hosts)
        try:
            section(clients)
        finally:
            clients.close()
    say("== done")


main()
