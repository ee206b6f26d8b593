"""Tokens that are not what they seem, and lives that end while somebody looks."""

import concurrent.futures
import json
import os
import shutil
import subprocess
import threading
import time

import pytest
import tokens
from harness import API1, INACTIVE, SANITIZED, Peer, Server, World, wait_until

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture(scope="module")
def alone(lone):
    return lone.at()["access_token"]


def mistyped(text):
    """Every slip of one or two characters that a person or a wrapped line makes."""
    yield from (text[:-1], text[:-2], text + "A", text + "=", "A" + text, text[:30] + text[31:], text[:31] + "A" + text[31:], text.upper(), text.lower(), text + text)
    for at in range(len(text)):
        yield text[:at] + next(c for c in ALPHABET if c != text[at]) + text[at + 1:]
        yield text[:at] + text[at].swapcase() + text[at + 1:]
        yield text[:at] + text[at:at + 2][::-1] + text[at + 2:]


def test_a_mistyped_token_is_refused_without_the_store(lone, alone, untouched):
    """A-TOK-01 N3: by its checksum, before any key or tree."""
    slips = {slip for slip in mistyped(alone) if slip != alone}
    assert len(slips) > 120
    lookups, forged = lone.server.lookups(), lone.server.metric("assay_forged_tokens_total")
    with Peer(lone.server) as peer:
        for slip in slips:
            assert peer.introspect(slip, lone.rs1).body == INACTIVE, slip
    assert lone.server.lookups() == lookups and lone.server.metric("assay_forged_tokens_total") == forged
    assert lone.active(alone)


def test_a_forged_address_is_refused_without_the_store(lone, alone, untouched):
    """A-TOK-02: a right checksum over anything costs one block of AES a key, and no look-up."""
    head, address, secret = tokens.parts(alone)
    assert tokens.write(head, address, secret) == alone
    forgeries = [tokens.write(head, os.urandom(16), secret) for _ in range(50)]
    forgeries += [tokens.write(head, (int.from_bytes(address, "big") ^ 1 << bit).to_bytes(16, "big"), secret) for bit in range(128)]
    forgeries += [tokens.write(head, bytes(16), secret), tokens.write(head, b"\xff" * 16, secret), tokens.write(head, secret[:16], secret)]
    lookups, forged = lone.server.lookups(), lone.server.metric("assay_forged_tokens_total")
    with Peer(lone.server) as peer:
        for text in forgeries:
            assert peer.introspect(text, lone.rs1).body == INACTIVE
    assert lone.server.lookups() == lookups and lone.server.metric("assay_forged_tokens_total") == forged + len(forgeries)


def test_a_live_address_with_another_secret_is_one_look_up(lone, alone):
    """A-TOK-02 P-7662-6: every bit of the secret counts, and so does the kind."""
    head, address, secret = tokens.parts(alone)
    other = tokens.parts(lone.at()["access_token"])[2]
    forgeries = [tokens.write(head, address, s) for s in (other, bytes(22), secret[::-1], secret[:-1] + bytes([secret[-1] ^ 1]))]
    forgeries += [tokens.write(head, address, (int.from_bytes(secret, "big") ^ 1 << bit).to_bytes(22, "big")) for bit in range(0, 176, 8)]
    forgeries.append(tokens.write(head.replace("_at_", "_rt_"), address, secret))
    lookups = lone.server.lookups()
    with Peer(lone.server) as peer:
        for text in forgeries:
            assert peer.introspect(text, lone.rs1).body == INACTIVE
    assert lone.server.lookups() == lookups + len(forgeries)
    for text in forgeries:  # nor does it revoke, nor refresh
        assert lone.server.revoke(text, lone.cl1).status == 200
        assert lone.refresh(text).error == "invalid_grant"
    assert lone.active(alone)


def test_another_servers_prefix_is_refused(lone, alone, untouched):
    """A-TOK-03: with a right checksum of its own."""
    _, address, secret = tokens.parts(alone)
    lookups = lone.server.lookups()
    for head in ("other_at_", "assay2_at_", "ssay_at_", "assay_xt_", "assay_at", "assay_a_", "ASSAY_at_", "_at_", ""):
        text = tokens.write(head, address, secret)
        assert lone.server.introspect(text, lone.rs1).body == INACTIVE, head
    assert lone.server.lookups() == lookups


