import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Curator's recipes, told to one server, with what came of them on standard output: a line for
 * each fact, the same on every run against any server that behaves as ZooKeeper does. Usage:
 * Recipes HOST:PORT
 */
public class Recipes {
    private static final long PATIENCE = 20; // seconds that anything may take

    private interface Section {
        void run() throws Exception;
    }

    private final String servers;
    private final List<CuratorFramework> clients = new ArrayList<>();

    private Recipes(String servers) {
        this.servers = servers;
    }

    private static void say(Object... words) {
        StringBuilder line = new StringBuilder();
        for (Object word : words) {
            line.append(line.length() == 0 ? "" : " ").append(word);
        }
        System.out.println(line);
    }

    private CuratorFramework client() throws Exception {
        CuratorFramework c =
                CuratorFrameworkFactory.newClient(servers, 10_000, 5_000, new ExponentialBackoffRetry(50, 5));
        clients.add(c);
        c.start();
        if (!c.blockUntilConnected((int) PATIENCE, TimeUnit.SECONDS)) {
            throw new IllegalStateException("no connection to " + servers);
        }
        return c;
    }

    private static void await(String what, Callable<Boolean> fact) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
        while (!fact.call()) {
            if (System.nanoTime() > end) {
                throw new IllegalStateException("gave up waiting for " + what);
            }
            Thread.sleep(10);
        }
    }

    private static <T> T next(BlockingQueue<T> queue) throws Exception {
        T x = queue.poll(PATIENCE, TimeUnit.SECONDS);
        if (x == null) {
            throw new IllegalStateException("gave up waiting for an event");
        }
        return x;
    }

    private static String failure(Section s) throws Exception {
        try {
            s.run();
            return "no error";
        } catch (KeeperException e) {
            return e.code().toString();
        }
    }

    /** Ends a client's session: who knows its id and password may. */
    private void endSession(CuratorFramework c) throws Exception {
        ZooKeeper own = c.getZookeeperClient().getZooKeeper();
        CountDownLatch attached = new CountDownLatch(1);
        ZooKeeper second = new ZooKeeper(servers, 10_000, e -> {
            if (e.getState() == Watcher.Event.KeeperState.SyncConnected) {
                attached.countDown();
            }
        }, own.getSessionId(), own.getSessionPasswd());
        if (!attached.await(PATIENCE, TimeUnit.SECONDS)) {
            throw new IllegalStateException("the session could not be taken over");
        }
        second.close();
    }

    private void latch() throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        BlockingQueue<String> changes = new LinkedBlockingQueue<>();
        for (String id : Arrays.asList("one", "two", "three")) {
            LeaderLatch latch = new LeaderLatch(client(), "/latch", id);
            latch.addListener(new LeaderLatchListener() {
                @Override
                public void isLeader() {
                    changes.add(id + " leads");
                }

                @Override
                public void notLeader() {
                    changes.add(id + " no longer");
                }
            });
            latch.start();
            latches.add(latch);
            int expected = latches.size();
            await(id, () -> latch.getParticipants().size() == expected);
            if (expected == 1) {
                say(next(changes));
            }
        }
        say("participants", latches.get(0).getParticipants());
        say("leader as seen by three:", latches.get(2).getLeader().getId());
        latches.get(0).close(LeaderLatch.CloseMode.NOTIFY_LEADER);
        say(next(changes));
        say(next(changes));
        latches.get(1).close();
        say(next(changes));
        say("only", latches.get(2).getParticipants(), latches.get(2).hasLeadership());

        LeaderLatch fourth = new LeaderLatch(client(), "/latch", "four");
        fourth.start();
        await("four", () -> fourth.getParticipants().size() == 2);
        // The holder's session is over: it must hear so, stand again behind the other, and the
        // other lead.
        endSession(clients.get(2));
        say(next(changes));
        await("four to lead", fourth::hasLeadership);
        await("three to stand again", () -> fourth.getParticipants().size() == 2);
        say("after the session's end", fourth.getParticipants());
        fourth.close();
        say(next(changes));
        latches.get(2).close();
    }

    private void selector() throws Exception {
        BlockingQueue<String> leaders = new ArrayBlockingQueue<>(10);
        List<LeaderSelector> selectors = new ArrayList<>();
        CountDownLatch first = new CountDownLatch(1);
        for (String id : Arrays.asList("one", "two", "three")) {
            LeaderSelector s = new LeaderSelector(client(), "/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework c) throws Exception {
                    leaders.add(id);
                    first.await();
                }
            });
            s.setId(id);
            s.start();
            selectors.add(s);
            await(id, () -> s.getParticipants().size() == selectors.size());
        }
        first.countDown();
        say("leaders in turn", next(leaders), next(leaders), next(leaders));
        for (LeaderSelector s : selectors) {
            s.close();
        }
    }

    private void cache() throws Exception {
        CuratorFramework c = client(), other = client();
        other.create().creatingParentsIfNeeded().forPath("/cache/a", "1".getBytes());
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        CuratorCache cache = CuratorCache.build(c, "/cache");
        CountDownLatch ready = new CountDownLatch(1);
        cache.listenable().addListener(CuratorCacheListener.builder()
                .forCreates(n -> events.add("created " + n.getPath() + " " + new String(n.getData())))
                .forChanges((was, is) -> events.add(
                        "changed " + is.getPath() + " " + new String(was.getData()) + " " + new String(is.getData())))
                .forDeletes(n -> events.add("deleted " + n.getPath()))
                .forInitialized(ready::countDown)
                .build());
        cache.start();
        say("ready", ready.await(PATIENCE, TimeUnit.SECONDS), cache.size());
        cache.stream().map(n -> n.getPath()).sorted().forEach(p -> say("cached", p));
        events.clear();
        other.setData().forPath("/cache/a", "2".getBytes());
        say(next(events));
        other.create().forPath("/cache/a/b", "3".getBytes());
        say(next(events));
        other.create().withMode(CreateMode.EPHEMERAL).forPath("/cache/e", "4".getBytes());
        say(next(events));
        other.delete().forPath("/cache/a/b");
        say(next(events));
        other.close();
        say(next(events));
        CuratorFramework third = client();
        third.delete().deletingChildrenIfNeeded().forPath("/cache");
        say(next(events));
        say(next(events));
        third.create().forPath("/cache", "again".getBytes());
        say(next(events));
        // Persistent watches must outlive a session.
        endSession(c);
        third.create().forPath("/cache/later", "5".getBytes());
        say(next(events));
        say("size", cache.size());
        cache.close();

        PersistentWatcher watcher = new PersistentWatcher(c, "/persistent", false);
        watcher.getListenable().addListener((WatchedEvent e) -> {
            if (e.getPath() != null) {
                events.add(e.getType() + " " + e.getPath());
            }
        });
        watcher.start();
        CountDownLatch set = new CountDownLatch(1);
        // In the background like the watcher's own request, and so behind it.
        c.checkExists().inBackground((f, e) -> set.countDown()).forPath("/");
        set.await(PATIENCE, TimeUnit.SECONDS);
        third.create().forPath("/persistent");
        say(next(events));
        third.setData().forPath("/persistent", "x".getBytes());
        say(next(events));
        third.create().forPath("/persistent/child");
        say(next(events));
        watcher.close();
    }

    private void locks() throws Exception {
        CuratorFramework a = client(), b = client();
        InterProcessMutex first = new InterProcessMutex(a, "/mutex"), second = new InterProcessMutex(b, "/mutex");
        first.acquire();
        say("second at once", second.acquire(100, TimeUnit.MILLISECONDS));
        say("participants", first.getParticipantNodes().size());
        first.release();
        say("second then", second.acquire(PATIENCE, TimeUnit.SECONDS));
        second.release();
        InterProcessReadWriteLock rw = new InterProcessReadWriteLock(a, "/rw"), rw2 = new InterProcessReadWriteLock(b, "/rw");
        rw.readLock().acquire();
        say("second reader", rw2.readLock().acquire(PATIENCE, TimeUnit.SECONDS));
        rw2.readLock().release();
        say("writer", rw2.writeLock().acquire(100, TimeUnit.MILLISECONDS));
        rw.readLock().release();
        say("writer then", rw2.writeLock().acquire(PATIENCE, TimeUnit.SECONDS));
        rw2.writeLock().release();
        Thread[] threads = new Thread[2];
        for (int i = 0; i < threads.length; i++) {
            DistributedAtomicLong n = new DistributedAtomicLong(clients.get(i), "/count", new RetryNTimes(1000, 1));
            threads[i] = new Thread(() -> {
                try {
                    for (int k = 0; k < 50; k++) {
                        if (!n.increment().succeeded()) {
                            throw new IllegalStateException("not counted");
                        }
                    }
                } catch (Exception e) {
                    say("counter", e);
                }
            });
            threads[i].start();
        }
        for (Thread t : threads) {
            t.join();
        }
        say("count", new DistributedAtomicLong(a, "/count", new RetryNTimes(10, 10)).get().postValue());
    }

    private void nodes() throws Exception {
        CuratorFramework c = client(), other = client();
        say("container", c.create().creatingParentContainersIfNeeded().forPath("/parents/child"));
        Stat stat = new Stat();
        say("ttl", c.create().withTtl(60_000).storingStatIn(stat).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/ttl"));
        say("stat", stat.getVersion(), stat.getEphemeralOwner(), stat.getCzxid() == stat.getMzxid());
        String guarded = c.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/guarded-");
        say("protected", guarded.replaceAll("_c_[0-9a-f-]+", "_c_GUID"));
        List<CuratorTransactionResult> results = c.transaction().forOperations(
                c.transactionOp().create().forPath("/multi", "x".getBytes()),
                c.transactionOp().check().withVersion(0).forPath("/multi"),
                c.transactionOp().setData().withVersion(0).forPath("/multi", "y".getBytes()));
        for (CuratorTransactionResult r : results) {
            say("multi", r.getType(), r.getForPath(), r.getError());
        }
        say("multi fails", failure(() -> c.transaction().forOperations(
                c.transactionOp().delete().forPath("/multi"),
                c.transactionOp().delete().forPath("/nothing"))), c.checkExists().forPath("/multi") != null);
        PersistentNode node = new PersistentNode(c, CreateMode.EPHEMERAL, false, "/persistent-node", "x".getBytes());
        node.start();
        say("persistent node", node.waitForInitialCreate(PATIENCE, TimeUnit.SECONDS));
        other.delete().forPath("/persistent-node");
        await("the node again", () -> other.checkExists().forPath("/persistent-node") != null);
        endSession(c);
        await("the node's next session", () -> {
            Stat s = other.checkExists().forPath("/persistent-node");
            return s != null && s.getEphemeralOwner() == c.getZookeeperClient().getZooKeeper().getSessionId();
        });
        say("persistent node again");
        node.close();
        PersistentTtlNode ttl = new PersistentTtlNode(c, "/ttl-node", 10_000, "x".getBytes());
        ttl.start();
        say("ttl node", ttl.waitForInitialCreate(PATIENCE, TimeUnit.SECONDS));
        ttl.close();
        GroupMember one = new GroupMember(c, "/group", "one", "1".getBytes());
        GroupMember two = new GroupMember(other, "/group", "two", "2".getBytes());
        one.start();
        two.start();
        await("two members", () -> one.getCurrentMembers().size() == 2);
        other.close();
        await("one member", () -> one.getCurrentMembers().size() == 1);
        say("members", one.getCurrentMembers().keySet());
        one.close();
    }

    private void section(String name, Section s) throws Exception {
        say("==", name);
        try {
            s.run();
        } finally {
            for (CuratorFramework c : clients) {
                c.close();
            }
            clients.clear();
        }
    }

    public static void main(String[] args) throws Exception {
        Recipes r = new Recipes(args[0]);
        r.section("latch", r::latch);
        r.section("selector", r::selector);
        r.section("cache", r::cache);
        r.section("locks", r::locks);
        r.section("nodes", r::nodes);
        say("== done");
        System.exit(0);
    }
}
