"""Connections and protocols at a guarded location: HTTP/2, WebSocket, framing that two readers could take differently, long bodies."""

import socket
import ssl
import subprocess
import time

import httpx
import pytest

import hostile
from guard import Guard, wait_until
from harness import free_port, parse_reply
from peer import certificate


@pytest.fixture(scope="module")
def guard(tmp_path_factory):
    pair = certificate(tmp_path_factory.mktemp("tls"), "gw")
    port = free_port()
    with Guard(server=f"listen 127.0.0.1:{port} ssl http2; ssl_certificate {pair[1]}; ssl_certificate_key {pair[0]};", locations="""
        location /api/ { assay_guard corp; assay_require scope read; assay_set_header X-User $assay_sub; proxy_pass {backend}; }
        location /live/ { assay_guard corp max_age=0; client_max_body_size 0; proxy_pass {backend}; }
        location /ws/ { assay_guard corp; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
            proxy_pass {backend}; }""") as guard:
        guard.allow("AT")
        guard.tls_port, guard.ca = port, pair[1]
        yield guard
        guard.check_floor()


@pytest.fixture
def client(guard):
    with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=guard.ca), base_url=f"https://localhost:{guard.tls_port}", timeout=20) as client:
        yield client


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


# A-GW-01 A-GW-03 A-GW-05 A-GW-07 over HTTP/2
def test_http_2_is_guarded_like_the_rest(guard, client):
    for method in ("GET", "HEAD", "POST", "OPTIONS", "DELETE"):
        before = guard.passed()
        assert client.request(method, "/api/x").status_code == 401
        assert client.request(method, "/api/x", headers=bearer("dead")).status_code == 401
        assert guard.passed() == before
        reply = client.request(method, "/api/x", headers={**bearer("AT"), "X-User": "root"})
        assert reply.http_version == "HTTP/2" and reply.status_code == 200
        assert guard.backend.last.all("X-User") == ["alice"] and guard.backend.last.all("Authorization") == []
    reply = client.get("/api/x", headers=[("authorization", "Bearer AT"), ("authorization", "Bearer AT")])
    assert reply.status_code in (400, 401)
    assert client.get("/api/x?access_token=AT", headers=bearer("AT")).status_code == 400


# A-GW-26 over HTTP/2
@pytest.mark.parametrize("size", [1, 1000, 70000, 3000000])
def test_a_body_over_http_2_arrives_whole_while_the_guard_waits(guard, client, size):
    guard.peer.delay = 0.05
    try:
        body = bytes(i * 31 % 251 for i in range(size))
        assert client.post("/live/x", content=body, headers=bearer("AT")).status_code == 200
        assert guard.backend.last.body == body
    finally:
        guard.peer.delay = 0


# F-77 F-78: streams that are reset while the guard waits
def test_streams_that_are_reset_while_the_guard_waits_cost_nothing(guard):
    guard.peer.delay = 0.3
    try:
        for _ in range(5):
            with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=guard.ca), timeout=0.05) as hasty:
                with pytest.raises(httpx.TimeoutException):
                    hasty.get(f"https://localhost:{guard.tls_port}/live/x", headers=bearer("AT"))
    finally:
        guard.peer.delay = 0
    wait_until(lambda: guard.call("/live/x", token="AT").status == 200, what="it goes on")


