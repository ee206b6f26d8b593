"""The authorization server is away, slow, wrong or hostile: nothing passes, nobody else waits, and it ends when it ends."""

import contextlib
import socket
import threading
import time

import pytest

import peer
from guard import Guard, live, wait_until
from peer import AuthorizationServer, certificate, response, server_context

QUICK = "timeout 1500ms; connect_timeout 500ms;"


@pytest.fixture(scope="module")
def guard():
    with Guard(provider=QUICK, locations="""
        location /api/ { assay_guard corp; assay_require scope read; proxy_pass {backend}; }
        location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }
        location /open/ { proxy_pass {backend}; }
    """, connections=2048) as guard:
        guard.allow("AT")
        yield guard
        guard.check_floor(allow=("as_rejects_us",))


counter = iter(range(10**6))


def fresh():
    return f"fresh-{next(counter)}"


def in_trouble(guard, token=None, path="/api/x"):
    """503 with Retry-After; the back end sees nothing."""
    before = sum(r.target == path for r in guard.backend.requests)
    reply = guard.call(path, token=token or fresh())
    assert reply.status == 503 and reply.header("Retry-After") == "1", reply.status
    assert reply.header("WWW-Authenticate") is None
    assert sum(r.target == path for r in guard.backend.requests) == before
    return reply


def recovers(guard):
    """Within one probe interval, with a wide margin."""
    token = guard.allow(fresh())
    wait_until(lambda: guard.call("/api/x", token=token).status == 200, seconds=15, what="it recovers")


@contextlib.contextmanager
def misbehaving(guard, how):
    guard.peer.misbehave = how
    try:
        yield
    finally:
        guard.peer.misbehave = None
    recovers(guard)


def sends(data, close=True):
    def how(connection, request):
        connection.sendall(data)
        return not close
    return how


# F-61 F-62 F-63 P-7662-7 P-7662-9
@pytest.mark.parametrize("data", [
    response({"error": "x"}, 500), response(b"<html>bad gateway</html>", 502, "text/html"), response({}, 503), response({}, 429),
    *(response(live(), status, "application/json", "Location: http://localhost:1/introspect") for status in (301, 302, 303, 307, 308))], ids=lambda data: data.split()[1].decode())
def test_trouble_is_503_and_not_remembered(guard, data):
    with misbehaving(guard, sends(data)):
        token = fresh()
        in_trouble(guard, token)
        before = guard.peer.count(token)
        in_trouble(guard, token)
        assert guard.peer.count(token) > before


# F-63: the token and our credentials reach nobody else
def test_redirects_are_not_followed(guard):
    with AuthorizationServer() as other:
        for status in (301, 302, 303, 307, 308):
            with misbehaving(guard, sends(response(b"", status, None, f"Location: {other.url}"))):
                in_trouble(guard)
        assert other.connections == 0


# F-61: it asks to be left alone, and is
def test_retry_after_is_honoured_towards_the_server(guard):
    with AuthorizationServer() as own, Guard(peer=own, backend=guard.backend, provider=QUICK) as other:
        own.misbehave = sends(response({}, 429, "application/json", "Retry-After: 2"))
        in_trouble(other, "one")
        asked = own.count()
        for _ in range(20):
            in_trouble(other)
        assert own.count() == asked
        own.misbehave = None
        recovers_at = wait_until(lambda: other.call(token=other.allow("two")).status == 200 and time.monotonic(), what="it is asked again")
        assert recovers_at


# F-62 P-7662-8
@pytest.mark.parametrize("status", [401, 403])
def test_our_own_bad_credentials_are_our_trouble_and_logged_loudly(guard, status):
    at = len(guard.log())
    with misbehaving(guard, sends(response({"error": "invalid_client"}, status))):
        in_trouble(guard)
        time_of_line = wait_until(lambda: [line for line in guard.log()[at:].splitlines() if "as_rejects_us: provider" in line] or
                                  (in_trouble(guard), None)[1], what="it is logged")
        assert "[crit]" in time_of_line[0] and '"corp"' in time_of_line[0]


