"""What breaks around a guard: workers that die, clocks that jump, names that hang, memory, descriptors and connections that run out. Nothing
passes that should not, and it ends when the fault does."""

import contextlib
import mmap
import os
import random
import resource
import select
import signal
import socket
import struct
import tempfile
import threading
import time

import pytest

from fault import DEEP, SHIM, Faults
from guard import Guard, live, wait_until
from harness import BUILD, parse_reply
from peer import AuthorizationServer, response

WORLD = BUILD / "test" / "libworld.so"
SANITIZED = bool(os.environ.get("ASSAY_LD_PRELOAD"))
FOREVER = "max_age 1h; staleness 1h; inactive_age 1h;"


class Load:
    """Clients that call without pause, each on fresh connections: what they were answered, by token."""

    def __init__(self, guard, tokens, clients=4, path="/api/x"):
        self.guard, self.tokens, self.path = guard, tokens, path
        self.answers, self.lost, self.over = {token: {} for token in tokens}, 0, threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]

    def run(self, seed):
        rng = random.Random(seed)
        while not self.over.is_set():
            token = rng.choice(self.tokens)
            try:
                reply = self.guard.call(self.path, token=token)
            except OSError:
                reply = None
            if reply is None:
                self.lost += 1
            else:
                seen = self.answers[token]
                seen[reply.status] = seen.get(reply.status, 0) + 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def count(self):
        return sum(sum(seen.values()) for seen in self.answers.values())


# F-01 REL-06: losses are the requests in flight on the worker, a replacement serves, nothing stays locked
def test_a_worker_that_is_killed_loses_its_own_connections_alone():
    with Guard(workers=2, provider="max_age 200ms; inactive_age 100ms;") as guard:
        for token in ("A", "B", "C"):
            guard.allow(token)
        kills = 30 if DEEP else 8
        with Load(guard, ["A", "B", "C", "dead"]) as load:
            for _ in range(kills):
                before = load.count()
                os.kill(random.choice(guard.worker_pids()), signal.SIGKILL)
                wait_until(lambda: load.count() > before + 20, what="calls are served again")
        assert load.lost <= kills * len(load.threads)
        assert set(load.answers["dead"]) <= {401}
        assert all(set(load.answers[token]) <= {200, 503} for token in "ABC")
        assert sum(load.answers[t].get(503, 0) for t in "ABC") <= kills * len(load.threads)
        assert guard.call(token="A").status == 200
        guard.check_floor(allow=("exited on signal 9",))


# F-77 REL-06: the worker that asks for all others dies
def test_a_worker_that_dies_asking_holds_nobody_up():
    with Guard(workers=3, connections=1024) as guard:
        guard.peer.delay = 0.5
        guard.allow("cold")
        sockets = [guard.connect() for _ in range(30)]
        for s in sockets:
            s.sendall(b"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer cold\r\nConnection: close\r\n\r\n")
        wait_until(lambda: guard.peer.count("cold") >= 1, what="it is asked")
        asker = next(pid for pid in guard.worker_pids() if any(talks_to(line, guard.peer.port) for line in owned_connections(pid)))
        # the worker's own clients are lost, nobody else's (how many those are is the kernel's choice)
        own = sum(serves(line, guard.port) for line in owned_connections(asker))
        os.kill(asker, signal.SIGKILL)
        statuses = []
        for s in sockets:
            s.settimeout(20)
            with contextlib.suppress(OSError):
                data = s.recv(4096)
                statuses += [int(data.split()[1])] if data else []
            s.close()
        assert set(statuses) <= {200} and len(statuses) >= 30 - own
        assert guard.call(token="cold").status == 200
        assert guard.peer.count("cold") <= 3


def talks_to(line, port):
    return line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01"


def serves(line, port):
    return line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01"


def owned_connections(pid):
    """Lines of /proc/net/tcp whose sockets the process holds."""
    inodes = set()
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("socket:["):
                    inodes.add(link[8:-1])
    with open("/proc/net/tcp") as table:
        return [line for line in table if line.split()[9] in inodes]


if os.geteuid() != 0:
    test_a_worker_that_dies_asking_holds_nobody_up = pytest.mark.skip(reason="which sockets a worker holds is shown to root alone")(
        test_a_worker_that_dies_asking_holds_nobody_up)


