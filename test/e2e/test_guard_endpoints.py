"""Several endpoints, and one that fails in the middle: what is asked again, where, how often, and by when."""

import contextlib
import json
import os
import resource
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest
from guard import Guard, live, wait_until
from peer import AuthorizationServer, Peer, certificate, response, server_context

counter = iter(range(10**6))


def fresh():
    return f"fresh-{next(counter)}"


def silent(connection, request):
    with contextlib.suppress(OSError):
        connection.recv(1)  # until the guard has had enough
    return False


def says(status):
    def how(connection, request):
        connection.sendall(response({"error": "x"}, status))
        return True
    return how


def hangs_up(connection, request):
    return False


def cut(connection, request):
    connection.sendall(response(live())[:-5])
    return False


# "several endpoint addresses tried in turn": whatever the first one lacks, the second is asked, and by the next question at once
@pytest.mark.parametrize("how", [silent, says(500), says(502), says(503), says(429), hangs_up, cut], ids=["silent", "500", "502", "503", "429", "hangs up", "cut"])
def test_a_bad_endpoint_is_left_for_the_next_one(how):
    with AuthorizationServer() as bad, AuthorizationServer() as good:
        bad.misbehave = how
        with Guard(peer=good, endpoint=f"{bad.url} {good.url}", provider="timeout 2s; connect_timeout 500ms; retries 0;") as guard:
            assert guard.call(token=guard.allow(fresh())).status == 200
            assert (bad.count(), good.count()) == (1, 1)
            for _ in range(5):
                assert guard.call(token=guard.allow(fresh())).status == 200
            assert (bad.count(), good.count()) == (1, 6)
            good.misbehave, bad.misbehave = how, None  # and back
            bad.answers[token := fresh()] = live()
            assert guard.call(token=token).status == 200


def test_an_answer_about_the_guard_itself_is_final():
    """401: the next endpoint would say no less, and be asked with a secret that is wrong."""
    with AuthorizationServer() as first, AuthorizationServer() as second:
        first.misbehave = says(401)
        with Guard(peer=second, endpoint=f"{first.url} {second.url}") as guard:
            assert guard.call(token=guard.allow(fresh())).status == 503
            assert second.count() == 0
            guard.check_floor(allow=("as_rejects_us",))


def test_all_endpoints_silent_take_no_longer_than_one_question():
    with AuthorizationServer() as one, AuthorizationServer() as two, AuthorizationServer() as three:
        for server in (one, two, three):
            server.misbehave = silent
        with Guard(peer=one, endpoint=f"{one.url} {two.url} {three.url}", provider="timeout 900ms; connect_timeout 300ms;") as guard:
            begun = time.monotonic()
            assert guard.call(token=fresh()).status == 503
            assert time.monotonic() - begun < 5  # far below three times the client's own patience; the exact end is the guard's
            assert [server.count() for server in (one, two, three)] == [1, 1, 1]


def once(connection, request):
    connection.sendall(response(live(), 200, "application/json", "Connection: close"))
    return False


# RELIABILITY, "1 retry if nothing was received": which costs a server that is down no more than a tenth of what it is asked anyway
def test_retries_are_paid_for_by_questions():
    with AuthorizationServer() as own:
        own.misbehave = hangs_up
        with Guard(peer=own, provider="max_asking 4 4; inactive_age 0;", connections=1024) as guard:
            for i in range(400):
                if i % 2:  # so that it is not taken to be down
                    own.misbehave = once  # nor a connection kept: one that dies in the moment of reuse is nobody's retry (F-68)
                    assert guard.call(token=fresh()).status == 200
                else:
                    own.misbehave = hangs_up
                    guard.call(token=f"lost-{i}")
            lost = [request.form["token"] for request in own.requests if request.form["token"].startswith("lost")]
            again = len(lost) - len(set(lost))
            assert 20 <= again <= 60  # 400 questions earn 40, and 10 were there


# [crit] is not swallowed by other trouble that was logged a moment before
def test_rejected_credentials_are_logged_beside_other_trouble():
    with AuthorizationServer() as own, Guard(peer=own) as guard:
        own.misbehave = says(500)
        assert guard.call(token=fresh()).status == 503
        own.misbehave = says(401)
        assert guard.call(token=fresh()).status == 503
        assert [line for line in guard.log().splitlines() if "[crit]" in line and "as_rejects_us: provider" in line]


class Streams(Peer):
    """An authorization server over HTTP/2; `how(connection, stream, times)` handles a request's head, and False leaves it to be answered."""

    def __init__(self, tls, how):
        self.how, self.seen, self.told = how, [], 0
        super().__init__(tls)

    def serve(self, raw):
        try:
            self.talk(self.tls.wrap_socket(raw, server_side=True))
        except (OSError, ssl.SSLError) as error:
            self.errors.append(error)

    def talk(self, sock):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.flush = lambda: sock.sendall(connection.data_to_send())
        connection.initiate_connection()
        connection.flush()
        handled = set()
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.seen.append(event.stream_id)
                    if self.how(connection, event.stream_id, len(self.seen)):
                        handled.add(event.stream_id)
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id not in handled:
                    tell(connection, event.stream_id)
            connection.flush()


