"""SIGKILL: section 5.2 of the reliability plan, against a real nginx. docs/crash-test.md tells the whole."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from harness import API1, BUILD, Peer, Server, World, wait_until

DEEP = bool(os.environ.get("ASSAY_DEEP"))
SEED = int(os.environ.get("ASSAY_CRASH_SEED", time.time_ns() % 2**32))
INSPECT = BUILD / "test" / "crash" / "crash_inspect"
TOKEN = "0"  # the kind of a cutoff, as crash_inspect prints it

pytestmark = pytest.mark.no_asan


class Token:
    """What a client knows of a token it was given."""

    def __init__(self, text):
        self.text, self.revoked, self.asked = text, None, None  # when the answer came; when it was asked


class Client(threading.Thread):
    """Issues, refreshes and revokes, one thing after the other, and writes down what it was told. An answer that did
    not come is an outcome it does not know."""

    def __init__(self, world, refresh_token, seed):
        super().__init__(daemon=True)
        self.world, self.dice, self.refresh_token = world, random.Random(seed), refresh_token
        self.tokens, self.retired, self.answers, self.unknown, self.wrong = [], [], 0, 0, []
        self.peer, self.stopping = None, threading.Event()

    def post(self, path, form):
        """The reply; None when there was none."""
        try:
            if self.peer is None:
                self.peer = Peer(self.world.server, clear=True)
            reply = self.peer.post(path, form, self.world.cl1)
        except (OSError, AssertionError):
            if self.peer is not None:
                self.peer.socket.close()
            self.peer = None
            self.unknown += 1
            time.sleep(0.002)
            return None
        self.answers += 1
        return reply

    def issue(self):
        reply = self.post("/oauth2/token", {"grant_type": "client_credentials", "scope": "read", "resource": API1})
        if reply is not None and reply.status == 200:
            self.tokens.append(Token(reply.json["access_token"]))
        return reply

    def refresh(self):
        reply = self.post("/oauth2/token", {"grant_type": "refresh_token", "refresh_token": self.refresh_token})
        if reply is not None and reply.status == 200:
            self.retired.append(self.refresh_token)
            self.refresh_token = reply.json["refresh_token"]
            self.tokens.append(Token(reply.json["access_token"]))
        return reply

    def revoke(self):
        token = self.dice.choice(self.tokens[-20:])
        token.asked = token.asked or time.monotonic()
        reply = self.post("/oauth2/revoke", {"token": token.text})
        if reply is not None and reply.status == 200:
            token.revoked = token.revoked or time.monotonic()
        return reply

    def run(self):
        while not self.stopping.is_set():
            act = self.dice.choice([self.issue, self.issue, self.refresh, self.revoke] if self.tokens else [self.issue])
            reply = act()
            # 503 is honest trouble; anything else refuses what was good, or forgets what was answered.
            if reply is not None and reply.status not in (200, 503):
                self.wrong.append((act.__name__, reply.status, reply.body))

    def stop(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive()


def inspect(server, texts):
    done = subprocess.run([INSPECT, server.store, str(int(time.time()))], input="".join(t + "\n" for t in texts),
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line.split(" ", 1) for line in done.stdout.splitlines()]
    head = dict(lines[:2])
    assert head["agrees"] == "yes", head
    return ([line[1].split() for line in lines if line[0] == "event"],
            [line[1].split() for line in lines if line[0] == "token"])


def check_history(server, clients):
    """Every acknowledged thing is there, every revoked token is dead, the event log has each change once, in order."""
    tokens = [t for c in clients for t in c.tokens]
    retired = [text for c in clients for text in c.retired]
    current = [c.refresh_token for c in clients]
    events, found = inspect(server, [t.text for t in tokens] + retired + current)
    numbers = [int(e[0]) for e in events]
    assert numbers == sorted(set(numbers))
    ends = [e[2] for e in events if e[1] == TOKEN]
    assert len(ends) == len(set(ends)), "a change is logged twice"
    ends = set(ends)
    for token, said in zip(tokens, found):
        assert said[0] not in "-!", (said, "an issued token is missing")
        logged = f"{int(said[0]):016x}" in ends
        assert logged == (said[2] != "0"), "cutoff and event differ"
        if token.revoked:
            assert said[1] == "dead" and logged, "a revoked token lives"
        elif not token.asked:
            assert said[1] == "live" and not logged, "a token died that nobody revoked"
    dead = found[len(tokens):len(tokens) + len(retired)]
    assert all(said[0] not in "-!" and said[1] == "dead" for said in dead), "a rotated token lives"
    for said in found[len(tokens) + len(retired):]:
        assert said[0] not in "-!", "a refresh token is missing"
    return len(tokens)


def check_answers(world, clients, dice):
    """The same, asked over HTTP, of some."""
    tokens = [t for c in clients for t in c.tokens]
    with Peer(world.server, clear=True) as peer:
        for token in dice.sample(tokens, min(len(tokens), 60)):
            if token.revoked or not token.asked:
                assert peer.active(token.text, world.rs1) == (not token.revoked)


def kill(server, victim, dice):
    if victim == "everything":
        server.kill_all()
        return
    pids = server.worker_pids()
    for pid in dice.sample(pids, 1) if victim == "one" and pids else pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_killed_at_any_moment_nothing_answered_is_lost():
    """REL-01 REL-02 REL-03 F-04 P-7009-2: clients issue, refresh and revoke; after 2 to 50 ms one worker, all workers or
    everything is killed, and started again."""
    rounds = int(os.environ.get("ASSAY_CRASH_KILLS", 200 if DEEP else 40))
    dice = random.Random(SEED)
    print(f"seed {SEED} (ASSAY_CRASH_SEED sets it)")
    kills = {"one": 0, "all": 0, "everything": 0}
    with Server(workers=2, options="refresh_window=300s") as server:
        world = World(server)
        clients = [Client(world, world.grant()["refresh_token"], SEED + i) for i in range(6)]
        for client in clients:
            client.start()
        try:
            for number in range(1, rounds + 1):
                before = sum(c.answers for c in clients)
                wait_until(lambda: sum(c.answers for c in clients) >= before + 6, seconds=60, what="the load goes on")
                time.sleep(dice.uniform(0.002, 0.05))
                last = number % 10 == 0 or number == rounds
                victim = "everything" if last else dice.choice(list(kills))
                kills[victim] += 1
                kill(server, victim, dice)
                if last:
                    wait_until(lambda: all(c.peer is None for c in clients), seconds=60, what="the clients notice")
                    checked = check_history(server, clients)
                if victim == "everything":
                    server.start()
                if last:
                    check_answers(world, clients, dice)
        finally:
            for client in clients:
                client.stop()
        assert not [w for c in clients for w in c.wrong], SEED
        server.kill_all()
        checked = check_history(server, clients)
        answers, unknown = sum(c.answers for c in clients), sum(c.unknown for c in clients)
        print(f"{rounds} kills {kills}; {answers} answers, {unknown} without; {checked} tokens checked")
        assert unknown > 0 and any(t.revoked for c in clients for t in c.tokens) and any(c.retired for c in clients)


class Caller(threading.Thread):
    """Writes and reads over one kept connection, and knows whose it is."""

    def __init__(self, world):
        super().__init__(daemon=True)
        self.world, self.stopping = world, threading.Event()
        self.answers, self.losses, self.longest, self.pid, self.started = 0, [], 0.0, None, None

    def run(self):
        while not self.stopping.is_set():
            self.pid = None
            try:
                with Peer(self.world.server, clear=True) as peer:
                    self.talk(peer)
            except (OSError, AssertionError):
                self.losses.append((self.pid, time.monotonic()))

    def talk(self, peer):
        while not self.stopping.is_set():
            self.started = time.monotonic()
            reply = peer.post("/oauth2/token", {"grant_type": "client_credentials", "scope": "read", "resource": API1}, self.world.cl1)
            assert reply.status == 200, reply.status
            self.answers += 1
            self.longest = max(self.longest, time.monotonic() - self.started)
            self.pid = int(reply.header("X-Worker"))


def test_a_killed_worker_costs_its_own_requests():
    """REL-06 F-01: a worker is killed every half second under load: each connection that was lost was the killed worker's,
    no lock stays held, and there is a replacement that serves."""
    # Each answer says whose it is; nginx itself would end a connection at 1,000 requests.
    with Server(workers=2, http="add_header X-Worker $pid always; keepalive_requests 1000000;") as server:
        world = World(server)
        callers = [Caller(world) for _ in range(8)]
        for caller in callers:
            caller.start()
        killed, allowed = [], 0
        try:
            deadline = time.monotonic() + (30 if DEEP else 6)
            while time.monotonic() < deadline:
                wait_until(lambda: len(server.worker_pids()) == 2 and all(c.pid for c in callers), seconds=30, what="all are served")
                victim = random.choice(server.worker_pids())
                allowed += sum(c.pid == victim for c in callers)
                before = [c.answers for c in callers if c.pid != victim]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
                # Those of the other worker go on writing, whatever lock the killed one held.
                others = [c for c in callers if c.pid and c.pid != victim]
                wait_until(lambda: all(c.answers > b for c, b in zip(others, before)), seconds=10, what="the others go on")
                time.sleep(max(0.0, 0.5 - 0.1))
        finally:
            for caller in callers:
                caller.stopping.set()
            for caller in callers:
                caller.join(30)
        losses = [pid for c in callers for pid, _ in c.losses]
        print(f"{len(killed)} kills, {sum(c.answers for c in callers)} answers, {len(losses)} lost of {allowed} in flight at most, "
              f"longest wait {max(c.longest for c in callers):.3f} s")
        # None: the connection had not been answered on yet, so the dying worker may have had it.
        assert all(pid is None or pid in killed for pid in losses)
        assert len([pid for pid in losses if pid]) <= allowed
        assert server.process.poll() is None


def test_a_replacement_serves_soon():
    """REL-06: the only worker is killed; another serves. Within a second, says the promise; here with a wide margin."""
    with Server(workers=1) as server:
        world = World(server)
        token = world.at()["access_token"]
        took = []
        for _ in range(10 if DEEP else 4):
            old = server.worker_pids()
            os.kill(old[0], signal.SIGKILL)
            start = time.monotonic()
            wait_until(lambda: server.worker_pids() and server.worker_pids() != old, seconds=10, what="a replacement")
            wait_until(server.answers, seconds=10, what="it answers")
            took.append(time.monotonic() - start)
            assert world.active(token)
        print("replacements served after", " ".join(f"{t:.3f}" for t in took), "s")


def test_a_revocation_is_seen_by_every_worker_at_once():
    """A-TOK-15 P-7009-2: one connection to each of four workers; what one has answered 200 to, all call inactive in the same
    millisecond, and after a SIGKILL of everything, too."""
    with Server(workers=4, http="add_header X-Worker $pid always;") as server:
        world = World(server)
        peers = {}
        spare = []
        deadline = time.monotonic() + 60
        while len(peers) < 4 and len(spare) < 200 and time.monotonic() < deadline:
            peer = Peer(server, clear=True)
            pid = int(peer.post("/oauth2/introspect", {"token": "assay_at_x"}, world.rs1).header("X-Worker"))
            if pid in peers:
                spare.append(peer)  # kept, so that the next one is more likely another worker's
            else:
                peers[pid] = peer
        try:
            assert len(peers) >= 2, "connections to more than one worker"
            tokens = [world.at()["access_token"] for _ in range(4 * len(peers))]
            for i, token in enumerate(tokens):
                asked = list(peers.values())
                assert all(p.active(token, world.rs1) for p in asked)
                assert asked[i % len(asked)].post("/oauth2/revoke", {"token": token}, world.cl1).status == 200
                assert not any(p.active(token, world.rs1) for p in asked)
            server.kill_all()
        finally:
            for peer in [*peers.values(), *spare]:
                peer.socket.close()
        server.start()
        with Peer(server, clear=True) as peer:
            assert not any(peer.active(token, world.rs1) for token in tokens)