# F-09 REL-16
def test_signals_in_any_order_refuse_nobody_wrongly_and_leave_no_old_worker():
    with Guard(workers=2, provider="max_age 100ms; inactive_age 100ms;", main="worker_shutdown_timeout 5s;") as guard:
        guard.allow("A")
        rng = random.Random(7)
        with Load(guard, ["A", "dead"], clients=3) as load:
            for _ in range(200 if DEEP else 25):
                guard.signal(rng.choice([signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1]))
                time.sleep(rng.random() * 0.05)
        wait_until(lambda: len(guard.worker_pids()) == 2, seconds=30, what="old workers leave")
        assert set(load.answers["dead"]) == {401} and set(load.answers["A"]) == {200}
        guard.check_floor()


# the authorization server restarts under load: no pass that should not be, no crash
def test_an_authorization_server_that_restarts_lets_nothing_pass():
    own = AuthorizationServer({"A": live(), "B": live()})
    with Guard(peer=own, workers=2, provider="max_age 50ms; staleness 50ms; inactive_age 50ms; timeout 500ms; connect_timeout 300ms;") as guard:
        with Load(guard, ["A", "B", "dead"], clients=3) as load:
            for _ in range(5):
                time.sleep(0.15)
                own.stop()
                time.sleep(0.15)
                own = AuthorizationServer({"A": live(), "B": live()}, port=own.port)
        assert set(load.answers["dead"]) <= {401, 503} and load.lost == 0
        assert all(set(load.answers[t]) <= {200, 503} for t in "AB")
        own.answers = {}
        wait_until(lambda: guard.call(token="A").status == 401, what="what ended meanwhile is refused")
        own.stop()
        guard.check_floor()


class World:
    """Clocks and names of all processes of a guard (test/fault/world.c)."""

    def __init__(self):
        handle, self.file = tempfile.mkstemp(prefix="assay-world-")
        os.ftruncate(handle, 4096)
        os.fchmod(handle, 0o666)
        self.page = mmap.mmap(handle, 4096)
        os.close(handle)

    @property
    def env(self):
        return {"LD_PRELOAD": str(WORLD), "WORLD_CTL": self.file}

    def set(self, wall=0, boot=0, names_ms=0):
        struct.pack_into("<qqq", self.page, 0, wall, boot, names_ms)

    @property
    def look_ups(self):
        return struct.unpack_from("<q", self.page, 24)[0]

    def close(self):
        self.page.close()
        os.unlink(self.file)


@contextlib.contextmanager
def in_a_world(**kwargs):
    world = World()
    try:
        with Guard(env=world.env, **kwargs) as guard:
            yield world, guard
            guard.check_floor()
    finally:
        world.close()


# F-40 REL-10: ages do not read the wall clock; exp does; a step back lets nothing live longer
def test_steps_of_the_wall_clock_lengthen_no_life():
    with in_a_world(provider=FOREVER) as (world, guard):
        guard.allow("T", exp=int(time.time()) + 600)
        assert guard.call(token="T").status == 200
        for step in (3600, 2**32 - int(time.time())):
            world.set(wall=step)
            wait_until(lambda: guard.call(token="T").status == 401, what="it is past exp")
        world.set(wall=0)
        assert guard.call(token="T").status == 200
        # an hour back: by the wall clock it lives for seventy minutes; by the clock that counts for ten, as the server said
        guard.allow("U", exp=int(time.time()) + 600)
        assert guard.call(token="U").status == 200
        world.set(wall=-3600, boot=599)
        before = guard.peer.count("U")
        assert guard.call(token="U").status == 200 and guard.peer.count("U") == before
        world.set(wall=-3600, boot=602)
        guard.peer.answers["U"] = {"active": False}
        assert guard.call(token="U").status == 401
        world.set(wall=-int(time.time()))  # 1970
        assert guard.call(token="U").status == 401
        assert guard.call(token="fresh").status == 401


# F-43 REL-13: the machine has slept, or was restored: what was known is old
def test_after_a_jump_of_the_steady_clock_answers_are_old():
    with in_a_world(provider="max_age 60s;") as (world, guard):
        guard.allow("T")
        assert guard.call(token="T").status == 200
        guard.peer.answers["T"] = {"active": False}
        assert guard.call(token="T").status == 200
        world.set(boot=61)
        assert guard.call(token="T").status == 401