def tell(connection, stream):
    body = json.dumps(live()).encode()
    connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json"), ("content-length", str(len(body)))])
    connection.send_data(stream, body, end_stream=True)


def resets(code):
    def how(connection, stream, times):
        if times == 1:
            connection.reset_stream(stream, code)
        return times == 1
    return how


def begins_and_resets(connection, stream, times):
    if times == 1:
        connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        connection.flush()
        time.sleep(0.05)  # until it has been read: nothing shows that from outside
        connection.reset_stream(stream, 2)
    return times == 1


def answers_before_it_has_read(connection, stream, times):
    """RFC 9113 section 8.1: it wants no more of the request. libcurl may not have sent all of it by then, and gives up."""
    if times == 1:
        tell(connection, stream)
        connection.reset_stream(stream, 0)
    return times == 1


@pytest.mark.parametrize("how", [resets(0), resets(2), resets(7), resets(8), begins_and_resets, answers_before_it_has_read],
                         ids=["no error", "internal error", "refused", "cancel", "begins", "answers early"])
def test_a_stream_that_is_reset_is_asked_about_once_more(tmp_path, how):
    key, cert = certificate(tmp_path, "c")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2"])
    with Streams(context, how) as server, Guard(endpoint=f"https://localhost:{server.port}/introspect", provider=f"ca_file {cert};") as guard:
        assert guard.call(token=fresh()).status == 200, guard.log()[-800:]
        assert len(server.seen) <= 2


def test_a_server_that_resets_every_stream_is_trouble(tmp_path):
    key, cert = certificate(tmp_path, "c")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2"])

    def how(connection, stream, times):
        connection.reset_stream(stream, 2)
        return True

    with Streams(context, how) as server, Guard(endpoint=f"https://localhost:{server.port}/introspect", provider=f"ca_file {cert};") as guard:
        assert guard.call(token=fresh()).status == 503
        assert len(server.seen) == 2