# --- what is no token


def kinds(world):
    """Everything of ours that is a text, and things of others that look like tokens."""
    grant = world.grant()
    rotated = world.grant()["refresh_token"]
    assert world.refresh(rotated).status == 200
    access = world.at()
    return {"refresh token": grant["refresh_token"], "rotated refresh token": rotated, "jti": access["jti"], "grant": grant["grant"], "client id": "cl1",
            "secret of the client": world.cl1[1], "secret of the asker": world.rs1[1], "Basic credentials": "cl1:" + world.cl1[1],
            "header of a token": access["access_token"][:31], "secret of a token": access["access_token"][31:], "bare body": access["access_token"][9:],
            "unsigned JWT": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImF1ZCI6Imh0dHBzOi8vYXBpMS5leGFtcGxlLmNvbS8ifQ.",
            "id token": "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhIn0.c2ln", "security event": "eyJ0eXAiOiJzZWNldmVudCtqd3QifQ.e30.c2ln",
            "DPoP proof": "eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.c2ln", "introspection JWT": "eyJ0eXAiOiJ0b2tlbi1pbnRyb3NwZWN0aW9uK2p3dCJ9.e30.c2ln",
            "issuer": world.server.issuer, "active": '{"active":true}'}


def test_only_access_tokens_are_access_tokens(world):
    """A-TOK-06 A-TOK-07: whatever else is asked about is inactive, whatever else is revoked ends nothing, whatever else refreshes is refused."""
    live = world.at()["access_token"]
    things = kinds(world)
    seq = world.server.seq()
    for name, text in things.items():
        assert world.server.introspect(text, world.rs1).body == INACTIVE, name
        assert world.server.introspect(text, f"Bearer {text}").status == 401, name
        if "refresh" not in name:
            assert world.refresh(text).error == "invalid_grant", name
            assert world.server.revoke(text, world.cl1).status == 200, name
    assert world.refresh(live).error == "invalid_grant"
    assert world.server.seq() == seq and world.active(live)
    assert world.refresh(things["refresh token"]).status == 200


# --- lives that begin and end


def watch(world, token, until):
    """(sent, answered, active) of many questions from four connections, until the clock says `until`."""
    seen = []

    def ask():
        with Peer(world.server) as peer:
            while time.time() < until:
                sent = time.time()
                active = peer.active(token, world.rs1)
                seen.append((sent, time.time(), active))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(ask) for _ in range(4)]:
            done.result()
    return seen


def test_exp_is_the_same_second_for_everybody(own_keepalive):
    """A-TOK-04: until the second of exp all answers are true, from it on none is; nobody sees it come back."""
    world = own_keepalive
    token = world.at("--ttl", "2s")["access_token"]
    exp = world.server.introspect(token, world.rs1).json["exp"]
    seen = watch(world, token, exp + 1)
    assert all(active for _, answered, active in seen if answered < exp)
    assert not any(active for sent, _, active in seen if sent >= exp)
    assert any(active for _, _, active in seen) and not all(active for _, _, active in seen)


def test_nbf_is_the_same_second_for_everybody(own_keepalive):
    """A-TOK-05"""
    world = own_keepalive
    trusted = world.server.add_client("sees", "--resource-server", "--audience", API1)
    token = world.at("--not-before", "2s")["access_token"]
    start = time.time()
    seen = watch(world, token, start + 3.5)
    answer = world.server.introspect(token, ("sees", trusted["client_secret"])).json
    nbf = answer["nbf"]
    assert start < nbf <= start + 3
    assert not any(active for _, answered, active in seen if answered < nbf)
    assert all(active for sent, _, active in seen if sent >= nbf) and any(active for _, _, active in seen)


@pytest.fixture(scope="module")
def own_keepalive():
    with Server(workers=2, http="keepalive_requests 100000;") as server:
        yield World(server)
        server.check_floor()
        server.check_canaries()