# F-60 P-6750-4
def test_a_server_that_is_away_is_503_and_its_return_is_noticed(guard):
    own = AuthorizationServer()
    with Guard(peer=own, backend=guard.backend, provider=QUICK, http="") as other:
        other.allow("AT")
        assert other.call(token="AT").status == 200
        own.stop()
        for _ in range(5):
            in_trouble(other)
        with AuthorizationServer({"AT2": live()}, port=own.port):
            wait_until(lambda: other.call(token="AT2").status == 200, seconds=15, what="its return is noticed")


# F-60: a name that nobody knows; REL-14: what was answered is used as long as its age allows
def test_no_name_no_pass(guard):
    with Guard(peer=guard.peer, backend=guard.backend, provider=QUICK, endpoint="https://nobody.invalid/introspect") as other:
        in_trouble(other)


def test_cached_answers_are_used_until_they_are_too_old_and_no_longer(guard):
    own = AuthorizationServer()
    with Guard(peer=own, backend=guard.backend, provider=QUICK + "max_age 300ms; staleness 1500ms;", locations="""
        location /api/ { assay_guard corp; proxy_pass {backend}; add_header X-Status $assay_cache_status; }
        location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }""") as other:
        other.allow("AT")
        asked = time.monotonic()
        assert other.call(token="AT").status == 200
        own.stop()
        stale = wait_until(lambda: (r := other.call(token="AT")).status != 200 and r or r.header("X-Status") == "STALE" and r, what="it is stale")
        assert stale.status == 200
        assert other.call("/live/x", token="AT").status == 503
        wait_until(lambda: other.call(token="AT").status == 503, what="it is too old")
        assert time.monotonic() - asked >= 1.4
        for _ in range(3):
            in_trouble(other, "AT")


