"""Several endpoints, and one that fails in the middle: what is asked again, where, how often, and by when."""

import contextlib
import json
import ssl
import time

import h2.config
import h2.connection
import h2.events
import pytest
from guard import Guard, live
from peer import AuthorizationServer, Peer, certificate, response

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
    tell(connection, stream)
    connection.reset_stream(stream, 0)  # RFC 9113 section 8.1: it wants no more of the request
    return True


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
