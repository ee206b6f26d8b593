"""What the server does while its disk fails it: a revocation is durable or refused, reads go on, and nothing wants a
restart. The engine alone is put through every failing call in test/store/store_fault.c."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import threading
import time

import pytest

from fault import DEEP, FaultyServer, faulty_cli, reasons, refused
from harness import API1, ASSAY, FORM, Peer, Server, World, basic, wait_until

pytestmark = pytest.mark.no_asan


@pytest.fixture(scope="module")
def faulty():
    with FaultyServer() as server:
        yield World(server)
        server.check_floor()
        server.check_canaries()


def is_ready(server):
    """Every worker says so: each has its own connection."""
    return all(reasons(server) == (200, []) for _ in range(6))


def revoke_under(world, spec, word=None):
    """A-TOK-14: while `spec` lasts, revoking is refused and the token lives; afterwards it works, without a restart."""
    server, faults = world.server, world.server.faults
    token = world.at()["access_token"]
    faults.arm(spec, path=server.store)
    try:
        for _ in range(3):
            assert refused(server.revoke(token, world.cl1))
            assert world.active(token)
        assert refused(server.token({"grant_type": "client_credentials"}, world.cl1))
        assert faults.fired > 0
        if word:
            wait_until(lambda: word in reasons(server)[1], what=word)
    finally:
        faults.disarm()
    wait_until(lambda: is_ready(server), what="ready again")
    assert server.revoke(token, world.cl1).status == 200
    assert not world.active(token)


@pytest.mark.parametrize("spec", ["sync:1:lasting:EIO", "meta:1:lasting:EIO", "write:1:lasting:short", "write:1:lasting:ENOSPC",
                                  "write:1:lasting:EDQUOT", "write:1:lasting:EROFS", "write:1:lasting:EACCES", "write:1:lasting:EFBIG"])
def test_revoking_on_a_failing_disk_is_503_until_it_works(faulty, spec):
    """A-TOK-14, REL-04, REL-05, F-22, F-23, F-24, F-25: never 200 while the token lives; store_io while it lasts."""
    revoke_under(faulty, spec, "store_io")


@pytest.mark.parametrize("calls", ["sync", "meta", "write"])
def test_each_single_failure_costs_one_answer(faulty, calls):
    """A-TOK-14, F-23, F-24, F-25: the n-th call alone fails; that request is 503, the next one works, and what was
    answered with 200 is dead."""
    server, faults = faulty.server, faulty.server.faults
    for n in range(1, 40):
        token = faulty.at()["access_token"]
        faults.arm(f"{calls}:{n}:once:EIO", path=server.store / "data")
        reply = server.revoke(token, faulty.cl1)
        fired = faults.fired
        faults.disarm()
        if reply.status != 200:
            assert fired and refused(reply)
            if calls == "sync":
                assert faulty.active(token)
            assert server.revoke(token, faulty.cl1).status == 200
        assert not faulty.active(token)
        if not fired:
            break
    assert n > 1 and not fired


def test_lookups_go_on_while_the_environment_is_reopened(faulty):
    """F-24, REL-04: sixteen clients introspect a live and a dead token while meta page after meta page fails, and with it
    the reopening now and then; each answer is right or 503."""
    server, faults = faulty.server, faulty.server.faults
    live, dead = faulty.at()["access_token"], faulty.at()["access_token"]
    assert server.revoke(dead, faulty.cl1).status == 200
    wrong, counts, stop = [], {200: 0, 503: 0}, threading.Event()

    def ask():
        while not stop.is_set():
            with Peer(server, clear=True) as peer:
                for _ in range(100):  # nginx ends a connection after a thousand requests
                    for token, active in ((live, True), (dead, False)):
                        reply = peer.introspect(token, faulty.rs1)
                        counts[reply.status] = counts.get(reply.status, 0) + 1
                        if reply.status == 200 and reply.json["active"] is not active:
                            wrong.append((active, reply.body))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    try:
        for i in range(60 if DEEP else 20):
            token = faulty.at()["access_token"]
            faults.arm("meta:1:once:EIO" + (",open:1:once:EMFILE" if i % 3 == 0 else ""), path=server.store)
            reply = server.revoke(token, faulty.cl1, clear=True)
            faults.disarm()
            assert reply.status in (200, 503)
            wait_until(lambda: server.revoke(token, faulty.cl1, clear=True).status == 200, what="revoking works again")
            told = wait_until(lambda: (lambda r: r if r.status == 200 else None)(server.introspect(token, faulty.rs1)), what="an answer")
            assert told.json == {"active": False}
    finally:
        faults.disarm()
        stop.set()
        for t in threads:
            t.join()
    assert not wrong and set(counts) == {200, 503} and counts[200] > 100, (wrong[:3], counts)
    wait_until(lambda: is_ready(server), what="ready again")


# -- room

def revoke_all(world, tokens, client):
    """Revokes them; a first 503 on finding the disk full is allowed, no more."""
    late = 0
    with Peer(world.server, clear=True) as peer:
        for token in tokens:
            reply = peer.post("/oauth2/revoke", {"token": token}, client)
            if reply.status == 503:
                late += 1
                reply = peer.post("/oauth2/revoke", {"token": token}, client)
            assert reply.status == 200, reply.body
            assert not peer.active(token, world.rs1)
    assert late <= 2


def issue_until_full(world, limit=30000):
    """Large access tokens of `big` over several connections, until one is refused."""
    scope = " ".join(f"scope-{i:02}-abcdefgh" for i in range(56))
    client = world.server.add_client("big", "--grant", "client_credentials", "--scope", scope, "--audience", API1)
    world.big = client["client_id"], client["client_secret"]
    tokens, over = [], threading.Event()

    def issue():
        while not over.is_set() and len(tokens) < limit:
            with Peer(world.server, clear=True) as peer:
                for _ in range(500):  # nginx ends a connection after a thousand requests
                    reply = peer.post("/oauth2/token", {"grant_type": "client_credentials", "scope": scope}, world.big)
                    if reply.status != 200:
                        assert refused(reply)
                        over.set()
                        return
                    tokens.append(reply.json["access_token"])

    threads = [threading.Thread(target=issue) for _ in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert over.is_set()
    return tokens


def fill_and_recover(world, fill, free):
    """F-20, REL-09: the disk is full, then it is not."""
    server = world.server
    wait_until(lambda: (server.store / "ballast").exists(), what="the ballast")
    kept = [world.at()["access_token"] for _ in range(5)]
    fill()
    tokens = issue_until_full(world)
    assert refused(server.token({"grant_type": "client_credentials"}, world.cl1))
    wait_until(lambda: reasons(server) == (503, ["store_full"]), what="store_full")
    assert all(world.active(t) for t in kept)
    revoke_all(world, kept[:4], world.cl1)
    revoke_all(world, tokens[:200], world.big)
    assert world.active(kept[4]) and not any(world.active(t) for t in kept[:4])
    free()
    wait_until(lambda: is_ready(server), what="ready again")
    wait_until(lambda: (server.store / "ballast").exists(), what="the ballast again")
    assert server.token({"grant_type": "client_credentials"}, world.cl1).status == 200
    assert world.active(kept[4]) and not any(world.active(t) for t in kept[:4])


def test_on_a_full_disk_issuing_stops_and_revoking_goes_on():
    """F-20, REL-09, REL-05: on a disk that the shim plays."""
    with FaultyServer() as server:
        world = World(server)
        server.faults.disk(server.store, 8 << 20)

        def fill():
            used = sum(f.stat().st_size for f in server.store.iterdir())
            server.faults.disk(server.store, used + 300000)

        fill_and_recover(world, fill, lambda: server.faults.disk(server.store, 16 << 20))
        server.check_floor()


@contextlib.contextmanager
def small_disk(path, size):
    """A file system of `size` on `path`."""
    path.mkdir(exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", path], capture_output=True).returncode != 0:
        pytest.skip("mounting wants root")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


def test_on_a_full_file_system_issuing_stops_and_revoking_goes_on():
    """F-20, REL-09: on a real one of 8 MiB, filled by another file."""
    with Server(start=False) as server:
        shutil.rmtree(server.store)
        with small_disk(server.store, "8m"):
            server.cli("store", "create", server.store, store=None)
            server.start()
            world = World(server)
            other = server.store / "lost+found"

            def fill():
                left = os.statvfs(server.store)
                with open(other, "wb") as f:
                    f.write(b"x" * (left.f_bavail * left.f_frsize - 300000))

            fill_and_recover(world, fill, other.unlink)
            server.check_floor()
            server.process.terminate()
            server.process.wait(30)


def test_at_max_size_issuing_stops_and_a_reload_raises_it():
    """F-21, REL-09: issuing stops at 95 %, 200 revocations are acknowledged, and a larger max_size comes by reload without
    an error in any process. (A thousand in 8 MiB: store_fault.c.)"""
    with Server(store_options="max_size=2m") as server:
        world = World(server)
        tokens = issue_until_full(world)
        assert len(tokens) > 1000
        wait_until(lambda: reasons(server) == (503, ["store_full"]), what="store_full")
        assert world.active(tokens[0])
        revoke_all(world, tokens[:200], world.big)
        server.store_options = "max_size=64m"
        (server.dir / "nginx.conf").write_text(server.conf())
        server.reload()
        wait_until(lambda: is_ready(server), what="ready again")
        assert server.token({"grant_type": "client_credentials"}, world.cl1).status == 200
        assert world.active(tokens[-1]) and not world.active(tokens[0])
        server.check_floor()
        assert not [line for line in server.log().splitlines() if "[error]" in line and "store_full" not in line and "full" not in line]


def test_a_file_size_limit_kills_nobody():
    """F-22: SIGXFSZ is ignored; writes are 503, reads go on, the same workers are there afterwards."""
    with Server(workers=1) as server:
        world = World(server)
        token = world.at()["access_token"]
        pid = server.worker_pids()[0]
        ignored = next(int(line.split()[1], 16) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
        assert ignored & 1 << (signal.SIGXFSZ - 1)
        size = (server.store / "data").stat().st_size
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        issue_until_full(world)
        assert world.active(token)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
        wait_until(lambda: is_ready(server), what="ready again")
        assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
        assert server.worker_pids() == [pid]
        server.check_floor()


def test_a_file_size_limit_is_an_error_of_the_command():
    """F-22: exit code 1 and a line, not death by a signal."""
    with Server(start=False) as server:
        done = subprocess.run(["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", ASSAY, "client", "add", "robot", "--grant", "client_credentials",
                               "--scope", "read", "--audience", "https://api.example.com", "--store", str(server.store)],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and done.stderr.strip(), done
        assert server.cli_json("client", "list") in ([], {"clients": []}) or "robot" not in server.cli("client", "list").stdout


# -- the write lock

@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_a_stopped_worker_with_the_write_lock_delays_no_read(end):
    """F-06, REL-07: reads go on elsewhere, writes are 503 in about two seconds, store_write_blocked says why, and both end
    by themselves when the worker goes on or dies."""
    with FaultyServer() as server:
        world = World(server)
        token, other = world.at()["access_token"], world.at()["access_token"]
        server.faults.arm("fdatasync:1:once:stop", path=server.store)
        held = server.connect(clear=True)
        body = f"token={other}"
        held.sendall(f"POST /oauth2/revoke HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.cl1)}\r\nContent-Type: {FORM}\r\n"
                     f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        wait_until(lambda: server.faults.fired == 1, what="a worker stops")
        stopped = server.faults.fired_pid
        wait_until(lambda: pathlib.Path(f"/proc/{stopped}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T", what="it has stopped")
        server.faults.disarm()
        assert stopped in server.worker_pids()
        start = time.monotonic()
        assert all(world.active(token) for _ in range(20))
        assert time.monotonic() - start < 5
        start = time.monotonic()
        assert refused(server.revoke(token, world.cl1))
        assert 1.5 < time.monotonic() - start < 10
        assert "store_write_blocked" in reasons(server)[1]
        assert world.active(token)
        os.kill(stopped, end)
        wait_until(lambda: server.revoke(token, world.cl1).status == 200, what="revoking works again")
        assert not world.active(token)
        wait_until(lambda: is_ready(server), what="ready again")
        held.close()
        server.check_floor(allow=("exited on signal 9",) if end == signal.SIGKILL else ())


def test_the_command_does_not_wait_for_ever_for_the_write_lock():
    """F-06, REL-07: it says so and ends."""
    with FaultyServer(workers=1) as server:
        world = World(server)
        token = world.at()
        server.faults.arm("fdatasync:1:once:stop", path=server.store)
        held = server.connect(clear=True)
        body = f"token={token['access_token']}"
        held.sendall(f"POST /oauth2/revoke HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.cl1)}\r\nContent-Type: {FORM}\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        wait_until(lambda: server.faults.fired == 1, what="the worker stops")
        done = server.cli("subject", "end", "alice", check=False)
        assert done.returncode == 1 and "no answer in time" in done.stderr, done
        os.kill(server.faults.fired_pid, signal.SIGCONT)
        server.faults.disarm()
        wait_until(lambda: not world.active(token["access_token"]), what="the revocation goes through")
        held.close()


# -- files

def test_a_store_that_cannot_be_used_is_refused_at_the_start():
    """F-26, F-27: cut short (with sizes), damaged, empty, missing: `nginx -t` says file, line and cause; nothing is made."""
    with Server(start=False) as server:
        data = server.store / "data"
        whole = data.read_bytes()

        def refusal():
            done = server.test_conf()
            assert done.returncode != 0
            return done.stderr

        data.write_bytes(whole[:-4096])
        text = refusal()
        assert "cut short" in text and str(len(whole) - 4096) in text and str(len(whole)) in text and "nginx.conf:" in text
        text = server.cli("store", "stat", check=False).stderr
        assert "cut short" in text and str(len(whole)) in text
        data.write_bytes(bytes(4096) + whole[4096:])
        assert "damaged" in refusal()
        data.write_bytes(b"")
        assert "assay store create" in refusal() and data.stat().st_size == 0
        data.unlink()
        assert "assay store create" in refusal() and not data.exists()
        shutil.rmtree(server.store)
        assert "assay store create" in refusal() and not server.store.exists()
        assert server.cli("store", "stat", check=False).returncode == 1 and not server.store.exists()


def test_a_deleted_lock_file_stops_writes_and_keeps_the_command_out():
    """F-35: noticed, word store_replaced; the command makes no second one; a restart mends it."""
    with Server() as server:
        world = World(server)
        token = world.at()["access_token"]
        (server.store / "data-lock").unlink()
        wait_until(lambda: all(reasons(server) == (503, ["store_replaced"]) for _ in range(6)), what="store_replaced")
        assert refused(server.revoke(token, world.cl1))
        assert world.active(token)
        done = server.cli("subject", "end", "alice", check=False)
        assert done.returncode == 1 and "lock file" in done.stderr
        assert not (server.store / "data-lock").exists()
        server.reload()
        wait_until(lambda: is_ready(server), seconds=20, what="ready again")
        assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
        server.check_floor()


def test_a_lock_file_left_over_or_foreign():
    """F-35: one left by a crash is taken over; one that may not be opened is named."""
    with Server() as server:
        world = World(server)
        token = world.at()["access_token"]
        server.kill_all()
        (server.store / "data-lock").write_bytes(b"left over" * 1000)
        server.start()
        assert world.active(token)
        assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
    with Server(start=False) as server:
        code, _, text = faulty_cli(server, "store", "stat", fault="open:1:lasting:EACCES", path="data-lock")
        assert code == 1 and "belong to another user" in text