# F-70: up and down: nothing revoked passes after max_age, the server is asked a bounded number of times, and its return is no stampede
def test_a_server_that_flaps():
    period, rounds = (1.0, 60) if os.environ.get("ASSAY_DEEP") else (0.4, 6)
    max_age = 0.3
    with AuthorizationServer() as own, Guard(peer=own, connections=1024, provider=f"max_age {int(max_age * 1000)}ms; inactive_age 200ms; timeout 500ms; connect_timeout 300ms;") as guard:
        living, stop, late, calls = [guard.allow(f"living-{i}") for i in range(4)], threading.Event(), [], []
        revoked, born = {}, ["doomed-0"]

        def client(n):
            while not stop.wait(0.01):
                token = living[n] if n < 4 else born[-min(len(born), 1 + len(calls) % 12)]  # one that lives, or ended a while ago
                ended, begun = revoked.get(token), time.monotonic()
                status = guard.call(token=token).status
                calls.append(status)
                if status == 200 and ended is not None and begun > ended + max_age:
                    late.append(token)

        def doom():
            while not stop.wait(0.05):
                born.append(guard.allow(f"doomed-{len(born)}"))
                if len(born) > 8:
                    del own.answers[born[-8]]
                    revoked[born[-8]] = time.monotonic()

        threads = [threading.Thread(target=client, args=(n,)) for n in range(8)] + [threading.Thread(target=doom)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(rounds):
                own.misbehave = hangs_up
                time.sleep(period)
                own.misbehave = None
                at, since = own.count(living[0]), time.monotonic()
                wait_until(lambda: guard.call(token=living[0]).status == 200, seconds=5, what="its return is noticed")
                assert own.count(living[0]) - at <= 3 + (time.monotonic() - since) / max_age
                time.sleep(period)
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert late == [] and len(revoked) > 10
        assert set(calls) <= {200, 401, 503} and {200, 503} <= set(calls)
        took = 2 * period * rounds
        assert sum(own.count(token) for token in living) <= 4 * (2 + took / max_age) * 2  # each when it is too old, and one retry


# --- discovery ---

def discovered(own, **kwargs):
    issuer = f"http://localhost:{own.port}"
    own.metadata = {"issuer": issuer, "introspection_endpoint": own.url}
    return Guard(peer=own, corp=f"issuer {issuer}; client_id gateway; client_secret_file {{dir}}/secret; timeout 1s; connect_timeout 500ms; max_age 0;", **kwargs)


def reloaded(guard):
    old = set(guard.worker_pids())
    guard.reload()
    wait_until(lambda: not old & set(guard.worker_pids()), what="the old workers are gone")


# F-71: other issuer in the metadata, or none at all: refused, last good kept, alarm; also by workers that never saw the good one
@pytest.mark.parametrize("bad", [{"issuer": "https://other.example.com", "introspection_endpoint": "http://localhost:1/x"}, {}, {"introspection_endpoint": 1}], ids=["other issuer", "empty", "no issuer"])
def test_a_reload_keeps_the_last_good_endpoint(bad):
    with AuthorizationServer() as own, discovered(own, workers=2) as guard:
        assert guard.call(token=guard.allow(fresh(), iss=f"http://localhost:{own.port}")).status == 200
        own.metadata = bad
        for _ in range(2):
            at = len(guard.log())
            reloaded(guard)
            wait_until(lambda: "stays in use" in guard.log()[at:], what="the alarm")
            for _ in range(10):
                assert guard.call(token=guard.allow(fresh(), iss=f"http://localhost:{own.port}")).status == 200


# F-71: address: followed
def test_a_new_address_is_followed():
    with AuthorizationServer() as own, AuthorizationServer() as other, discovered(own) as guard:
        issuer = f"http://localhost:{own.port}"
        assert guard.call(token=guard.allow(fresh(), iss=issuer)).status == 200
        own.metadata = {"issuer": issuer, "introspection_endpoint": other.url}
        other.answers["moved"] = live(iss=issuer)
        reloaded(guard)
        wait_until(lambda: guard.call(token="moved").status == 200, what="it is asked at the new address")
        before = own.count()
        assert guard.call(token="moved").status == 200 and own.count() == before


# F-71: certificate: new handshake
def test_a_new_certificate_is_a_new_handshake(tmp_path):
    first, second = (certificate(tmp_path, name) for name in ("one", "two"))
    (tmp_path / "both.pem").write_bytes(first[1].read_bytes() + second[1].read_bytes())
    own = AuthorizationServer({"T": live()}, tls=server_context(first))
    port = own.port
    try:
        with Guard(peer=own, provider=f"ca_file {tmp_path}/both.pem; max_age 0;") as guard:
            assert guard.call(token="T").status == 200
            own.stop()
            own = AuthorizationServer({"T": live()}, tls=server_context(second), port=port)
            wait_until(lambda: guard.call(token="T").status == 200, what="the new certificate is accepted")
            own.stop()
            own = AuthorizationServer({"T": live()}, tls=server_context(certificate(tmp_path, "stranger")), port=port)
            assert guard.call(token="T").status == 503 and "certificate" in guard.log()
            assert own.count() == 0
    finally:
        own.stop()


# REL-16: metadata that is on its way, or is waited for, keeps no old worker and is worth no line
@pytest.mark.parametrize("slow", [True, False], ids=["under way", "to be tried again"])
def test_a_reload_while_the_endpoint_is_looked_up(slow):
    gate = threading.Event()

    def how(connection, request):
        gate.wait(20)
        return False

    with AuthorizationServer() as own:
        own.documents["/.well-known/oauth-authorization-server"] = own.documents["/.well-known/openid-configuration"] = how if slow else response({}, 404)
        with Guard(peer=own, corp=f"issuer http://localhost:{own.port}; client_id g; client_secret_file {{dir}}/secret; timeout 15s;") as guard:
            wait_until(lambda: own.requests, what="it is looked up")
            at, old = len(guard.log()), guard.worker_pids()
            guard.reload()
            wait_until(lambda: not set(old) & set(guard.worker_pids()), seconds=8, what="the old workers are gone")
            gate.set()
            lines = [line for line in guard.log()[at:].splitlines() if any(f"[{level}]" in line for level in ("warn", "error", "crit", "alert", "emerg"))]
            assert not [line for line in lines if "no metadata" not in line]
            assert slow is False or lines == []


# A-GW-24 guard_herd: ten thousand at once for one token that nobody knows yet
@pytest.mark.skipif(not os.environ.get("ASSAY_DEEP"), reason="ten thousand connections; set ASSAY_DEEP")
def test_ten_thousand_ask_once():
    count = 10000
    gate = threading.Event()

    def how(connection, request):
        gate.wait(60)
        connection.sendall(response(live()))
        return True

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Guard(workers=2, connections=count + 100, provider="timeout 60s; connect_timeout 1s;", locations="location /api/ { assay_guard corp; empty_gif; }") as guard:
        guard.peer.misbehave = how
        clients = [guard.connect(timeout=120) for _ in range(count)]
        for client in clients:
            client.sendall(b"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer herd-token\r\nConnection: close\r\n\r\n")
        wait_until(lambda: guard.peer.count("herd-token") == 1, what="one has asked")
        gate.set()
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            client.close()
        assert guard.peer.count("herd-token") == 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