# F-60a REL-12: for each call a look-up that hangs for ten seconds
def test_names_that_hang_stop_nobody_else():
    with AuthorizationServer({"T": live()}) as own:
        lines = f"""assay_provider far {{ introspection_endpoint http://as.example:{own.port}/introspect; allow_cleartext yes; client_id g; client_secret_file {{dir}}/secret;
            timeout 1s; connect_timeout 800ms; max_asking 64 64; }}"""
        near = own.url.replace("localhost", "127.0.0.1")
        with in_a_world(http=lines, endpoint=near, connections=1024, peer=own, locations="""
                location /far/ { assay_guard far; proxy_pass {backend}; }
                location /api/ { assay_guard corp max_age=0; proxy_pass {backend}; }""") as (world, guard):
            own.answers["T"] = live()
            world.set(names_ms=10000)
            hanging = [guard.connect() for _ in range(24)]
            start = time.monotonic()
            for i, s in enumerate(hanging):
                s.sendall(f"GET /far/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer h{i}\r\nConnection: close\r\n\r\n".encode())
            wait_until(lambda: world.look_ups == 8, what="eight look-ups hang")
            refused = wait_until(lambda: len(ready := select.select(hanging, [], [], 0)[0]) == 16 and ready, seconds=0.9, what="sixteen are refused at once")
            waiting = [s for s in hanging if s not in refused]
            for s in waiting[:2]:
                s.close()  # a client that leaves costs nothing
            slowest = 0
            for _ in range(30):
                began = time.monotonic()
                assert guard.call("/api/x", token="T").status == 200
                slowest = max(slowest, time.monotonic() - began)
            assert slowest < 0.5 * (4 if SANITIZED else 1)
            for s in (*refused, *waiting[2:]):
                s.settimeout(10)
                assert int(s.recv(4096).split()[1]) == 503
            assert time.monotonic() - start < 9  # nobody waited for a resolver
            assert world.look_ups == 8
            guard.reload()  # nor does a worker that is to leave
            assert time.monotonic() - start < 9.5
            world.set(names_ms=0)
            guard.allow("later")
            wait_until(lambda: guard.call("/far/x", token="later").status == 200, seconds=15, what="names are looked up again")


class HungryGuard(Guard):
    """The fault shim before all else."""

    def __init__(self, **kwargs):
        self.faults = Faults()
        super().__init__(env=self.faults.env, **kwargs)

    def nginx(self, *args):
        command = super().nginx(*args)
        others = [part for part in command["env"]["LD_PRELOAD"].split() if part != str(SHIM)]
        command["env"]["LD_PRELOAD"] = " ".join([str(SHIM), *others])
        if SANITIZED:
            command["env"]["ASAN_OPTIONS"] = command["env"].get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return command

    def stop(self):
        self.faults.disarm()
        super().stop()
        self.faults.close()


def ask(guard, path, token, extra=""):
    """A request on a fresh connection: status, or None when the connection ended."""
    data = b""
    with contextlib.suppress(OSError), guard.connect(timeout=20) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{extra}\r\n".encode())
        while part := s.recv(65536):
            data += part
    parsed = parse_reply(data)
    return parsed[0].status if parsed else None


# F-44 REL-04 REL-11
@pytest.mark.parametrize("mode", ["once", "lasting"])
def test_no_failed_allocation_lets_anything_pass(mode):
    with HungryGuard(provider="timeout 1s; connect_timeout 500ms; inactive_age 0;", locations="""
            location /api/ { assay_guard corp; assay_require scope read; proxy_pass {backend}; assay_set_header X-User $assay_sub; }
            location /live/ { assay_guard corp max_age=0 token_query=t; assay_require scope read; proxy_pass {backend}; assay_set_header X-User $assay_sub; }
            location /ssi/ { ssi on; root {dir}; }""") as guard:
        (guard.dir / "ssi").mkdir()
        (guard.dir / "ssi" / "p.html").write_text('<!--# include virtual="/live/part" -->')
        guard.allow("LIVE")
        guard.allow("WEAK", scope="other")
        cases = [("/api/x", "LIVE", {200}), ("/live/x", "LIVE", {200}), ("/live/x", "dead", {401}), ("/live/x", "WEAK", {403}),
                 ("/ssi/p.html", "dead", {200}), ("/live/x?t=dead", "x y", {400})]
        for path, token, right in cases:
            n, step = 1, 1
            while True:
                before = guard.passed()
                guard.faults.arm(f"alloc:{n}:{mode}")
                status = ask(guard, path, token)
                struck = guard.faults.fired
                guard.faults.disarm()
                assert status in right | {None, 400, 500, 503}, (path, token, n, status)
                assert token == "LIVE" or guard.passed() == before, (path, token, n)
                wait_until(lambda: ask(guard, path, token) in right, what=f"{path} {token} goes on after {n}")
                if not struck or n > (400 if DEEP else 60):
                    break
                n, step = n + step, step if DEEP or n < 20 else 5
        guard.check_floor(allow=("malloc", "posix_memalign", "[emerg]", "[alert]", "no memory", "[crit]"))


