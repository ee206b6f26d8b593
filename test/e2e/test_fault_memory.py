"""Memory, descriptors and randomness that are not to be had: requests are refused whole, nothing leaks, and the next one
works."""

import contextlib
import os
import pathlib
import resource
import signal
import socket
import subprocess
import urllib.parse

import proc
import pytest

from fault import DEEP, SHIM, FaultyServer, faulty_cli, refused
from harness import ASSAY, FORM, Peer, Server, World, basic, parse_reply, wait_until

# Under ASan the shim must come before its runtime, which then stands behind the shim's malloc.
SANITIZED = bool(os.environ.get("ASSAY_LD_PRELOAD"))


class HungryServer(FaultyServer):
    """The shim before all else."""

    def nginx(self, *args):
        command = super().nginx(*args)
        others = [part for part in command["env"]["LD_PRELOAD"].split() if part != str(SHIM)]
        command["env"]["LD_PRELOAD"] = " ".join([str(SHIM), *others])
        if SANITIZED:
            command["env"]["ASAN_OPTIONS"] = command["env"].get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return command


def exchange(server, method, path, form=None, auth=None):
    """One request on a fresh cleartext connection: its reply, or None when the connection ended."""
    body = urllib.parse.urlencode(form or {})
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Length: {len(body)}"]
    head += [f"Authorization: {basic(*auth)}", f"Content-Type: {FORM}"] if auth else []
    data = b""
    with contextlib.suppress(OSError), server.connect(clear=True, timeout=20) as s:
        s.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        while part := s.recv(65536):
            data += part
    parsed = parse_reply(data)
    return parsed[0] if parsed else None


def requests_of(world):
    """name, how to ask, what the right answer is: (status, a test of its body)."""
    live, dead = world.at()["access_token"], world.at()["access_token"]
    assert world.server.revoke(dead, world.cl1).status == 200
    server = world.server
    yield ("introspect a live token", lambda: exchange(server, "POST", "/oauth2/introspect", {"token": live}, world.rs1),
           lambda r: r.json["active"] is True)
    yield ("introspect a dead token", lambda: exchange(server, "POST", "/oauth2/introspect", {"token": dead}, world.rs1),
           lambda r: r.json == {"active": False})
    yield ("issue", lambda: exchange(server, "POST", "/oauth2/token", {"grant_type": "client_credentials"}, world.cl1),
           lambda r: r.json["access_token"])
    yield "ready", lambda: exchange(server, "GET", "/readyz"), lambda r: r.json["ready"] is True
    yield "metadata", lambda: exchange(server, "GET", "/.well-known/oauth-authorization-server"), lambda r: r.json["issuer"]
    yield "metrics", lambda: exchange(server, "GET", "/metrics"), lambda r: b"assay_requests_total" in r.body


def is_trouble(reply):
    return reply is None or reply.status in (400, 500, 503)


def steps():
    """1, 2, 3, ... in the long form; the first thirty and then some of them in the short one."""
    n = 1
    while True:
        yield n
        n += 1 if DEEP or n < (12 if SANITIZED else 30) else 7


@pytest.mark.parametrize("mode", ["once", "lasting"])
def test_no_failed_allocation_of_a_request_makes_a_wrong_answer(mode):
    """F-44, REL-04, REL-05, REL-11: the n-th allocation that nginx or the module makes for a request fails, alone or with all
    after it; the answer is right, or trouble of ours, or the connection ends; a dead token is never active, a live one never
    inactive. The next request works, by the same worker."""
    with HungryServer(workers=1) as server:
        world = World(server)
        pid = server.worker_pids()
        for name, ask, is_right in requests_of(world):
            first = ask()
            assert first is not None and is_right(first), (name, first and first.raw, server.log()[-3000:])
            for n in steps():
                server.faults.arm(f"alloc:{n}:{mode}:ENOMEM", caller="nginx" if n % 2 or mode == "once" else "")
                reply = ask()
                fired = server.faults.fired
                server.faults.disarm()
                assert is_trouble(reply) or reply.status == 200 and is_right(reply), (name, n, reply.status, reply.body)
                if not fired:
                    break
            assert n > 1, name  # something was struck
            wait_until(lambda: (lambda r: r is not None and r.status == 200 and is_right(r))(ask()), what=f"{name} works again")
        assert server.worker_pids() == pid
        server.check_floor(allow=("alloc", "memory"))
        server.check_canaries()


