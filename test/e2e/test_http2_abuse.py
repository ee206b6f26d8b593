"""HTTP/2 as no library would send it."""

import threading
import time

import hyperframe.frame as frames
import pytest
from harness import INACTIVE, Peer, Server, World, wait_until
from http2 import Connection

INTROSPECT = "/oauth2/introspect"


@pytest.fixture(scope="module")
def alone(lone):
    return lone.at()["access_token"]


@pytest.fixture(scope="module")
def lasting():
    """As many requests to a connection as `assay serve` allows: nginx's own 1,000 would end some floods early."""
    with Server(workers=1, http="keepalive_requests 100000;") as server:
        yield World(server)
        server.check_floor()
        server.check_canaries()


def ask(server, fields, body):
    with Connection(server) as connection:
        connection.send(connection.headers(1, fields), connection.data(1, body, end=True))
        return connection.finish(1)[0]


def test_a_right_request_made_by_hand_is_answered(lone, alone, untouched):
    """What the tests below take away from this is what makes the difference."""
    body = f"token={alone}".encode()
    for more in ((), [("te", "trailers")], [("x-empty", "")]):
        for length in (None, len(body)):
            answer = ask(lone.server, Connection.request(lone.rs1, length=length, more=more), body)
            assert answer.status == 200 and answer.body.startswith(b'{"active":true')


def without(fields, name):
    return [f for f in fields if f[0] != name]


def with_first(fields, *first):
    return [*first, *fields]


