"""What time says. A client sees time over a network and on a busy machine; what it could at best learn from it is the work that its
request made. So it is that work which is compared here: the CPU time of the worker, from the operating system's own account, for many
requests of one class at once, classes in random order. Other load on the machine hardly moves it."""

import os
import pathlib
import random
import socket
import statistics


import pytest
import tokens
from harness import API1, API2, FORM, INACTIVE, Server, World, basic, wait_until

pytestmark = [pytest.mark.no_asan, pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the kernel keeps no account of CPU time")]

LEAST = 0.06  # of a request's work, about a microsecond: failures are limited to 20 a minute, too few to tell that apart over any network
DEEP = 5 if os.environ.get("ASSAY_DEEP") else 1


def request(token, auth):
    body = f"token={token}"
    return (f"POST /oauth2/introspect HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*auth)}\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def cpu_ns(pid):
    """Once the worker waits, so that all it has done is in the account."""
    stat = pathlib.Path(f"/proc/{pid}/stat")
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "S", what="the worker waits")
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def work_of(server, pid, requests, source="127.0.0.1"):
    """Microseconds of CPU a request, and the distinct heads and bodies of the answers."""
    before, got = cpu_ns(pid), b""
    with socket.create_connection(("127.0.0.1", server.clear_port), source_address=(source, 0)) as s:
        for at in range(0, len(requests), 50):
            part = b""
            s.sendall(b"".join(requests[at:at + 50]))
            while part.count(b"HTTP/1.1 ") < len(requests[at:at + 50]) or not part.endswith(b"}"):
                more = s.recv(262144)
                assert more, "the server closed the connection"
                part += more
            got += part
        took = cpu_ns(pid) - before
    answers = {line for line in got.split(b"\r\n") if not line.startswith(b"Date:")}
    return took / 1000 / len(requests), answers


def compare(server, classes, rounds, sources):
    """{class: [work of a batch]}, the classes shuffled anew in each round. `sources` gives each batch its address."""
    pid, = server.worker_pids()
    works, answers = {name: [] for name in classes}, {name: set() for name in classes}
    for _ in range(rounds):
        for name in random.sample(list(classes), len(classes)):
            work, said = work_of(server, pid, classes[name], next(sources))
            works[name].append(work)
            answers[name] |= said
    return works, answers


def noise(a, b, draws=400):
    """How far the medians of two halves of equal requests lie apart, at worst of many ways to halve them."""
    pool = a + b
    apart = []
    for _ in range(draws):
        random.shuffle(pool)
        apart.append(abs(statistics.median(pool[::2]) - statistics.median(pool[1::2])))
    return max(apart)


def report(works):
    return {name: round(statistics.median(w), 3) for name, w in works.items()}


def never_each_time(apart):
    """`apart` measures, and says what it found too far apart, if anything. A difference in the work is there each time; a
    busy neighbour is not."""
    found = None
    for _ in range(3):
        found = apart()
        if found is None:
            return
    raise AssertionError(found)


def loopback():
    """Addresses of this machine, each once: failures are limited by where they come from."""
    n = random.randrange(2**16)
    while True:
        n += 1
        yield f"127.{1 + n // 64516 % 250}.{1 + n // 254 % 254}.{1 + n % 254}"


def test_who_is_unknown_costs_what_who_is_wrong_costs():
    """A-SIDE-02 A-SIDE-04: an id that is not there, a wrong secret, a client that is disabled, and another secret of the same length: the same
    bytes and the same work, whether the token asked about lives or not."""
    with Server(workers=1, log_level="error", http="keepalive_requests 1000000;") as server:
        world = World(server)
        live = world.at()["access_token"]
        ids = range(15)
        for i in ids:
            server.add_client(f"known-client-{i:02}", "--resource-server", "--audience", API1)
            server.add_client(f"shut-out-one-{i:02}", "--resource-server", "--audience", API1)
            server.cli("client", "disable", f"shut-out-one-{i:02}")
        classes = {}
        for name, token in (("", live), (", random token", "x" * len(live))):
            for kind, prefix in (("known", "known-client-"), ("known again", "known-client-"), ("unknown", "never-heard-o-"), ("disabled", "shut-out-one-")):
                classes[kind + name] = [request(token, (f"{prefix}{i:02}", letter * 43)) for letter in "abcdefghijkl" for i in ids]

        def apart():
            works, answers = compare(server, classes, 25 * DEEP, loopback())
            assert len(set(map(frozenset, answers.values()))) == 1 and not any(b"429" in line for line in answers["known"])
            for name in ("", ", random token"):
                known, again = works["known" + name], works["known again" + name]
                allowed = max(noise(known, again), LEAST * statistics.median(known))
                for kind in ("unknown", "disabled"):
                    if abs(statistics.median(works[kind + name]) - statistics.median(known + again)) > allowed:
                        return kind + name, allowed, report(works)

        never_each_time(apart)


def test_inactive_answers_cost_the_same():
    """A-SIDE-03 A-SIDE-04: expired, revoked, not valid yet, of another audience, and a right address with another secret: the same bytes,
    and the same work but for less than one look-up in the store; a forged address is refused by less, which is no secret."""
    with Server(workers=1, log_level="error", http="keepalive_requests 1000000;") as server:
        world = World(server)
        count = 40
        at = lambda *args: world.at(*args)["access_token"]
        live = [at() for _ in range(count)]
        expired = [at("--ttl", "1s") for _ in range(count)]
        revoked = [at() for _ in range(count)]
        for token in revoked:
            assert server.revoke(token, world.cl1).status == 200
        other = [server.issue("--client", "cl1", "--subject", "alice", "--username", "alice@example.com", "--scope", "read write", "--audience", API2)["access_token"]
                 for _ in range(count)]
        early = [at("--not-before", "50m") for _ in range(count)]
        wrong = [tokens.write(*tokens.parts(token)[:2], os.urandom(22)) for token in live]
        forged = [tokens.write("assay_at_", os.urandom(16), os.urandom(22)) for _ in range(count)]
        wait_until(lambda: not world.active(expired[-1]), what="they expire")
        texts = {"audience": other, "audience again": other, "expired": expired, "revoked": revoked, "early": early, "wrong secret": wrong, "forged": forged}
        classes = {name: [request(token, world.rs1) for token in some] * 3 for name, some in texts.items()}

        def apart():
            works, answers = compare(server, classes, 40 * DEEP, iter(lambda: "127.0.0.1", None))
            assert len(set(map(frozenset, answers.values()))) == 1 and INACTIVE in answers["forged"]
            usual = works["audience"] + works["audience again"]
            look_up = statistics.median(usual) - statistics.median(works["forged"])
            allowed = max(noise(works["audience"], works["audience again"]), look_up)
            for name in ("expired", "revoked", "early", "wrong secret"):
                if abs(statistics.median(works[name]) - statistics.median(usual)) > allowed:
                    return name, allowed, report(works)

        never_each_time(apart)