def test_no_failed_allocation_makes_a_revocation_a_lie():
    """F-44, A-TOK-14, REL-05: 200 means dead, whatever allocation fails; anything else is said to be trouble, and a repetition
    works."""
    with HungryServer(workers=1) as server:
        world = World(server)
        for caller in ("nginx", "liblmdb", "ngx_http_assay", "libcrypto"):
            for n in steps():
                token = server.token({"grant_type": "client_credentials"}, world.cl1, clear=True).json["access_token"]
                server.faults.arm(f"alloc:{n}:once:ENOMEM", caller=caller)
                reply = exchange(server, "POST", "/oauth2/revoke", {"token": token}, world.cl1)
                fired = server.faults.fired
                server.faults.disarm()
                assert is_trouble(reply) or reply.status == 200, reply.status
                if reply is not None and reply.status == 200:
                    assert not world.active(token), (caller, n)
                else:
                    assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
                if not fired:
                    break
        server.check_floor(allow=("alloc", "memory"))


def test_failed_allocations_leak_nothing():
    """F-44, N6: after a thousand failures the worker holds as much memory and as many descriptors as after a hundred."""
    with HungryServer(workers=1) as server:
        world = World(server)
        token = world.at()["access_token"]
        pid = server.worker_pids()[0]

        def hurt(count):
            for i in range(count):
                server.faults.arm(f"alloc:{i % 25 + 1}:once:ENOMEM")
                exchange(server, "POST", "/oauth2/introspect", {"token": token}, world.rs1)
            server.faults.disarm()
            assert world.active(token)
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            return int(next(line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")))

        def descriptors():
            return len(proc.open_files(pid))

        before = descriptors()
        first = hurt(200)
        last = hurt(1000)
        assert SANITIZED or last - first < 1024, (first, last)  # KiB
        wait_until(lambda: descriptors() <= before, what="no descriptor has leaked")
        assert server.worker_pids() == [pid]


@pytest.mark.no_asan
def test_no_failed_allocation_of_the_start_ends_in_half_a_server():
    """F-44: reading the configuration fails, with a code and a line, or succeeds, whichever allocation it is denied. (What
    a worker does without memory is the next test's.)"""
    with FaultyServer(start=False) as server:
        (server.dir / "nginx.conf").write_text(server.conf())
        command = server.nginx("-t")
        refusals = 0
        for caller in ("ngx_http_assay", "sbin/nginx", *(("libcrypto",) if DEEP else ())):
            n = 1
            while True:
                server.faults.arm(f"alloc:{n}:once:ENOMEM", caller=caller)
                done = subprocess.run(**command, capture_output=True, text=True, timeout=60)
                fired = server.faults.fired
                if not fired:
                    break
                assert done.returncode in (0, 1), (caller, n, done)
                assert done.returncode == 0 or done.stderr.strip(), (caller, n)
                refusals += done.returncode
                n += 1 if DEEP and n < 100 else max(1, n // 2)
        assert refusals > 3


@pytest.mark.no_asan
def test_a_reload_without_memory_keeps_the_old_configuration_or_takes_the_new_one():
    """F-44, REL-16: the n-th allocation of a reload fails, in the master or in a new worker: afterwards there are workers, and
    they answer rightly, the old ones or the new."""
    with FaultyServer() as server:
        world = World(server)
        live, dead = world.at()["access_token"], world.at()["access_token"]
        assert server.revoke(dead, world.cl1).status == 200
        n = 1
        while True:
            before = len(server.log())
            server.faults.arm(f"alloc:{n}:once:ENOMEM", caller="nginx")
            server.signal(signal.SIGHUP)
            wait_until(lambda: server.faults.fired or "exited with code 0" in server.log()[before:], what="a fault or a new configuration")
            fired = server.faults.fired
            server.faults.disarm()
            assert server.process.poll() is None
            wait_until(lambda: world.server.worker_pids(), what="workers")
            assert world.active(live) and not world.active(dead), n
            if not fired or n > 3000:
                break
            n += 1 if DEEP and n < 200 else 1 + n // 2
        server.reload()
        assert world.active(live) and not world.active(dead)


@pytest.mark.no_asan
def test_a_worker_that_starts_without_memory_or_descriptors_serves_once_there_are():
    """F-44, F-47, REL-06, REL-11: the store cannot be opened by a new worker: what needs it is 503 with Retry-After, /healthz
    is 200, /readyz says why; and it is opened as soon as it can be, without a restart."""
    with FaultyServer(workers=1) as server:
        world = World(server)
        token = world.at()["access_token"]
        for spec, caller in (("open+openat:1:lasting:EMFILE", ""), ("alloc:1:lasting:ENOMEM", "liblmdb"), ("mmap:1:lasting:ENOMEM", "liblmdb"),
                             ("pthread_create:1:lasting:EAGAIN", "ngx_http_assay"), ("eventfd:1:lasting:EMFILE", "ngx_http_assay")):
            server.faults.arm(spec, path="/" if caller == "" and "open" in spec else "", caller=caller)
            old = server.worker_pids()
            os.kill(old[0], 9)
            wait_until(lambda: server.worker_pids() and server.worker_pids() != old, what="another worker")
            wait_until(lambda: (lambda r: r is not None and r.status == 200)(server.get("/healthz", clear=True)), what="it answers")
            assert server.faults.fired
            assert refused(server.introspect(token, world.rs1, clear=True))
            assert refused(server.revoke(token, world.cl1, clear=True))
            ready = server.get("/readyz", clear=True)
            assert ready.status == 503 and ready.json["reasons"] == ["store_unreadable"]
            server.faults.disarm()
            wait_until(lambda: server.introspect(token, world.rs1).status == 200, what="the store is opened")
            assert world.active(token)
        assert server.revoke(token, world.cl1).status == 200 and not world.active(token)
        server.check_floor(allow=("exited on signal 9",))


# -- descriptors

@pytest.mark.no_asan
def test_out_of_descriptors_requests_are_refused_and_service_returns():
    """F-47, REL-11: with none left, new connections wait or are refused, those that are open are answered; with some again,
    everything works, by the same worker, and nothing has leaked."""
    with Server(workers=1) as server:
        world = World(server)
        token = world.at()["access_token"]
        pid = server.worker_pids()[0]
        with Peer(server, clear=True) as peer:
            assert peer.active(token, world.rs1)
            before = len(proc.open_files(pid))
            unlimited = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (before, unlimited[1]))
            waiting = [socket.create_connection(("127.0.0.1", server.clear_port), timeout=10) for _ in range(20)]
            other = world.at()["access_token"]  # the command has descriptors of its own
            for _ in range(5):
                assert peer.active(token, world.rs1)
                assert peer.post("/oauth2/revoke", {"token": other}, world.cl1).status == 200
                assert not peer.active(other, world.rs1)
            for s in waiting:
                s.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, unlimited)
        wait_until(lambda: world.active(token), what="new connections are taken")
        wait_until(lambda: len(proc.open_files(pid)) <= before, what="no descriptor has leaked")
        assert server.worker_pids() == [pid]
        server.check_floor(allow=("accept4() failed",))


@pytest.mark.no_asan
def test_few_descriptors_from_the_start_are_enough_or_refused():
    """F-47: worker_rlimit_nofile from too few to enough: never a wrong answer, always one or a refusal."""
    for limit in (8, 12, 16, 20, 24) if DEEP else (12, 24):
        with Server(workers=1, main=f"worker_rlimit_nofile {limit};", start=False) as server:
            (server.dir / "nginx.conf").write_text(server.conf())
            server.process = subprocess.Popen(**server.nginx(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            wait_until(lambda: "start worker process" in server.log(), what="it starts")
            world = World(server)
            token = world.at()["access_token"]
            reply = None
            with contextlib.suppress(OSError):
                with server.connect(clear=True, timeout=2) as s:
                    body = f"token={token}"
                    s.sendall(f"POST /oauth2/introspect HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {basic(*world.rs1)}\r\n"
                              f"Content-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
                    data = b""
                    while part := s.recv(65536):
                        data += part
                    reply = parse_reply(data)
            assert reply is None or reply[0].status == 503 or reply[0].status == 200 and reply[0].json["active"] is True
            assert limit < 24 or reply is not None and reply[0].status == 200


@pytest.mark.no_asan
def test_the_command_without_descriptors_says_so():
    """F-47: exit code 1 and a line for each descriptor in turn; the store is whole."""
    with FaultyServer(start=False) as server:
        failed = 0
        for n in range(1, 40):
            code, _, text = faulty_cli(server, "subject", "end", "alice", fault=f"open+openat+eventfd:{n}:once:EMFILE")
            assert code in (0, 1)
            assert code == 0 or text.startswith("assay: "), text
            failed += code
        assert failed >= 4
        assert server.cli("store", "stat").returncode == 0


# -- randomness

@pytest.mark.no_asan
def test_without_randomness_no_token_is_issued():
    """F-49, REL-05: 503, nothing is written; looking and revoking need none and go on; afterwards it works."""
    with FaultyServer(workers=1) as server:
        world = World(server)
        grant = world.grant()
        token = world.at()["access_token"]
        other = world.at()["access_token"]
        seq = server.cli_json("store", "stat")["seq"]
        server.faults.arm("random:1:lasting:EIO", caller="ngx_http_assay")
        assert refused(server.token({"grant_type": "client_credentials"}, world.cl1, clear=True))
        assert server.faults.fired
        assert refused(server.token({"grant_type": "refresh_token", "refresh_token": grant["refresh_token"]}, world.cl1, clear=True))
        assert server.cli_json("store", "stat")["seq"] == seq
        assert server.introspect(token, world.rs1, clear=True).json["active"] is True
        assert server.revoke(other, world.cl1, clear=True).status == 200
        server.faults.disarm()
        assert not world.active(other)
        assert world.refresh(grant["refresh_token"]).status == 200
        assert server.token({"grant_type": "client_credentials"}, world.cl1).status == 200
        server.check_floor()


@pytest.mark.no_asan
def test_without_randomness_nothing_is_created_and_no_server_starts():
    """F-49: no client, no secret, no token, no store, by the command; `nginx` refuses to start."""
    with Server(start=False) as server:
        world = World(server)
        count = len(server.cli("client", "list").stdout.splitlines())
        for args in (("client", "add", "x", "--grant", "client_credentials", "--scope", "read", "--audience", "https://x.example"),
                     ("client", "rotate-secret", "cl1"), ("token", "issue", "--client", "cl1"), ("key", "rotate")):
            code, out, text = faulty_cli(server, *args, fault="random:1:lasting:EIO")
            assert code == 1 and not out and text.startswith("assay: "), (args, code, out, text)
        assert len(server.cli("client", "list").stdout.splitlines()) == count
        without = {**os.environ, "LD_PRELOAD": str(SHIM), "FAULT": "random:1:lasting:EIO"}
        done = subprocess.run([ASSAY, "store", "create", server.dir / "other"], env=without, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and not (server.dir / "other" / "data").exists()
        (server.dir / "nginx.conf").write_text(server.conf())
        command = server.nginx("-t")
        env = {**command["env"], "LD_PRELOAD": str(SHIM), "FAULT": "random:1:lasting:EIO", "FAULT_CALLER": "ngx_http_assay"}
        done = subprocess.run(command["args"], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "assay" in done.stderr, done

