"""Clients that take their time."""

import contextlib
import selectors
import time

import hostile
from harness import Peer, Server, World, basic, wait_until
from hostile import post

SLOW = 500


def split(world, live, i):
    """What is sent at once and what drips: half of them drip a header, half a body."""
    if i % 2:
        return hostile.head().encode(), b"X-Slow: " + b"a" * 1000
    data = post("a" * 1000, auth=basic(*world.rs1))
    return data[:-1000], data[-1000:]


def test_500_dripping_connections_are_closed_and_nobody_notices():
    """A-HTTP-26: a byte every half second keeps no time-out away, neither of the header nor of the body; meanwhile others are served."""
    with Server(workers=1, connections=2048) as server, contextlib.ExitStack() as stack:
        world = World(server)
        live = world.at()["access_token"]
        before = server.level()
        peer = stack.enter_context(Peer(server))
        quick = [timed(peer, world, live) for _ in range(200)]
        drips = {}
        selector = stack.enter_context(selectors.DefaultSelector())
        for i in range(SLOW):
            s = stack.enter_context(server.connect(clear=True))
            at_once, rest = split(world, live, i)
            s.sendall(at_once)
            drips[s] = rest
            selector.register(s, selectors.EVENT_READ)
        slow, answers, deadline = [], set(), time.monotonic() + 60
        turn = time.monotonic()
        while drips and time.monotonic() < deadline:
            for key, _ in selector.select(0.01):
                read_or_forget(key.fileobj, drips, selector, answers)
            if time.monotonic() > turn:
                turn = time.monotonic() + 0.5
                for s in list(drips):
                    with contextlib.suppress(OSError):
                        s.sendall(drips[s][:1])
                        drips[s] = drips[s][1:]
            slow.append(timed(peer, world, live))
        assert not drips, f"{len(drips)} connections are open still"
        assert not any(b"active" in a for a in answers)
        assert p99(slow) < max(2 * p99(quick), 0.25)
        wait_until(lambda: server.level()["descriptors"] <= before["descriptors"] + 1, what="descriptors are back")
        server.check_floor()


def timed(peer, world, live):
    start = time.monotonic()
    assert peer.active(live, world.rs1)
    return time.monotonic() - start


def p99(times):
    return sorted(times)[int(len(times) * 0.99)]


def read_or_forget(s, drips, selector, answers):
    try:
        got = s.recv(65536)
    except OSError:
        got = b""
    if got:
        answers.add(got)
    else:
        selector.unregister(s)
        drips.pop(s)


def test_a_body_over_http_2_has_the_same_time(world):
    """A-HTTP-26: DATA of a byte now and then ends with its stream."""
    from http2 import Connection
    with Connection(world.server) as connection:
        connection.send(connection.headers(1, connection.request(world.rs1)))
        start = time.monotonic()
        while connection.is_open(1) and time.monotonic() - start < 30:
            connection.send(connection.data(1, b"a"))
            connection.wait(0.3)
        assert not connection.is_open(1) and b"active" not in connection.stream(1).body
        assert time.monotonic() - start > 1
