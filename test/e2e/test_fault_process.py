"""Workers and masters that are killed, told to end, reloaded, upgraded, in any order and under load."""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time

import proc
import pytest

from fault import DEEP, FaultyServer, refused
from harness import API1, ASSAY, FORM, ROOT, Server, World, basic, parse_reply, wait_until

pytestmark = pytest.mark.no_asan
LOST = (ConnectionError, OSError, AssertionError)


def state_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return None


def is_gone(pid):
    return state_of(pid) in (None, "Z")


# -- killed inside a transaction

@pytest.mark.parametrize("way", ["kill", "killed"])
def test_a_worker_killed_at_any_call_of_a_commit_leaves_all_or_nothing(way):
    """F-02, F-03, REL-02, REL-06: killed instead of, or right after, each write and flush of a revocation: the client is
    told nothing or the truth, the other worker writes on at once, and the token is dead once a repetition is answered."""
    with FaultyServer() as server:
        world = World(server)
        for n in range(1, 60):
            token, other = world.at()["access_token"], world.at()["access_token"]
            server.faults.arm(f"write+fdatasync+lseek:{n}:once:{way}", path=server.store)
            reply = None
            with contextlib.suppress(*LOST):
                reply = server.revoke(token, world.cl1, clear=True)
            fired = server.faults.fired
            server.faults.disarm()
            if not fired:
                break
            assert reply is None or reply.status in (200, 503)
            start = time.monotonic()
            assert server.revoke(other, world.cl1, clear=True).status == 200
            assert time.monotonic() - start < 5
            assert not world.active(other)
            if reply is not None and reply.status == 200:
                assert not world.active(token)
            assert server.revoke(token, world.cl1).status == 200
            assert not world.active(token)
        assert 2 < n < 59
        wait_until(lambda: len(server.worker_pids()) == 2, what="both workers are there")
        server.check_floor(allow=("exited on signal 9",))
        server.check_canaries()


def test_a_worker_killed_between_commit_and_answer_has_revoked():
    """F-03: the commit is on the disk, the answer is not on the wire: wholly done for everybody."""
    with FaultyServer() as server:
        world = World(server)
        for _ in range(5):
            token = world.at()["access_token"]
            server.faults.arm("write:1:once:kill", path="[eventfd]")  # the writer tells its loop: after the commit
            with contextlib.suppress(*LOST):
                assert server.revoke(token, world.cl1, clear=True) is None
            assert server.faults.fired
            server.faults.disarm()
            assert not world.active(token)
        server.check_floor(allow=("exited on signal 9",))


# -- the master

def test_the_master_never_has_the_store_open():
    """F-15: no mapping and no descriptor of it, before and after a reload; each worker has both."""
    with Server() as server:
        def opens(pid):
            return str(server.store) in proc.maps(pid), any(str(server.store) in link for link in proc.open_files(pid).values())

        for _ in range(2):
            assert opens(server.process.pid) == (False, False)
            wait_until(lambda: [opens(pid) for pid in server.worker_pids()] == [(True, True)] * 2,
                       what="each worker has opened the store")
            server.reload()


def test_workers_outlive_a_killed_master_and_a_new_one_says_the_port_is_taken():
    """F-05: and the shipped unit ends the whole group."""
    with Server() as server:
        world = World(server)
        token = world.at()["access_token"]
        workers = server.worker_pids()
        server.process.kill()
        server.process.wait()
        try:
            assert world.active(token)
            assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
            done = subprocess.run(**server.nginx(), capture_output=True, text=True, timeout=60)
            assert done.returncode != 0 and "Address already in use" in done.stderr + server.log()
            assert not world.active(token)
        finally:
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            wait_until(lambda: all(is_gone(pid) for pid in workers), what="the workers are gone")
        server.start()
        assert not world.active(token)
    unit = (ROOT / "packaging" / "assay.service").read_text()
    assert re.search(r"^KillMode=(mixed|control-group)$", unit, re.M)