# --- revoking


def test_revoking_once_or_64_times_at_once_is_one_cutoff_and_one_event(own):
    """A-TOK-12 A-TOK-15"""
    token = own.at()["access_token"]
    first = own.server.cli_json("store", "stat")
    assert own.server.revoke(own.at()["access_token"], own.cl1).status == 200
    before = own.server.cli_json("store", "stat")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: own.server.revoke(token, own.cl1), range(64)))
    assert {(r.status, r.body) for r in replies} == {(200, b"")}
    after = own.server.cli_json("store", "stat")
    assert after["cutoffs"] == before["cutoffs"] + 1 and after["events"] == before["events"] + 1
    assert int(after["seq"]) - int(before["seq"]) < int(before["seq"]) - int(first["seq"])  # which had a token issued besides


def test_what_is_dead_already_is_revoked_without_a_write(own):
    """A-TOK-12: unknown, forged, revoked, of a grant that ended, expired."""
    grant = own.grant()
    dead = own.at()["access_token"]
    head, address, secret = tokens.parts(dead)
    short = own.at("--ttl", "1s")["access_token"]
    own.server.revoke(grant["refresh_token"], own.cl1)
    own.server.revoke(dead, own.cl1)
    wait_until(lambda: not own.active(short))
    before = own.server.cli_json("store", "stat")
    for text in (dead, grant["access_token"], grant["refresh_token"], short, "random", tokens.write(head, os.urandom(16), secret), tokens.write(head, address, bytes(22))):
        reply = own.server.revoke(text, own.cl1)
        assert (reply.status, reply.body) == (200, b""), text
    after = own.server.cli_json("store", "stat")
    assert {k: after[k] for k in ("seq", "cutoffs", "events")} == {k: before[k] for k in ("seq", "cutoffs", "events")}


def test_another_clients_token_is_refused_live_or_not(world):
    """A-TOK-13 R7009-2.1-6: and stays as it is."""
    live, dead = world.at()["access_token"], world.at()["access_token"]
    assert world.server.revoke(dead, world.cl1).status == 200
    seq = world.server.seq()
    for token in (live, dead):
        reply = world.server.revoke(token, world.cl2)
        assert reply.status == 400 and reply.error == "invalid_grant"
    assert world.server.seq() == seq and world.active(live)


def test_a_revocation_is_seen_by_every_worker_at_once():
    """A-TOK-15 R7662-4-4 R7009-2.1-7: connections to each of four workers, asked as soon as the 200 is there."""
    with Server(workers=4, http="keepalive_requests 100000; add_header X-Worker $pid always;") as server:
        world = World(server)
        peers = [Peer(server, clear=True) for _ in range(48)]
        reached = {peer.post("/oauth2/introspect", {"token": "x"}, world.rs1).header("X-Worker") for peer in peers}
        assert len(reached) > 1, "connections to more than one worker"
        for _ in range(30):
            token = world.at()["access_token"]
            assert all(peer.active(token, world.rs1) for peer in peers[::7])
            assert server.revoke(token, world.cl1).status == 200
            assert not any(peer.active(token, world.rs1) for peer in peers)
        for peer in peers:
            peer.socket.close()
        server.check_floor()


# --- refreshing


def test_a_refresh_replayed_after_its_window_ends_the_grant():
    """A-TOK-17 C-4 R9700-4.14-2: inside the window the same successor, afterwards nothing of the grant lives; one event, however often."""
    with Server(options="refresh_window=1s") as server:
        world = World(server)
        first, other = world.grant(), world.grant()
        second = world.refresh(first["refresh_token"]).json
        before = server.cli_json("store", "stat")
        wait_until(lambda: world.refresh(first["refresh_token"]).status == 400, seconds=10, what="the window closes")
        for _ in range(3):
            reply = world.refresh(first["refresh_token"])
            assert reply.status == 400 and reply.error == "invalid_grant"
        assert world.refresh(second["refresh_token"]).error == "invalid_grant"
        assert not any(world.active(t["access_token"]) for t in (first, second))
        after = server.cli_json("store", "stat")
        assert after["cutoffs"] == before["cutoffs"] + 1 and after["events"] == before["events"] + 1
        assert world.active(other["access_token"]) and world.refresh(other["refresh_token"]).status == 200
        server.check_floor()