# F-64 F-65
def header_only(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
    return connection.recv(1) and False


def endless_chunks(connection, request):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")


def endless_interim(connection, request):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")


def silent(connection, request):
    connection.recv(1)
    return False


def dripping(connection, request):
    peer.drip(connection, response(live()), every=0.1)
    return False


def half_closed(connection, request):
    connection.sendall(response(live())[:-5])
    connection.shutdown(socket.SHUT_WR)
    return silent(connection, request)


GOOD = response(live(exp=4000000000))
HOSTILE = {
    "header only": header_only, "endless chunks": endless_chunks, "endless 1xx": endless_interim, "silent": silent, "dripping": dripping,
    "half-closed": half_closed, "100 MB": sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n" + b" " * 10**7),
    "1 MiB header": sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20) + b"\r\n" + GOOD.split(b"\r\n", 1)[1]),
    "gzip": sends(GOOD.replace(b"Content-Type", b"Content-Encoding: gzip\r\nContent-Type")),
    "identity": sends(GOOD.replace(b"Content-Type", b"Content-Encoding: identity\r\nContent-Type")),
    "garbage": sends(b"\x00\x01\x02garbage\r\n\r\n"), "HTTP/0.9": sends(b'{"active":true}'), "HTTP/3.0": sends(GOOD.replace(b"HTTP/1.1", b"HTTP/3.0")),
    "SSH": sends(b"SSH-2.0-OpenSSH_9.2\r\n"), "TLS": sends(b"\x16\x03\x01\x00\x05hello"), "nothing": sends(b""), "reset": lambda c, r: c.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00") or False,
    "transfer gzip": sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "short": sends(GOOD[:-1]), "two lengths": sends(GOOD.replace(b"Content-Length", b"Content-Length: 5\r\nContent-Length")),
    "negative length": sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: -1\r\n\r\n" + b'{"active":true}'),
    "bad chunks": sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{\"active\":true}\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_503_within_the_time_limit_and_nobody_else_waits(guard, name):
    with misbehaving(guard, HOSTILE[name]):
        results = []
        threads = [threading.Thread(target=lambda: results.append(in_trouble(guard).status)) for _ in range(2)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        others = [guard.call("/open/x").status for _ in range(20)]
        quick = time.monotonic() - start
        for thread in threads:
            thread.join(20)
        assert results == [503, 503] and others == [200] * 20 and quick < 10


# F-64: reset at every byte position
def test_an_answer_that_is_cut_anywhere_opens_nothing(guard):
    whole = response({"active": True, "scope": "read"})
    for at in range(len(whole)):
        token = fresh()
        guard.peer.answers[token] = sends(whole[:at])
        assert guard.call(token=token).status == 503, whole[:at]
    guard.peer.answers["whole"] = sends(whole)
    wait_until(lambda: guard.call(token="whole").status == 200, what="it goes on")


# F-66: TLS on a plain port and the reverse
def test_tls_where_there_is_none_and_the_reverse(guard):
    with Guard(peer=guard.peer, backend=guard.backend, provider=QUICK, endpoint=f"https://localhost:{guard.peer.port}/introspect") as other:
        before = guard.peer.count()
        in_trouble(other)
        assert guard.peer.count() == before


# F-67 R7662-4-12
@pytest.mark.parametrize("kind", ["self-signed", "other CA", "wrong name", "name in CN only", "no name but CN", "expired", "not for servers"])
def test_a_certificate_that_does_not_hold_is_told_nothing(guard, kind, tmp_path):
    ca = certificate(tmp_path, "ca", subject="/CN=ca", san=None, extra=["-addext", "basicConstraints=critical,CA:TRUE"])
    stranger = certificate(tmp_path, "stranger", subject="/CN=stranger", san=None)
    made = {
        "self-signed": lambda: certificate(tmp_path, "c"),
        "other CA": lambda: certificate(tmp_path, "c", ca=stranger),
        "wrong name": lambda: certificate(tmp_path, "c", san="DNS:other.example.com", ca=ca),
        "name in CN only": lambda: certificate(tmp_path, "c", san="DNS:other.example.com", subject="/CN=localhost", ca=ca),
        "no name but CN": lambda: certificate(tmp_path, "c", san=None, subject="/CN=localhost", ca=ca),
        "expired": lambda: certificate(tmp_path, "c", ca=ca, days=-1),
        "not for servers": lambda: certificate(tmp_path, "c", ca=ca, extra=["-addext", "extendedKeyUsage=clientAuth"]),
    }[kind]()
    with AuthorizationServer({"AT": live()}, tls=server_context(made)) as own:
        with Guard(peer=own, backend=guard.backend, provider=QUICK + f"ca_file {ca[1]};") as other:
            in_trouble(other, "AT")
        assert own.requests == []


def test_a_certificate_that_holds_is_spoken_to(guard, tmp_path):
    pair = certificate(tmp_path, "c")
    with AuthorizationServer({"AT": live()}, tls=server_context(pair)) as own:
        with Guard(peer=own, backend=guard.backend, provider=f"ca_file {pair[1]};") as other:
            assert other.call(token="AT").status == 200
            for _ in range(5):
                assert other.call(token=other.allow(fresh())).status == 200
            assert own.connections == 1  # it is kept


def test_tls_1_1_is_too_old(guard, tmp_path):
    import ssl
    pair = certificate(tmp_path, "c")
    context = server_context(pair)
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with AuthorizationServer({"AT": live()}, tls=context) as own:
        with Guard(peer=own, backend=guard.backend, provider=QUICK + f"ca_file {pair[1]};") as other:
            in_trouble(other, "AT")
        assert own.requests == []


# F-68: kept connections that the server closes without saying so
def test_a_kept_connection_that_was_closed_costs_the_client_nothing(guard):
    def closing(connection, request):
        connection.sendall(response(live()))
        return False
    with AuthorizationServer() as own, Guard(peer=own, backend=guard.backend) as other:
        own.misbehave = closing
        for _ in range(50):
            assert other.call(token=fresh()).status == 200
        assert own.connections >= 50


# F-69 P-9701-3
def test_answers_are_not_swapped(guard):
    def named(connection, request):
        time.sleep(0.001)
        connection.sendall(response(live(sub=request.form["token"])))
        return True
    with AuthorizationServer() as own, Guard(peer=own, backend=guard.backend, workers=2, provider="max_age 0; max_asking 64 64;", locations="""
        location / { assay_guard corp; add_header X-Sub $assay_sub; proxy_pass {backend}; }""") as other:
        own.misbehave = named
        wrong = []

        def ask(name):
            for i in range(60):
                token = f"{name}-{i % 2}"
                reply = other.call("/x", token=token)
                if reply.status != 200 or reply.header("X-Sub") != token:
                    wrong.append((token, reply.status, reply.header("X-Sub")))
        threads = [threading.Thread(target=ask, args=(f"who{i}",)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong


def many(guard, token, count, path="/api/x"):
    """Statuses of `count` requests at once on connections of their own."""
    sockets = [guard.connect() for _ in range(count)]
    for s in sockets:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode())
    statuses = []
    for s in sockets:
        s.settimeout(20)
        statuses.append(int(s.recv(4096).split()[1]))
        s.close()
    return statuses


# A-GW-24 F-77: one question, one answer for all
@pytest.mark.parametrize("workers", [1, 3])
def test_many_requests_for_one_cold_token_ask_once(guard, workers):
    with AuthorizationServer(delay=0.3) as own, Guard(peer=own, backend=guard.backend, workers=workers, connections=2048) as other:
        other.allow("cold")
        assert set(many(other, "cold", 300)) == {200}
        assert own.count("cold") == 1
        assert set(many(other, "dead", 300)) == {401}
        assert own.count("dead") == 1
        own.answers["down"] = response({}, 500)
        assert set(many(other, "down", 100)) == {503}
        assert own.count("down") <= workers
        assert other.call(token="down").status == 503 and own.count("down") <= workers + 1


# F-77 F-78: the first client leaves, or all of them
def test_a_client_that_leaves_takes_nobodys_answer_away(guard):
    with AuthorizationServer(delay=0.3) as own, Guard(peer=own, backend=guard.backend) as other:
        other.allow("left")
        first = other.connect()
        first.sendall(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer left\r\n\r\n")
        wait_until(lambda: own.count("left") == 1, what="it is asked")
        first.close()
        assert set(many(other, "left", 5)) == {200}
        assert own.count("left") == 1
        other.allow("alone")
        for _ in range(20):
            s = other.connect()
            s.sendall(b"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alone\r\n\r\n")
            s.close()
        wait_until(lambda: own.count("alone") == 1, what="it is asked all the same")
        wait_until(lambda: other.call(token="alone").status == 200, what="its answer is kept")
        other.check_floor()


# R7662-4-14, DESIGN 5: a live answer is asked for after the request came
def test_a_location_that_asks_live_is_told_the_truth_of_now(guard):
    with AuthorizationServer() as own, Guard(peer=own, backend=guard.backend, locations="""
        location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }
        location /api/ { assay_guard corp; proxy_pass {backend}; }""") as other:
        other.allow("T")
        assert other.call("/api/x", token="T").status == 200 and other.call("/live/x", token="T").status == 200
        assert own.count("T") == 2
        own.answers["T"] = {"active": False}
        assert other.call("/live/x", token="T").status == 401
        assert other.call("/api/x", token="T").status == 401  # what was learned holds for all
        other.allow("T")
        assert other.call("/live/x", token="T").status == 200


def test_requests_that_ask_live_share_only_what_was_asked_after_they_came(guard):
    with AuthorizationServer(delay=0.2) as own, Guard(peer=own, backend=guard.backend, connections=2048, locations="""
        location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }""") as other:
        other.allow("T")
        assert set(many(other, "T", 200, "/live/x")) == {200}
        assert 2 <= own.count("T") <= 4


# REL-17: a client may hold only so many questions; the others wait their turn
def test_one_address_cannot_take_all_questions(guard):
    with AuthorizationServer(delay=0.5) as own, Guard(peer=own, backend=guard.backend) as other:
        sockets = []
        for i in range(40):
            s = other.connect(source="127.0.0.2")
            s.sendall(f"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer slow{i}\r\nConnection: close\r\n\r\n".encode())
            sockets.append(s)
        wait_until(lambda: own.count() == 8, what="eight are under way")
        other.allow("else")
        assert other.call(token="else").status == 200
        assert own.count() <= 8 + 8 + 1
        for s in sockets:
            s.settimeout(20)
            assert int(s.recv(4096).split()[1]) in (401, 503)
            s.close()


# F-82
def test_the_guard_delays_no_trouble_of_the_back_end(guard):
    with peer.Backend(before=lambda c, r: False) as dead, Guard(peer=guard.peer, backend=dead) as other:
        for _ in range(20):
            assert other.call(token="AT").status == 502


def test_several_endpoints_are_tried_in_turn(guard):
    with AuthorizationServer() as good:
        gone = AuthorizationServer()
        gone.stop()
        with Guard(peer=good, backend=guard.backend, endpoint=f"{gone.url} {good.url}") as other:
            for _ in range(5):
                assert other.call(token=other.allow(fresh())).status == 200


def test_discovery_fills_in_the_endpoint(guard):
    with AuthorizationServer() as own:
        issuer = f"http://localhost:{own.port}"
        own.metadata = {"issuer": issuer, "introspection_endpoint": own.url}
        corp = f"issuer {issuer}; client_id gateway; client_secret_file {{dir}}/secret;"
        for at in ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"):
            own.metadata_at = (at,)
            with Guard(peer=own, backend=guard.backend, corp=corp) as other:
                own.answers["AT"] = live(iss=issuer)
                assert other.call(token="AT").status == 200
        for lie in ({"issuer": issuer + "/", "introspection_endpoint": own.url}, {"issuer": issuer}, {"introspection_endpoint": own.url},
                    {"issuer": issuer, "introspection_endpoint": "http://192.0.2.1/i"}, {"issuer": issuer, "introspection_endpoint": 1}, {}):
            own.metadata = lie
            with Guard(peer=own, backend=guard.backend, corp=corp + "timeout 300ms; connect_timeout 200ms;") as other:
                assert other.call(token="AT").status == 503


def test_discovery_that_comes_late_is_waited_for(guard):
    own = AuthorizationServer()
    issuer, port = f"http://localhost:{own.port}", own.port
    own.stop()
    with Guard(peer=guard.peer, backend=guard.backend, corp=f"issuer {issuer}; client_id gateway; client_secret_file {{dir}}/secret;") as other:
        with AuthorizationServer({"AT": live(iss=issuer)}, port=port) as back:
            back.metadata = {"issuer": issuer, "introspection_endpoint": f"{issuer}/introspect"}
            wait_until(lambda: other.call(token="AT").status == 200, seconds=20, what="the endpoint is found")


@pytest.mark.parametrize("auth,sent", [("client_secret_basic", "Basic"), ("client_secret_post", None), ("bearer", "Bearer")])
def test_the_guard_shows_its_credentials_as_it_is_told(guard, auth, sent):
    with AuthorizationServer() as own:
        file = "bearer_token_file" if auth == "bearer" else "client_secret_file"
        corp = f"introspection_endpoint {own.url}; client_id 'gate way'; {file} {{dir}}/secret; client_auth {auth}; token_parameter tok; parameter a 'b c';"
        with Guard(peer=own, backend=guard.backend, corp=corp) as other:
            own.misbehave = lambda c, r: c.sendall(response(live())) or True
            assert other.call(token="x").status == 200
            asked = own.requests[-1]
            assert (asked.header("Authorization") or "").partition(" ")[0] == (sent or "")
            assert asked.form["tok"] == "x" and asked.form["a"] == "b c"
            assert (asked.form.get("client_id"), "client_secret" in asked.form) == (("gate way", True) if sent is None else (None, False))