# -- closed descriptors

def test_a_server_started_without_standard_descriptors_puts_no_file_of_the_store_there():
    """F-16: neither the store nor a log that somebody prints into."""
    with FaultyServer(start=False) as server:
        (server.dir / "nginx.conf").write_text(server.conf())
        command = server.nginx()
        command["args"] = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command["args"]]
        server.process = subprocess.Popen(**command)
        wait_until(server.answers, what="nginx listens", seconds=30)
        world = World(server)
        for spec in ("", "meta:1:once:EIO"):  # as it was opened, and as it is opened again by each worker
            for _ in range(6 if spec else 1):
                token = world.at()["access_token"]
                if spec:
                    server.faults.arm(spec, path=server.store)
                    assert refused(server.revoke(token, world.cl1))
                    server.faults.disarm()
                assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
            for pid in [server.process.pid, *server.worker_pids()]:
                files = proc.open_files(pid)
                assert not any(str(server.store) in files.get(fd, "") for fd in range(3))
        assert server.cli("store", "stat").returncode == 0
        server.check_floor()


def test_a_command_without_standard_descriptors_prints_into_no_store():
    """F-16: it fails, as its answer cannot be printed, and the store is what it was made to be."""
    with Server(start=False) as server:
        def run(*args):
            return subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", ASSAY, *args, "--store", str(server.store)], timeout=60).returncode

        assert run("client", "list") != 0
        run("client", "add", "robot", "--grant", "client_credentials", "--scope", "read", "--audience", API1)
        assert run("token", "issue", "--client", "robot") != 0
        names = [c["client_id"] for c in json.loads(server.cli("client", "list", "--json").stdout)["clients"]]
        assert names in ([], ["robot"])
        head = (server.store / "data").read_bytes()[:8192]
        assert b"assay" not in head and b"robot" not in head


# -- reload

def broken_configurations(server):
    good = server.conf()
    yield "syntax", good.replace("assay_server issuer", "assay_sever issuer", 1), "unknown directive"
    yield "key file", good.replace(f"{server.dir}/key.pem", f"{server.dir}/none.pem"), "none.pem"
    yield "unreadable key", good.replace(f"{server.dir}/key.pem", f"{server.dir}/junk.pem"), "junk.pem"
    yield "no store", good.replace(f"assay_store {server.store} ", f"assay_store {server.dir}/nowhere "), "assay store create"
    yield "no directory", good.replace(f"assay_store {server.store} ", f"assay_store {server.dir}/cert.pem "), "not a directory"
    yield "bad option", good.replace(f"assay_store {server.store} ", f"assay_store {server.store} max_size=tiny "), "max_size"


def test_a_reload_with_a_broken_configuration_changes_nothing():
    """F-10, REL-16: the old configuration goes on with the same workers; `nginx -t` and `nginx -s reload` fail and say
    file, line and cause."""
    with Server() as server:
        world = World(server)
        token = world.at()["access_token"]
        (server.dir / "junk.pem").write_text("not a key\n")
        before = sorted(server.worker_pids())
        for name, text, cause in broken_configurations(server):
            (server.dir / "nginx.conf").write_text(text)
            for args in (["-t"], ["-s", "reload"]):
                done = subprocess.run(**server.nginx(*args), capture_output=True, text=True, timeout=60)
                said = done.stderr
                assert done.returncode != 0 and cause in said, (name, args, said)
                assert re.search(r"nginx\.conf:\d+|\.pem", said), said
            size = len(server.log())
            server.signal(signal.SIGHUP)
            wait_until(lambda: "[emerg]" in server.log()[size:], what="the reload is refused")
            assert cause in server.log()[size:]
            assert sorted(server.worker_pids()) == before
            assert world.active(token)
        (server.dir / "nginx.conf").write_text(server.conf())
        server.reload()
        assert world.active(token)
        server.check_floor(allow=("[emerg]",))