MALFORMED = {
    "data shorter than its length": lambda f, n: f + [("content-length", str(n + 3))],
    "data longer than its length": lambda f, n: f + [("content-length", str(n - 3))],
    "two lengths": lambda f, n: f + [("content-length", str(n)), ("content-length", "3")],
    "length that is no number": lambda f, n: f + [("content-length", "+%d" % n)],
    "name in upper case": lambda f, n: f + [("X-Upper", "a")],
    "connection": lambda f, n: f + [("connection", "keep-alive")],
    "connection: close": lambda f, n: f + [("connection", "close")],
    "keep-alive": lambda f, n: f + [("keep-alive", "timeout=5")],
    "proxy-connection": lambda f, n: f + [("proxy-connection", "keep-alive")],
    "transfer-encoding": lambda f, n: f + [("transfer-encoding", "chunked")],
    "upgrade": lambda f, n: f + [("upgrade", "h2c")],
    "te that is not trailers": lambda f, n: f + [("te", "gzip")],
    "path without slash": lambda f, n: [(":path", "oauth2/introspect") if k == ":path" else (k, v) for k, v in f],
    "no path": lambda f, n: without(f, ":path"),
    "empty path": lambda f, n: [(":path", "") if k == ":path" else (k, v) for k, v in f],
    "star": lambda f, n: [(":path", "*") if k == ":path" else (k, v) for k, v in f],
    "two paths": lambda f, n: with_first(f, (":path", "/healthz")),
    "no method": lambda f, n: without(f, ":method"),
    "two methods": lambda f, n: with_first(f, (":method", "POST")),
    "method with a space": lambda f, n: [(":method", "PO ST") if k == ":method" else (k, v) for k, v in f],
    "two authorities": lambda f, n: with_first(f, (":authority", "b")),
    "host unlike authority": lambda f, n: f + [("host", "evil.example")],
    "pseudo-field behind the others": lambda f, n: f + [(":path", INTROSPECT)],
    "unknown pseudo-field": lambda f, n: with_first(f, (":status", "200")),
    "CR LF in a value": lambda f, n: f + [("x-a", "a\r\nb: c")],
    "LF in a value": lambda f, n: f + [("x-a", "a\nb")],
    "NUL in a value": lambda f, n: f + [("x-a", "a\0b")],
    "CR LF in a name": lambda f, n: f + [("x-a\r\nb", "a")],
    "colon in a name": lambda f, n: f + [("x:a", "a")],
    "empty name": lambda f, n: f + [("", "a")],
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_requests_are_no_requests(lone, alone, untouched, what):
    """A-HTTP-34: a stream error, a 400, or the end of the connection; nothing is looked up."""
    body = f"token={alone}".encode()
    before = lone.server.lookups()
    answer = ask(lone.server, MALFORMED[what](Connection.request(lone.rs1), len(body)), body)
    assert answer.status in (None, 400) and b"active" not in answer.body
    assert lone.server.lookups() == before


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke", "/admin/client/list"])
def test_fields_of_the_connection_are_refused_everywhere(lone, untouched, path):
    """A-HTTP-34"""
    fields = Connection.request(lone.cl1, path=path, more=[("connection", "close")])
    assert ask(lone.server, fields, b"grant_type=client_credentials").status in (400, 403, 415)


@pytest.mark.parametrize("frame", [
    lambda c: c.data(1, b"token=x", end=True), lambda c: b"\x00\x00\x07\x00\x00\x00\x00\x00\x00token=x", lambda c: frames.ContinuationFrame(1, b"").serialize(),
    lambda c: c.headers(2, c.request()), lambda c: c.headers(1, c.request())[:5] + bytes(4) + c.headers(1, c.request())[9:], lambda c: frames.WindowUpdateFrame(0, 0).serialize(),
    lambda c: frames.SettingsFrame(0, settings={4: 2**31}).serialize(), lambda c: b"\x00\x00\x05\x06\x00\x00\x00\x00\x00hello",
    lambda c: b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", lambda c: c.headers(1, c.request(), flags=()) + frames.PingFrame(0, b"12345678").serialize(),
    lambda c: b"\x00\x00\x02\x01\x05\x00\x00\x00\x01\xff\xff", lambda c: c.headers(1, c.request(), end=True) + c.data(1, b"token=x", end=True),
])
def test_frames_that_have_no_place_end_the_connection_or_the_stream(lone, untouched, frame):
    """A-HTTP-34"""
    before = lone.server.lookups()
    with Connection(lone.server) as connection:
        connection.send(frame(connection))
        wait_until(lambda: connection.wait(0.1) or connection.closed or not connection.is_open(1) or connection.goaway is not None, what="an end")
        assert not any(b"active" in s.body for s in connection.streams.values())
    assert lone.server.lookups() == before


def test_interleaved_bodies_stay_apart(lone, alone, untouched):
    """A-HTTP-35: frames of one byte, in turn, of streams that ask for different tokens by different callers."""
    asked = {1: (f"token={alone}", lone.rs1, True), 3: ("token=random-and-long-enough-to-overlap-with-the-other", lone.rs1, False),
             5: (f"token={alone}", lone.rs2, False), 7: (f"token={alone}&token_type_hint=x", lone.rs1, True), 9: (f"token={alone}x", lone.rs1, False)}
    with Connection(lone.server) as connection:
        connection.send(*(connection.headers(n, connection.request(auth)) for n, (_, auth, _) in asked.items()))
        for at in range(max(len(body) for body, _, _ in asked.values())):
            connection.send(*(connection.data(n, body[at:at + 1].encode(), end=at == len(body) - 1) for n, (body, _, _) in asked.items() if at < len(body)))
        for stream, (_, _, active) in zip(connection.finish(*asked), asked.values()):
            assert stream.status == 200 and stream.body.startswith(b'{"active":true') is active and (active or stream.body == INACTIVE)


def test_two_hundred_streams_at_once_get_their_own_answers(lone, alone, untouched):
    """A-HTTP-35"""
    with Connection(lone.server) as connection:
        for first in range(1, 400, 100):  # nginx takes 128 at once
            numbers = range(first, first + 100, 2)
            for n in numbers:
                body = f"token={alone if n % 4 == 1 else 'random'}".encode()
                connection.send(connection.headers(n, connection.request(lone.rs1)), connection.data(n, body, end=True))
            for n, stream in zip(numbers, connection.finish(*numbers)):
                assert stream.body.startswith(b'{"active":true') is (n % 4 == 1)


# --- floods: each gives the bytes of `count` frames, from the one numbered `first` on


def reset_at_once(c, first, count):
    return b"".join(c.prepared(n) + c.reset(n) for n in range(2 * first + 1, 2 * (first + count), 2))


def reset_when_whole(c, first, count):
    return b"".join(c.prepared(n) + c.data(n, b"token=x", end=True) + c.reset(n) for n in range(2 * first + 1, 2 * (first + count), 2))


def endless_header(c, first, count):
    return (c.prepared(1, flags=0) if first == 0 else b"") + frames.ContinuationFrame(1, c.block([("x-a", "b" * 50)])).serialize() * count


def endless_empty_header(c, first, count):
    return (c.prepared(1, flags=0) if first == 0 else b"") + frames.ContinuationFrame(1, b"").serialize() * count


def pings(c, first, count):
    return frames.PingFrame(0, b"12345678").serialize() * count


def settings(c, first, count):
    return frames.SettingsFrame(0, settings={3: 100}).serialize() * count


def priorities(c, first, count):
    return b"".join(b"\x00\x00\x05\x02\x00" + (2 * (i % 5000) + 1).to_bytes(4, "big") + b"\x00\x00\x00\x00\x05" for i in range(first, first + count))


def empty_data(c, first, count):
    return (c.prepared(1) if first == 0 else b"") + c.data(1, b"") * count


# name: (frames, how many, what nginx says when it ends the connection over them; None: it does not)
FLOODS = {"streams opened and reset": (reset_at_once, 100000, "too many refused streams"), "requests reset when whole": (reset_when_whole, 3000, None),
          "endless header": (endless_header, 20000, "too large header"), "endless empty header": (endless_empty_header, 1500000, "http2 flood"),
          "pings": (pings, 1000, None), "settings": (settings, 10000, None), "priorities": (priorities, 900000, "too many PRIORITY"),
          "empty data": (empty_data, 1500000, "http2 flood")}


class Flood(Connection):
    def prepared(self, number, flags=4):
        """A header block as bytes made once: the sender must not be the bottleneck."""
        payload = getattr(self, "payload", None)
        if payload is None:
            payload = self.payload = self.block(self.request(("rs1", "wrong")))
        return len(payload).to_bytes(3, "big") + bytes([1, flags]) + number.to_bytes(4, "big") + payload


def flood(server, make, count, step=500):
    """Sends until it is done or cut off; reads along. Returns the connection once it is over."""
    with Flood(server) as connection:
        for first in range(0, count, step):
            if not connection.send(make(connection, first, min(step, count - first))):
                break
            if first % (20 * step) == 0:
                connection.wait(0.0001)
        start = time.monotonic()
        while not connection.closed and time.monotonic() - start < 20:
            connection.wait(0.5)
        return connection


@pytest.mark.parametrize("name", FLOODS)
def test_floods_end_and_nobody_else_waits(lasting, name):
    """A-HTTP-33: the flood's connection is over soon after it, by nginx's limits where there is one; others are answered all the
    while; the handler never runs more often than there were whole requests."""
    make, count, complaint = FLOODS[name]
    server, stop, times, quick = lasting.server, threading.Event(), [], []
    live = lasting.at()["access_token"]

    def others(until, times):
        with Peer(server) as peer:
            while not until(len(times)):
                start = time.monotonic()
                assert peer.active(live, lasting.rs1)
                times.append(time.monotonic() - start)

    others(lambda n: n == 100, quick)
    before, logged = server.requests("introspect"), len(server.log())
    watcher = threading.Thread(target=others, args=(lambda n: stop.is_set() and n > 0, times))
    watcher.start()
    try:
        connection = flood(server, make, count)
    finally:
        stop.set()
        watcher.join()
    ran = server.requests("introspect") - before - len(times)
    assert ran <= (count if make is reset_when_whole else 0)
    assert connection.closed
    assert complaint is None or complaint in server.log()[logged:]
    assert times and sorted(times)[int(len(times) * 0.99)] < max(5 * sorted(quick)[98], 1.0)


def test_a_window_of_zero_is_not_waited_for():
    """A-HTTP-33: an answer that nobody takes is given up, and the request with it."""
    with Server(workers=1, http="send_timeout 1s;") as server:
        world = World(server)
        before = server.level()
        with Connection(server, settings={frames.SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as connection:
            for n in range(1, 100, 2):
                connection.send(connection.headers(n, connection.request(world.rs1)), connection.data(n, b"token=x", end=True))
            streams = connection.finish(*range(1, 100, 2))
            assert all(s.body == b"" for s in streams) and not any(connection.is_open(n) for n in range(1, 100, 2))
        wait_until(lambda: server.level()["descriptors"] <= before["descriptors"], what="descriptors are back")
        server.check_floor()
