"""Limits and remembered secrets are of the host: shared by workers, kept by reloads and by the death of a worker."""
import os
import signal
import threading
import time

import pytest

from harness import API1, INACTIVE, Server, World, wait_until


def own_secret(server, name="brought", secret="correct horse battery"):
    """A resource server whose secret its operator chose: kept by scrypt."""
    file = server.dir / "own.secret"
    file.write_text(secret)
    file.chmod(0o600)
    server.add_client(name, "--resource-server", "--audience", API1, "--secret-file", file)
    server.remember(secret)
    return name, secret


def kill_workers(server):
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server.get("/healthz"), what="workers serve again")


def test_a_limit_outlives_the_workers_that_counted(own):
    """A-AUTH-20, REL-06: killed at any moment, workers take no lock and no counter with them."""
    server = own.server
    assert [server.introspect("x", ("rs1", "wrong")).status for _ in range(20)] == [401] * 20
    kill_workers(server)
    assert server.introspect("x", ("rs1", "wrong")).status == 429
    assert server.introspect("x", own.rs1).body == INACTIVE
    assert server.introspect("x", ("rs1", "wrong"), source="127.0.0.2").status == 401  # another source
    server.check_floor(allow=("exited on signal 9",))


def test_failures_of_one_ipv6_network_are_counted_together(own):
    """A-AUTH-20: a network of 64 bits is one source."""
    server = own.server
    statuses = [server.introspect("x", ("rs1", "wrong"), source=f"2001:db8::{i}").status for i in range(1, 23)]
    assert statuses == [401] * 20 + [429] * 2
    assert server.introspect("x", ("rs1", "wrong"), source="2001:db8:0:1::1").status == 401


def test_failing_under_other_names_frees_nobody(own):
    """A-AUTH-20: many names from one source do not flush the counter of one that is limited."""
    server = own.server
    for _ in range(20):
        server.introspect("x", ("rs1", "wrong"))
    for i in range(300):
        server.introspect("x", (f"nobody{i}", "wrong"))
    assert server.introspect("x", ("rs1", "wrong")).status == 429


def test_a_remembered_secret_passes_where_its_source_is_limited(own):
    """A-AUTH-20: a busy caller with a secret of its own is verified once per host, and then never waits for others' failures."""
    server = own.server
    auth = own_secret(server)
    assert server.introspect("x", auth).body == INACTIVE
    for _ in range(25):
        server.introspect("x", (auth[0], "wrong horse"))
    assert server.introspect("x", (auth[0], "wrong horse")).status == 429
    started = time.monotonic()
    for _ in range(40):  # on every worker: whoever has not verified it looks into the shared memory
        assert server.introspect("x", auth).body == INACTIVE
    kill_workers(server)
    server.reload()
    for _ in range(40):
        assert server.introspect("x", auth).body == INACTIVE
    assert time.monotonic() - started < 30
    server.check_floor(allow=("exited on signal 9",))
    server.check_canaries()


def test_a_changed_secret_is_remembered_no_longer(own):
    """A-AUTH-22: what was verified is bound to the stored hash."""
    server = own.server
    auth = own_secret(server)
    assert server.introspect("x", auth).body == INACTIVE
    server.cli("client", "rotate-secret", auth[0], "--overlap", "0")
    assert all(server.introspect("x", auth).status == 401 for _ in range(8))


def test_scrypt_is_computed_beside_the_event_loop():
    """REL-12: while secrets are being verified, the same worker answers others."""
    with Server(workers=1) as server:
        world = World(server)
        auths = [own_secret(server, f"brought{i}") for i in range(4)]
        answers, stop = [], threading.Event()

        def ask_until_stopped():
            while not stop.is_set():
                assert server.introspect("x", world.rs1).body == INACTIVE
                answers.append(time.monotonic())

        asker = threading.Thread(target=ask_until_stopped)
        asker.start()
        wait_until(lambda: len(answers) > 5, what="the asker asks")
        spans, results = [], []

        def verify(auth):
            start = time.monotonic()
            results.append(server.introspect("x", (auth[0], "wrong horse")).status)
            spans.append((start, time.monotonic()))

        threads = [threading.Thread(target=verify, args=(a,)) for a in auths]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        stop.set()
        asker.join()
        assert results == [401] * 4
        start, end = min(s for s, _ in spans), max(e for _, e in spans)
        assert sum(start < t < end for t in answers) >= 3, (end - start, len(answers))
        server.check_floor()


def test_too_many_scrypts_at_once_are_refused_not_queued_for_ever():
    """REL-17: each takes a core and 32 MiB; beyond the bound a 503 that may be tried again, and the right secret gets through."""
    with Server(workers=1) as server:
        auths = [own_secret(server, f"brought{i}") for i in range(7)]
        results = []

        def verify(auth):
            results.append((auth, server.introspect("x", auth)))

        threads = [threading.Thread(target=verify, args=(a,)) for a in auths]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert {r.status for _, r in results} <= {200, 503}
        assert all(r.header("Retry-After") for _, r in results if r.status == 503)
        for auth, _ in results:
            wait_until(lambda a=auth: server.introspect("x", a).body == INACTIVE, what="it gets through")
        server.check_floor()


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_client_that_leaves_while_its_secret_is_verified_costs_nothing(own, when):
    """A-HTTP-27, A-AUTH-23: the work is dropped or finished for nobody; the client may be gone, and the record too."""
    server = own.server
    auth = own_secret(server)
    import base64
    basic = base64.b64encode(f"{auth[0]}:wrong horse".encode()).decode()
    head = (f"POST /oauth2/introspect HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {basic}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntoken=x").encode()
    for _ in range(6):
        with server.connect() as s:
            s.sendall(head)
            if when == "during":
                time.sleep(0.02)
    if when == "during":
        server.cli("client", "remove", auth[0])
    wait_until(lambda: server.introspect("x", own.rs1).body == INACTIVE, what="others are served")
    server.check_floor()