class Load:
    """Clients on fresh connections that count what becomes of their requests; each knows what is right."""

    def __init__(self, world, clients=6):
        self.world, self.stop, self.answered, self.lost, self.wrong = world, threading.Event(), 0, [], []
        self.live = world.at()["access_token"]
        self.dead = world.at()["access_token"]
        assert world.server.revoke(self.dead, world.cl1).status == 200
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]

    def run(self, number):
        server, world = self.world.server, self.world
        while not self.stop.is_set():
            clear = number % 3 != 0  # some come over TLS
            for token, active in ((self.live, True), (self.dead, False)):
                try:
                    reply = server.introspect(token, world.rs1, clear=clear)
                except OSError as e:
                    reply, self.lost = None, self.lost + [repr(e)]
                    continue
                if reply is None:
                    self.lost.append("closed")
                elif reply.status != 200 or reply.json["active"] is not active:
                    self.wrong.append((reply.status, reply.body))
                else:
                    self.answered += 1
            if number == 0:
                with contextlib.suppress(OSError):
                    reply = server.token({"grant_type": "client_credentials"}, world.cl1, clear=True)
                    if reply is None or reply.status != 200:
                        self.lost.append("token")

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for t in self.threads:
            t.join()


def test_a_reload_drops_no_request_and_forgets_nothing():
    """REL-16: reload after reload under load; counters, failed attempts and revocations are what they were."""
    with Server() as server:
        world = World(server)
        for _ in range(20):  # cl2 is now limited from here
            server.introspect("x", (world.cl2[0], "wrong"), source="10.1.1.1")
        assert server.introspect("x", (world.cl2[0], "wrong"), source="10.1.1.1").status == 429
        with Load(world) as load:
            for _ in range(30 if DEEP else 8):
                answered = load.answered
                server.reload()
                wait_until(lambda: load.answered > answered + 10, seconds=30, what="the new workers answer")
        assert not load.lost and not load.wrong, (load.lost[:5], load.wrong[:5])
        assert load.answered > 100
        assert server.introspect("x", (world.cl2[0], "wrong"), source="10.1.1.1").status == 429
        total = sum(v for k, v in server.metrics().items() if k.startswith("assay_requests_total") and "introspect" in k)
        assert total >= load.answered + 21
        server.check_floor()
        server.check_canaries()


def fds_of(pid):
    return len(proc.open_files(pid))


@pytest.mark.parametrize("gentle", [True, False])
def test_signals_in_any_order_under_load(gentle):
    """F-09, REL-06, REL-16: reloads, reopened logs, workers told to quit in any order: nothing is lost. With workers told to
    terminate at once among them, a request in flight may be lost, and nothing else. No worker is older than the shutdown
    limit, the master keeps no descriptors. (SIGUSR2 has a test of its own.)"""
    choice = random.Random(9)
    kinds = ["hup", "usr1", "quit"] + ([] if gentle else ["term"])
    with Server() as server:
        world = World(server)
        server.reload()
        descriptors = fds_of(server.process.pid)
        with Load(world, clients=4) as load:
            for _ in range(200 if DEEP else 40):
                kind = choice.choice(kinds)
                with contextlib.suppress(ProcessLookupError, IndexError):
                    if kind == "hup":
                        server.signal(signal.SIGHUP)
                    elif kind == "usr1":
                        server.signal(signal.SIGUSR1)
                    else:
                        os.kill(choice.choice(server.worker_pids()), signal.SIGQUIT if kind == "quit" else signal.SIGTERM)
                time.sleep(choice.random() / 20)
            answered = load.answered
            wait_until(lambda: load.answered > answered + 20, seconds=30, what="it still answers")
        assert not load.wrong, load.wrong[:5]
        assert not gentle or not load.lost, load.lost[:5]
        wait_until(lambda: len(server.worker_pids()) == 2, seconds=20, what="old workers have left")
        assert fds_of(server.process.pid) <= descriptors
        # nginx's own word for a worker that was told to end at once while it was ending gently.
        server.check_floor(allow=() if gentle else ("open socket", "aborting"))