def test_no_token_slips_through_while_a_subject_ends(own):
    """A-TOK-18 REL-03: refreshes that were under way are refused or dead; what is issued afterwards lives."""
    for round in range(4):
        grants = [own.grant() for _ in range(24)]
        made, stop = [], threading.Event()

        def spin(grant):
            token = grant["refresh_token"]
            while not stop.is_set():
                reply = own.refresh(token)
                if reply.status != 200:
                    assert reply.error == "invalid_grant"
                    return
                made.append(reply.json["access_token"])
                token = reply.json["refresh_token"]

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            spinning = [pool.submit(spin, grant) for grant in grants]
            wait_until(lambda: len(made) > 30, seconds=30)
            own.server.cli("subject", "end", "alice")
            stop.set() if round % 2 else None
            for s in spinning:
                s.result(timeout=60)
        assert not any(own.active(t) for t in made)
        assert not any(own.active(g["access_token"]) for g in grants)
        assert own.active(own.at()["access_token"])


# --- what tokens carry


def short(value):
    return ascii(value)[:30]


@pytest.mark.parametrize("scope", ['a"b', "a\\b", "a\x01b", "a\tb", "a\x7fb", "r\u00e9ad", " read", "read ", "read  write", "\n", "a" * 1025, " ".join("ab" for _ in range(65)),
                                   " ".join("a" for _ in range(7900)), "read\x00"], ids=short)
def test_hostile_scopes(world, untouched, scope):
    """A-TOK-20 R6749-3.3-1"""
    reply = world.server.token({"grant_type": "client_credentials", "scope": scope}, world.cl1)
    assert reply.status == 400 and reply.error in ("invalid_scope", "invalid_request")
    assert reply.error == "invalid_scope" or "\x00" in scope or "\x01" in scope


CLAIMS = ['quote " and \\ backslash', "snow \u2603 and \U0001d11e", "\u2028\u2029", "</script><!--", "\ufffd", "\u00a0", "\u202eltr", "a/b", "x" * 255, "\U0010ffff", "%n%s", "null", " "]


@pytest.fixture(scope="module")
def ops(world):
    """An administrator, over HTTPS."""
    secret = world.server.add_client("ops", "--admin")["client_secret"]

    def ask(verb, body):
        return world.server.post(f"/admin/{verb}", body if isinstance(body, (str, bytes)) else json.dumps(body), auth=("ops", secret), type="application/json")
    return ask


def test_claims_are_escaped_exactly(world, ops):
    """A-TOK-21: as two other readers of JSON see them."""
    answers = []
    for text in CLAIMS:
        made = ops("token/issue", {"client_id": "cl1", "subject": text, "username": text, "scope": "read", "audience": [API1]})
        assert made.status == 200, (text, made.body)
        world.server.remember(made.json["access_token"])
        reply = world.server.introspect(made.json["access_token"], world.rs1)
        assert reply.json["sub"] == text and reply.json["username"] == text
        answers.append(reply.body.decode())
    program = "console.log(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(t => JSON.parse(t)).map(a => [a.active, a.sub, a.username])))"
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    read = subprocess.run([shutil.which("node"), "-e", program], input=json.dumps(answers), capture_output=True, text=True, timeout=60, env=env)
    assert json.loads(read.stdout) == [[True, text, text] for text in CLAIMS], read.stderr


@pytest.mark.parametrize("subject", [r'"a\u0000b"', r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d"', '"' + "x" * 256 + '"', '"' + "x" * 65536 + '"', '"a\x01b"', '"a\nb"', r'"\u0080"', r'"a\u009b2J"', r'"\u007f"', "1", "null", "[]", "{}",
                                     '"\xff"', '"\xc0\x80"', '"\xed\xa0\x80"'], ids=short)
