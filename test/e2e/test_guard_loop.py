"""The guard's questions on nginx's event loop: what arrives when nobody asked, and what nginx does with events."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

from guard import API, Guard, live
from harness import free_port, wait_until
from peer import AuthorizationServer, certificate, response


def told_twice(connection, request):
    """Inactive, as it is; and a moment later, on the idle connection, what would be the answer to the next question."""
    connection.sendall(response({"active": False}))
    time.sleep(0.05)
    connection.sendall(response(live()))
    return True


# A-RESP-09 A-GW-30: a response that nobody asked for is nobody's answer
def test_what_arrives_on_an_idle_connection_answers_no_question():
    with AuthorizationServer() as own, Guard(peer=own, provider="inactive_age 0; max_age 0;") as guard:
        own.misbehave = told_twice
        for i in range(10):
            assert guard.call(token=f"dead{i}").status == 401
            wait_until(lambda: own.count(f"dead{i}") == 1, what="it was asked")
            time.sleep(0.1)  # until what nobody asked for is there: no condition to wait for shows that from outside
        assert own.connections == 10


# REL-06 F-78: with accept_mutex nginx puts off what is ready, and a connection may be gone by then: who asked has left,
# and the question's time was over, in the same turn in which its answer came
def test_events_that_were_put_off_reach_nobody_who_is_gone():
    go, sent = threading.Event(), []

    def together(connection, request):
        go.wait(10)
        connection.sendall(response(live()))
        sent.append(request)
        return True

    with AuthorizationServer() as own, Guard(peer=own, workers=2, connections=1024, events="accept_mutex on; multi_accept on;", provider="""
            max_age 0; max_asking 256 256; timeout 500ms; connect_timeout 400ms;""") as guard:
        workers, own.misbehave = guard.worker_pids(), together
        clients = [guard.connect() for _ in range(100)]
        for i, client in enumerate(clients):
            client.sendall(f"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T{i}\r\n\r\n".encode())
        wait_until(lambda: own.count() == 100, what="all are asked about")
        for pid in workers:  # so that all of it is ready at once
            os.kill(pid, signal.SIGSTOP)
        go.set()
        for client in clients:
            client.close()
        wait_until(lambda: len(sent) == 100, what="all answers are there")
        time.sleep(0.6)  # until all of them are too late
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        own.misbehave = None
        guard.allow("T")
        wait_until(lambda: guard.call(token="T").status == 200, what="it goes on")
        assert guard.worker_pids() == workers
        guard.check_floor()


# REL-16: with questions under way, and connections kept, a reload ends the old workers and is silent
def test_a_reload_waits_for_no_kept_connection_and_is_silent():
    with Guard(provider="max_age 0;", workers=2) as guard:
        for i in range(6):
            assert guard.call(token=guard.allow(f"T{i}")).status == 200
        old = guard.worker_pids()
        guard.reload()
        wait_until(lambda: not set(old) & set(guard.worker_pids()), seconds=5, what="the old workers are gone")
        assert guard.call(token="T1").status == 200
        assert not [line for line in guard.log().splitlines() if any(f"[{level}]" in line for level in ("warn", "error", "crit", "alert", "emerg"))]


# "HTTP/2 where offered": one connection carries many questions at once, and frames between them are no answer to anybody
def test_over_http_2_questions_share_a_connection(tmp_path):
    key, cert = certificate(tmp_path, "c")
    port = free_port()
    said = json.dumps({"active": True, "scope": "read", "aud": API, "sub": "alice"})
    temp = "".join(f"{n}_temp_path {tmp_path}/{n}; " for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "as.conf").write_text(f"""
{"user root;" if os.geteuid() == 0 else ""} daemon off; pid {tmp_path}/as.pid; error_log {tmp_path}/as.log; events {{}}
http {{ {temp} log_format c '$connection $server_protocol'; access_log {tmp_path}/as.access c; default_type application/json;
    server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key}; location / {{ proxy_pass http://unix:{tmp_path}/app; }} }}
    server {{ listen unix:{tmp_path}/app; access_log off; location / {{ return 200 '{said}'; }} }} }}""")
    process = subprocess.Popen(["nginx", "-c", tmp_path / "as.conf", "-p", tmp_path, "-e", tmp_path / "as.log"], env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, what="the server listens")
        with Guard(endpoint=f"https://localhost:{port}/introspect", provider=f"ca_file {cert}; max_age 0; max_asking 64 64;") as guard:
            statuses = []

            def ask(n):
                for i in range(20):
                    statuses.append(guard.call(token=f"T{n}-{i}").status)

            threads = [threading.Thread(target=ask, args=(n,)) for n in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert statuses == [200] * 320, guard.log()[-1500:]
        lines = wait_until(lambda: len(lines := (tmp_path / "as.access").read_text().splitlines()) >= 320 and lines, what="all are in the log")
        lines = [line.split() for line in lines]
        assert {protocol for _, protocol in lines} == {"HTTP/2.0"} and len(lines) == 320
        assert len({connection for connection, _ in lines}) <= 16  # nobody waited for the first to be there, and none was wasted
    finally:
        process.terminate()
        process.wait(10)