# A-GW-09
def test_a_websocket_passes_with_a_token_and_carries_bytes(guard):
    def upgrade(token):
        s = guard.connect()
        s.sendall(f"GET /ws/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n"
                  f"Authorization: Bearer {token}\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(4096)
        return s, int(data.split()[1])
    s, status = upgrade("AT")
    assert status == 101
    s.sendall(b"hello")
    assert s.recv(100) == b"hello"
    s.close()
    s, status = upgrade("dead")
    assert status == 401
    s.close()


# A-GW-11: one request at most reaches the back end, framed anew
@pytest.mark.parametrize("framing", hostile.AMBIGUOUS)
def test_ambiguous_framing_smuggles_nothing_past_the_guard(guard, framing):
    inner = b"GET /api/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for token, most in (("AT", 1), ("dead", 0)):
        before = guard.passed()
        guard.raw(f"POST /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n".encode("latin-1") + b"0\r\n\r\n" + inner, count=3)
        seen = guard.backend.requests[before:]
        assert len(seen) <= most and not any("smuggled" in r.target for r in seen), [r.raw for r in seen]
        for r in seen:
            assert len(r.all("Content-Length")) + len(r.all("Transfer-Encoding")) <= 1


@pytest.mark.parametrize("payload", hostile.BAD_CHUNKS)
def test_bad_chunks_smuggle_nothing_past_the_guard(guard, payload):
    before = guard.passed()
    inner = b"GET /api/smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dead\r\n\r\n"
    guard.raw(b"POST /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer AT\r\nTransfer-Encoding: chunked\r\n\r\n" + payload + inner, count=3)
    assert not any("smuggled" in r.target for r in guard.backend.requests[before:])


# A-GW-35: what is under way may finish; the next is refused
def test_a_token_that_is_revoked_while_the_back_end_works(guard):
    def slow(connection, request):
        if request.target == "/live/slow":
            guard.peer.answers["LATE"] = {"active": False}
            time.sleep(0.1)
        return True
    guard.allow("LATE")
    guard.backend.before = slow
    try:
        assert guard.call("/live/slow", token="LATE").status == 200
        assert guard.call("/live/x", token="LATE").status == 401
    finally:
        guard.backend.before = None


# REL-16: requests of one kept connection are each judged
def test_each_request_of_a_kept_connection_is_judged(guard):
    with guard.connect() as s:
        rest = b""
        for token, status in (("AT", 200), ("dead", 401), ("AT", 200), ("", 401), ("AT", 200)):
            line = f"Authorization: Bearer {token}\r\n" if token else ""
            s.sendall(f"GET /api/x HTTP/1.1\r\nHost: x\r\n{line}\r\n".encode())
            while not (parsed := parse_reply(rest)):
                part = s.recv(65536)
                assert part
                rest += part
            assert parsed[0].status == status
            rest = parsed[1]
        # several at once, the answers in order
        s.sendall(b"".join(f"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {t}\r\n\r\n".encode() for t in ("AT", "dead", "AT")))
        statuses = []
        while len(statuses) < 3:
            if parsed := parse_reply(rest):
                statuses.append(parsed[0].status)
                rest = parsed[1]
                continue
            part = s.recv(65536)
            assert part
            rest += part
        assert statuses == [200, 401, 200]


def test_a_client_that_only_stops_sending_is_not_taken_for_gone_before_it_is_answered(guard):
    """nginx takes a half-closed connection for a client that left; what matters is that nothing passes twice or hangs."""
    with guard.connect() as s:
        s.sendall(b"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer AT\r\nConnection: close\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        s.settimeout(10)
        data = s.recv(65536)
        assert data == b"" or data.startswith(b"HTTP/1.1 200")


def over_tls(port, name, request, session, early=None, resume=False):
    """openssl itself, since no Python client resumes a session under another name or sends early data. (what came, what it said of the session)"""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-tls1_3", "-ign_eof",
               "-sess_in" if resume else "-sess_out", str(session), *(["-early_data", str(early)] if early else [])]
    done = subprocess.run(command, input=request, capture_output=True, timeout=20)
    return done.stdout + done.stderr


# A-GW-34: what a connection has shown under one name, or before its handshake was over, is nobody's identity under another
def test_no_identity_is_carried_over_by_tls(tmp_path):
    pair = certificate(tmp_path, "c", san="DNS:a.test,DNS:b.test")
    port = free_port()
    tls = f"ssl_certificate {pair[1]}; ssl_certificate_key {pair[0]}; ssl_protocols TLSv1.3; ssl_early_data on; ssl_session_cache shared:s:1m; assay_guard corp;"
    http = f"""server {{ listen 127.0.0.1:{port} ssl; server_name a.test; {tls} location / {{ proxy_pass {{backend}}; }} }}
        server {{ listen 127.0.0.1:{port} ssl; server_name b.test; {tls} assay_require scope admin; location / {{ proxy_pass {{backend}}; }} }}"""
    with Guard(http=http) as guard:
        token = guard.allow("T")

        def ask(name, token):
            field = f"Authorization: Bearer {token}\r\n" if token else ""
            return f"GET /x HTTP/1.1\r\nHost: {name}\r\n{field}Connection: close\r\n\r\n".encode()

        session = tmp_path / "session"
        assert b"HTTP/1.1 200 " in over_tls(port, "a.test", ask("a.test", token), session)
        (tmp_path / "early").write_bytes(ask("a.test", None))
        came = over_tls(port, "a.test", b"", session, early=tmp_path / "early", resume=True)
        assert b"Early data was accepted" in came and b"HTTP/1.1 401 " in came and b"HTTP/1.1 200 " not in came
        came = over_tls(port, "b.test", ask("b.test", None), session, resume=True)
        assert b"HTTP/1.1 200 " not in came and b"HTTP/1.1 4" in came
        came = over_tls(port, "b.test", ask("b.test", token), session, resume=True)
        assert b"HTTP/1.1 403 " in came
        assert guard.passed() == 1