def test_claims_that_no_answer_could_hold_are_refused_at_issue(world, ops, untouched, subject):
    """A-TOK-21 A-CLI-02"""
    for name in ("subject", "username", "sid"):
        body = b'{"client_id":"cl1","subject":"a","%s":%s}' % (name.encode(), subject.encode("latin-1")) if name != "subject" else b'{"client_id":"cl1","subject":%s}' % subject.encode("latin-1")
        reply = ops("token/issue", body)
        assert reply.status == 413 or (reply.status == 400 and reply.error == "invalid_request"), reply.body


LIFETIMES = ["0", "-1", "2147483648", "9007199254740992", "9223372036854775808", "1e400", "1e9", "1.5", "3.6e3", '"3600"', "true", "null", "[3600]", "-0", "0.0", "315360001"]


@pytest.mark.parametrize("lifetime", LIFETIMES)
def test_hostile_lifetimes_are_refused(world, ops, untouched, lifetime):
    """A-TOK-22: of a token, of its refresh token, of a client, as a delay, as an overlap."""
    bodies = [("token/issue", f'{{"client_id":"cl1","subject":"a","lifetime":{lifetime}}}'),
              ("token/issue", f'{{"client_id":"cl1","subject":"a","refresh":true,"refresh_lifetime":{lifetime}}}')]
    if lifetime not in ("0", "-0"):  # no delay, no overlap, the server's own default
        bodies += [("client/add", f'{{"client_id":"new","access_lifetime":{lifetime}}}'), ("client/add", f'{{"client_id":"new","refresh_lifetime":{lifetime}}}'),
                   ("client/update", f'{{"client_id":"cl1","access_lifetime":{lifetime}}}'), ("token/issue", f'{{"client_id":"cl1","subject":"a","not_before":{lifetime}}}'),
                   ("client/rotate-secret", f'{{"client_id":"cl1","overlap":{lifetime}}}')]
    for verb, body in bodies:
        reply = ops(verb, body)
        assert reply.status == 400 and reply.error == "invalid_request", (verb, body, reply.body)


@pytest.mark.parametrize("value", ["0", "0s", "-1s", "1", "3600", "", "2147483648s", "9007199254740992s", "99999999999999999999s", "1e400s", "1.5h", "0x10s", " 1h", "11y", "1d1", "s", "1hh"])
def test_hostile_lifetimes_start_no_server(value):
    """A-TOK-22: the configuration is refused, with the directive, what was found and where."""
    with Server(start=False) as server:
        for name in ("access_lifetime", "refresh_lifetime"):
            done = server.test_conf(server.conf().replace(f"issuer={server.issuer} ", f'issuer={server.issuer} "{name}={value}" '))
            assert done.returncode == 1 and "[emerg]" in done.stderr and f"{name}={value}" in done.stderr and "nginx.conf:" in done.stderr, done.stderr


# --- looking


def test_reads_never_write(lone):
    """A-TOK-23: random strings by the thousand, and tokens that are not there: the files are as they were, and no memory is kept."""
    count = 1000000 if os.environ.get("ASSAY_DEEP") else 20000
    server = lone.server
    head, address, secret = tokens.parts(lone.at()["access_token"])
    files = [server.store / "data"]

    def storm(count):
        for first in range(0, count, 900):  # nginx closes after 1,000
            with Peer(server, clear=True) as peer:
                for i in range(first, min(first + 900, count), 50):
                    texts = [f"random-{i + j}" if j % 2 else tokens.write(head, address, os.urandom(22)) for j in range(50)]
                    for text in texts:
                        peer.send("/oauth2/introspect", {"token": text}, lone.rs1)
                    assert {peer.reply().body for _ in texts} == {INACTIVE}

    storm(2000)
    seq, before = server.seq(), server.level()
    stamps = [(f.stat().st_mtime_ns, f.read_bytes()) for f in files]
    storm(count)
    after = server.level()
    assert server.seq() == seq and [(f.stat().st_mtime_ns, f.read_bytes()) for f in files] == stamps
    assert SANITIZED or after["memory"] <= before["memory"] + 512, (before, after)
    wait_until(lambda: server.level()["descriptors"] <= before["descriptors"], what="all connections are gone")