class Daemon(Server):
    """As nginx runs where it can be upgraded: its own parent has left."""

    def conf(self):
        return super().conf().replace("daemon off;", "daemon on;")

    def master(self):
        with contextlib.suppress(OSError, ValueError):
            return int((self.dir / "nginx.pid").read_text())
        return None

    def start(self):
        (self.dir / "nginx.conf").write_text(self.conf())
        subprocess.run(**self.nginx(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        wait_until(self.master, what="the pid file")
        wait_until(lambda: self.get("/healthz").status == 200, what="it answers")

    def stop(self):
        for pid in filter(None, {self.master(), *getattr(self, "masters", ())}):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_until(lambda: is_gone(pid), seconds=20, what="nginx has ended")
        super().stop()


def test_a_binary_upgrade_and_its_rollback_lose_no_request():
    """REL-16: USR2, then QUIT to the old master: the new one serves. Again, and QUIT to the new one: the old one serves on.
    What was revoked before, in between and after is dead for both."""
    with Daemon() as server:
        world = World(server)
        server.masters = set()
        with Load(world, clients=4) as load:
            for forward in (True, False):
                token = world.at()["access_token"]
                old = server.master()
                os.kill(old, signal.SIGUSR2)
                wait_until(lambda: server.master() not in (None, old), seconds=20, what="a second master")
                new = server.master()
                server.masters |= {old, new}
                wait_until(lambda: pathlib.Path(f"/proc/{new}/task/{new}/children").read_text().split(), what="its workers")
                assert server.revoke(token, world.cl1).status == 200
                assert not any(world.active(token) for _ in range(8))
                leaving, staying = (old, new) if forward else (new, old)
                os.kill(leaving, signal.SIGQUIT)
                wait_until(lambda: is_gone(leaving), seconds=20, what="the other master has left")
                wait_until(lambda: server.master() == staying, what="the pid file is right")
                assert not world.active(token)
                answered = load.answered
                wait_until(lambda: load.answered > answered + 20, seconds=30, what="it still answers")
        assert not load.lost and not load.wrong, (load.lost[:5], load.wrong[:5])


def test_a_leaving_worker_answers_what_is_queued():
    """F-13: with slow flushes and hundreds of revocations queued, the server is told to quit: each gets 200 and is dead
    afterwards, or 503 and is not, or had not been read."""
    count = 1000 if DEEP else 200
    with FaultyServer(workers=1, main="worker_rlimit_nofile 4096;", connections=4096) as server:
        world = World(server)
        tokens = [server.token({"grant_type": "client_credentials"}, world.cl1, clear=True).json["access_token"] for _ in range(count)]
        server.faults.arm("fdatasync:1:lasting:slow", path=server.store)
        sockets = []
        for token in tokens:
            s = server.connect(clear=True, timeout=30)
            body = f"token={token}"
            s.sendall(f"POST /oauth2/revoke HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.cl1)}\r\nContent-Type: {FORM}\r\n"
                      f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            sockets.append(s)
        worker = server.worker_pids()[0]
        wait_until(lambda: server.faults.fired > 0 and fds_of(worker) >= count, what="all are accepted, the first commit is under way")
        server.signal(signal.SIGQUIT)
        answers = []
        for s in sockets:
            data = b""
            with contextlib.suppress(OSError):
                while part := s.recv(65536):
                    data += part
            s.close()
            answers.append(parse_reply(data)[0].status if data else None)
        server.process.wait(30)
        server.faults.disarm()
        server.start()
        assert set(answers) <= {200, 503, None} and answers.count(200) > count // 2, {a: answers.count(a) for a in set(answers)}
        for token, answer in zip(tokens, answers):
            if answer is not None:
                assert world.active(token) is (answer != 200)
        server.check_floor()