# F-47 REL-11
def test_without_descriptors_nothing_passes_and_it_ends():
    with Guard(provider="timeout 1s; connect_timeout 500ms; max_age 0;") as guard:
        guard.allow("A")
        assert guard.call(token="A").status == 200
        [worker] = guard.worker_pids()
        usual = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        held = guard.connect()
        held.sendall(b"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer A\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (0, usual[1]))
        for token in ("A", "dead", "A"):
            held.sendall(f"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            status = int(held.recv(4096).split()[1])
            assert status in (200, 401, 502, 503)
            assert token == "A" or status != 200
        resource.prlimit(worker, resource.RLIMIT_NOFILE, usual)
        wait_until(lambda: guard.call(token="A").status == 200, what="service returns")
        guard.check_floor(allow=("accept4", "socket()", "Too many open files"))


if os.geteuid() != 0:
    test_without_descriptors_nothing_passes_and_it_ends = pytest.mark.skip(reason="another's limits are root's to set")(
        test_without_descriptors_nothing_passes_and_it_ends)


# F-48: connections used up by idle clients
def test_idle_clients_that_take_all_connections_open_nothing():
    with Guard(connections=64, provider="timeout 1s; connect_timeout 500ms;", http="client_header_timeout 2s; keepalive_timeout 2s;") as guard:
        guard.allow("A")
        idle = []
        for _ in range(120):
            with contextlib.suppress(OSError):
                idle.append(guard.connect(timeout=2))
        statuses = {ask(guard, "/api/x", token) for token in ("dead", "A")}
        assert statuses <= {None, 200, 401, 500, 503}
        for s in idle:
            s.close()
        wait_until(lambda: ask(guard, "/api/x", "A") == 200 and ask(guard, "/api/x", "dead") == 401, seconds=20, what="service returns")
        guard.check_floor(allow=("worker_connections are not enough",))


# F-46 A-GW-23: a tiny zone, a flood of tokens
def test_a_flood_of_tokens_fills_no_zone_and_ends_no_live_token():
    with Guard(cache="assay_cache zone=tokens:1m;", provider="max_age 1h; max_asking 64 64;", http="keepalive_requests 1000000;",
               connections=1024) as guard:
        guard.peer.misbehave = lambda c, r: c.sendall(response(live() if r.form["token"].startswith("live") else {"active": False})) or True
        assert guard.call(token="live-hot").status == 200

        def flood(first):
            with guard.connect() as s:
                rest = b""
                for i in range(first, first + (20000 if DEEP else 1500)):
                    name = "live" if i % 3 == 0 else "junk"
                    s.sendall(f"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {name}-{i}\r\n\r\n".encode())
                    while not (parsed := parse_reply(rest)):
                        part = s.recv(65536)
                        assert part
                        rest += part
                    assert parsed[0].status == (200 if name == "live" else 401)
                    rest = parsed[1]
                    if i % 20 == 0:
                        assert guard.call(token="live-hot").status == 200

        threads = [threading.Thread(target=flood, args=(k * 1000000,)) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert guard.peer.count("live-hot") <= 3
        guard.check_floor()


# F-78 A-GW-24: clients and servers that leave at every step
def test_leaving_at_every_step_uses_nothing_after_it_is_gone():
    with Guard(provider="timeout 1s; connect_timeout 500ms; inactive_age 0;", workers=1) as guard:
        request = b"POST /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer AT\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
        answer = response(live())
        for cut in range(0, len(answer) + 1, 1 if DEEP else 9):
            guard.peer.misbehave = lambda c, r, cut=cut: c.sendall(answer[:cut]) or False
            for sent in (len(request), len(request) - 3, 40):
                with guard.connect() as s:
                    s.sendall(request[:sent])
                    if cut % 2:
                        s.settimeout(0.01)
                        with contextlib.suppress(OSError):
                            s.recv(100)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        guard.peer.misbehave = None
        guard.allow("AT2")
        wait_until(lambda: guard.call(token="AT2").status == 200, what="it goes on")
        guard.check_floor()
