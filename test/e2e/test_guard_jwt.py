"""Signed tokens judged by the guard itself: keys, their rotation and trouble with them, and when the server is asked all the same.
Tokens are signed by Authlib, which nobody here wrote."""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest
from authlib.jose import JsonWebKey, JsonWebSignature
from guard import API, Guard, live, wait_until
from peer import AuthorizationServer, response

JWKS = "/jwks"
KINDS = {"RS256": ("RSA", 2048), "RS384": ("RSA", 2048), "RS512": ("RSA", 2048), "PS256": ("RSA", 2048), "PS384": ("RSA", 2048), "PS512": ("RSA", 2048),
         "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"), "EdDSA": ("OKP", "Ed25519")}
counter = iter(range(10**6))


class Signer:
    """A key that signs, and is published."""

    def __init__(self, alg="ES256", kid=None, **members):
        self.alg, self.kid = alg, kid or f"key-{next(counter)}"
        self.key = JsonWebKey.generate_key(*KINDS[alg], options={"kid": self.kid}, is_private=True)
        self.public = {**self.key.as_dict(is_private=False), "kid": self.kid, "use": "sig", "alg": alg, **members}
        width = {"P-256": 32, "P-384": 48, "P-521": 66}.get(KINDS[alg][1])
        for name in ("x", "y") if width else ():  # Authlib leaves leading zeros out, which RFC 7518 section 6.2.1.2 does not allow
            number = base64.urlsafe_b64decode(self.public[name] + "==")
            self.public[name] = base64.urlsafe_b64encode(number.rjust(width, b"\0")).rstrip(b"=").decode()

    def sign(self, claims, **header):
        header = {"alg": self.alg, "kid": self.kid, "typ": "at+jwt", **header}
        header = {name: value for name, value in header.items() if value is not None}
        return JsonWebSignature().serialize_compact(header, json.dumps(claims).encode(), self.key).decode()


def part(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class World:
    """An issuer with one key, and a guard that judges its tokens."""

    def __init__(self, mode="auto", provider="", options="", start=True, alg="ES256", **kwargs):
        self.server = AuthorizationServer()
        self.issuer = f"http://localhost:{self.server.port}"
        self.signer = Signer(alg)
        self.publish(self.signer)
        self.server.metadata = {"issuer": self.issuer, "introspection_endpoint": self.server.url, "jwks_uri": self.issuer + JWKS}
        kwargs.setdefault("locations", f"""
            location /api/ {{ assay_guard corp {options}; assay_require scope read audience {API}; assay_set_header X-User $assay_sub;
                add_header X-Cache $assay_cache_status always; add_header X-Reason $assay_reason always; proxy_pass {{backend}}; }}
            location = /control {{ assay_guard_control secret_file={{dir}}/control; }}""")
        self.guard = Guard(peer=self.server, corp=f"""issuer {self.issuer}; mode {mode}; client_id gateway; client_secret_file {{dir}}/secret;
            timeout 1s; connect_timeout 500ms; {provider}""", start=start, **kwargs)

    def publish(self, *signers):
        self.server.documents[JWKS] = {"keys": [signer.public for signer in signers]}

    def claims(self, **changes):
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "alice", "aud": API, "client_id": "cl1", "scope": "read write", "iat": now, "exp": now + 600, "jti": f"j{next(counter)}", **changes}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, signer=None, header=None, **changes):
        return (signer or self.signer).sign(self.claims(**changes), **(header or {}))

    def call(self, token, path="/api/x"):
        return self.guard.call(path, token=token)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        try:
            self.guard.__exit__(*failure)
        finally:
            self.server.stop()


@pytest.fixture(scope="module")
def world():
    with World() as world:
        yield world
        world.guard.check_floor()


# "a verified JWT is cached like an introspected token"; R9068-4-2 to 4-5
def test_a_signed_token_is_judged_without_asking(world):
    token = world.token()
    first, second = world.call(token), world.call(token)
    assert (first.status, first.header("X-Cache"), second.status, second.header("X-Cache")) == (200, "LOCAL", 200, "HIT")
    assert world.server.count() == 0
    assert world.guard.backend.last.all("X-User") == ["alice"]
    assert world.server.fetched(JWKS) == 1


@pytest.mark.parametrize("alg", KINDS)
def test_every_algorithm(world, alg):
    with World(alg=alg) as other:
        assert other.call(other.token()).status == 200
        assert other.server.count() == 0


# R9068-4-1 to 4-7 R9068-2.2-1b P-9068-1 R7515-7.1-1 R8725-3.1-1: refused with invalid_token, whatever the mode, and the server is not asked
@pytest.mark.parametrize("name, changes", [
    ("another issuer", {"iss": "http://localhost:1"}), ("issuer with a slash", None), ("no issuer", {"iss": None}), ("no subject", {"sub": None}), ("no exp", {"exp": None}),
    ("no iat", {"iat": None}), ("no jti", {"jti": None}), ("no client", {"client_id": None}), ("no audience", {"aud": None}), ("expired", {"exp": 1}), ("exp a string", {"exp": "9999999999"}),
    ("not yet", {"nbf": 9999999999}), ("issued ahead", {"iat": 9999999998, "exp": 9999999999}), ("negative exp", {"exp": -1})])
def test_claims_that_are_refused(world, name, changes):
    reply = world.call(world.token(**(changes if changes is not None else {"iss": world.issuer + "/"})))
    assert reply.status == 401 and 'error="invalid_token"' in reply.header("WWW-Authenticate")
    assert world.server.count() == 0


def test_another_audience_and_less_scope_are_judged_by_the_rules(world):
    assert world.call(world.token(aud="https://api.example.com/v2")).status == 401
    assert world.call(world.token(aud=["https://other.example.com", API])).status == 200
    reply = world.call(world.token(scope="write"))
    assert reply.status == 403 and 'scope="read"' in reply.header("WWW-Authenticate")


# R8725-3.1-1 R8725-3.2-1 R8725-3.10-2
def test_signatures_that_are_refused(world):
    token = world.token()
    head, body, signature = token.split(".")
    forged = part({**world.claims(), "sub": "root"})
    flipped = signature[:-2] + ("A" if signature[-2] != "A" else "B") + signature[-1]
    stranger = Signer(kid=world.signer.kid)
    for bad in (f"{head}.{forged}.{signature}", f"{head}.{body}.{flipped}", world.token(stranger), f"{part({'alg': 'ES256', 'typ': 'at+jwt', 'kid': world.signer.kid, 'crit': ['x']})}.{body}.{signature}"):
        reply = world.call(bad)
        assert reply.status == 401 and reply.header("X-Reason") == "invalid", bad
    assert world.server.count() == 0
    assert "refused with 401: invalid: signature" in world.guard.log()


# auto: what is none of ours to judge is the server's to know; it says no to all of these, and is believed when it says yes
def test_what_cannot_be_judged_here_is_asked_about(world):
    token = world.token()
    head, body, signature = token.split(".")
    none = f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{body}.AAAA"
    other_type = world.token(header={"typ": "JWT"})
    hmac = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': world.signer.kid})}.{body}.{signature}"
    for token in (none, other_type, hmac, "opaque.with.dots", "opaque-token-0123456789", "a.b", "a.b.c.d.e"):
        before = world.server.count()
        assert world.call(token).status == 401
        assert world.server.count() == before + 1, token
        world.server.answers[token] = live()
        time.sleep(1.1)  # inactive_age
        assert world.call(token).status == 200


def test_where_only_signed_tokens_are_taken():
    with World("jwt") as world:
        assert world.call(world.token()).status == 200
        for token in ("opaque-token-0123456789", world.token(header={"typ": "JWT"}), "opaque.with.dots"):
            world.guard.allow(token)
            assert world.call(token).status == 401
        assert world.server.count() == 0


def test_another_type_where_the_issuer_has_one():
    with World("jwt", provider="jwt_type JWT; jwt_algorithms ES256 RS256;") as world:
        assert world.call(world.token(header={"typ": "JWT"}, client_id=None, jti=None)).status == 200
        assert world.call(world.token(header={"typ": "at+jwt"})).status == 401
        other = Signer("EdDSA")
        world.publish(world.signer, other)
        assert world.call(other.sign(world.claims(), typ="JWT")).status == 401
        assert "alg_refused" in world.guard.log()


# "per location: introspect_jwt=never|always|when_doubtful"
def test_always_asks_as_well():
    with World(options="introspect_jwt=always max_age=0") as world:
        token = world.token()
        assert world.call(token).status == 401 and world.server.count(token) == 1
        world.server.answers[token] = live(iss=world.issuer)
        assert world.call(token).status == 200
        bad = world.token(exp=1)
        assert world.call(bad).status == 401 and world.server.count(bad) == 0
        world.server.answers.pop(token)
        assert world.call(token).status == 401


# --- keys ---

# R7517-4.5-1 A-JWT-14 F-81: "an unknown kid causes at most one coalesced refetch per 30 s", of all workers; good tokens are unaffected
def test_unknown_keys_are_looked_for_once():
    count = 10000 if os.environ.get("ASSAY_DEEP") else 1500
    with World("jwt", workers=2, connections=1024) as world:
        good = world.token()
        assert world.call(good).status == 200 and world.server.fetched(JWKS) == 1
        body, statuses = world.token().split(".", 1)[1], []

        def flood(n):
            for i in range(count // 10):
                head = part({"alg": "ES256", "typ": "at+jwt", "kid": f"nobody-{n}-{i}"})
                statuses.append(world.call(f"{head}.{body}").status)
                if i % 10 == 0:
                    assert world.call(good).status == world.call(world.token()).status == 200

        threads = [threading.Thread(target=flood, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert set(statuses) == {401} and len(statuses) == count
        assert world.server.fetched(JWKS) == 2


# F-80 REL-15: rotated while a thousand requests with old and new keys are under way: all pass, one fetch
def test_a_rotation_drops_no_token():
    with World("jwt", workers=2, connections=1024) as world:
        old = [world.token() for _ in range(20)]
        assert world.call(old[0]).status == 200
        new = Signer()
        world.publish(new, world.signer)
        fresh, statuses = [world.token(new) for _ in range(20)], []

        def client(n):
            for i in range(100):
                statuses.append(world.call((old if (i + n) % 2 else fresh)[i % 20]).status)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 1000 and world.server.fetched(JWKS) == 2


# REL-15: what a key signed that is published no more is refused as soon as the new set is there, however long answers are kept
def test_a_key_that_is_withdrawn_ends_what_it_signed():
    with World("jwt", provider="max_age 1h;") as world:
        token, new = world.token(), Signer()
        assert [world.call(token).header("X-Cache") for _ in range(2)] == ["LOCAL", "HIT"]
        world.publish(new)
        assert world.call(world.token(new)).status == 200 and world.server.fetched(JWKS) == 2
        assert world.call(token).status == 401


# F-81: the last good set until its age limit, then 503 for those tokens; A-JWK-01 A-JWK-06
@pytest.mark.parametrize("how", [response({}, 500), response({"keys": [], "x": "y" * 10_000_000}), b"HTTP/1.1 204 X\r\n\r\n"], ids=["500", "10 MB", "204"])
def test_keys_grow_too_old(how):
    with World("jwt", provider="jwks_max_age 3s; max_age 1h;") as world:
        token = world.token()
        assert world.call(token).status == 200
        world.server.documents[JWKS] = how
        begun = time.monotonic()
        wait_until(lambda: world.call(token).status == 503, seconds=8, what="they are too old")
        assert time.monotonic() - begun > 1
        assert world.call(world.token()).status == 503
        world.publish(world.signer)
        wait_until(lambda: world.call(token).status == 200, seconds=8, what="there are new ones")


@pytest.mark.skipif(not os.environ.get("ASSAY_DEEP"), reason="takes half a minute; set ASSAY_DEEP")
def test_after_half_a_minute_they_are_looked_for_again_once():
    with World("jwt", workers=2, connections=1024) as world:
        assert world.call(world.token()).status == 200
        assert world.call(world.token(Signer())).status == 401 and world.server.fetched(JWKS) == 2
        new = Signer()
        world.publish(world.signer, new)
        assert world.call(world.token(new)).status == 401
        time.sleep(31)  # what is tested is that it is no less
        statuses, threads = [], [threading.Thread(target=lambda: statuses.append(world.call(world.token(new)).status)) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert statuses == [200] * 40 and world.server.fetched(JWKS) == 3


def test_keys_that_come_late_are_waited_for():
    with World("jwt", workers=2, start=False) as world:
        gate = threading.Event()
        new = Signer()

        def slowly(connection, request):
            gate.wait(10)
            connection.sendall(response({"keys": [world.signer.public, new.public]}))
            return True

        world.server.documents[JWKS] = slowly
        world.guard.start()
        statuses, threads = [], [threading.Thread(target=lambda: statuses.append(world.call(world.token(new)).status)) for _ in range(10)]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join(20)
        assert statuses.count(200) == 10, statuses
        assert world.server.fetched(JWKS) == 1


# P-7517-1 F-80: old keys stay while the endpoint is down, over a reload too; and there is no falling back to no check
@pytest.mark.parametrize("how", [response({}, 500), response(b"<html>", 200, "text/html"), response({"keys": []}), response({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}),
                                 response(b"[" * 70000), lambda c, r: False], ids=["500", "html", "empty", "secret", "deep", "hangs up"])
def test_keys_that_cannot_be_fetched_anew_stay(how):
    with World("jwt", workers=2) as world:
        token = world.token()
        assert world.call(token).status == 200
        world.server.documents[JWKS] = how
        old = set(world.guard.worker_pids())
        world.guard.reload()
        wait_until(lambda: not old & set(world.guard.worker_pids()), what="the old workers are gone")
        for _ in range(10):
            assert world.call(world.token()).status == 200
        stranger = Signer(kid=world.signer.kid)
        assert world.call(world.token(stranger)).status == 401


@pytest.mark.parametrize("how", [response({}, 500), response({"keys": []}), lambda c, r: time.sleep(3)], ids=["500", "empty", "silent"])
def test_without_keys_nothing_passes_and_nobody_is_blamed(how):
    with World("jwt", start=False) as world:
        world.server.documents[JWKS] = how
        world.guard.start()
        reply = world.call(world.token())
        assert reply.status == 503 and reply.header("Retry-After")
        world.publish(world.signer)
        wait_until(lambda: world.call(world.token()).status == 200, seconds=15, what="the keys are there")


def test_in_doubt_the_server_is_asked():
    with World("auto", start=False) as world:
        world.server.documents[JWKS] = response({}, 500)
        world.guard.start()
        token = world.token()
        world.server.answers[token] = live(iss=world.issuer)
        assert world.call(token).status == 200 and world.server.count(token) == 1


# "keys fetched in the background before needed"
def test_keys_are_there_before_the_first_token():
    with World("jwt") as world:
        wait_until(lambda: world.server.fetched(JWKS) == 1, what="they are fetched")


# R8725-3.8-1: the keys of one issuer speak for no other
def test_keys_of_another_issuer_are_no_keys():
    with World("jwt") as one, World("jwt") as other:
        assert one.call(one.token()).status == 200
        assert one.call(other.token(one.signer)).status == 401
        assert one.call(one.token(other.signer)).status == 401


# R9449-7.1 R8705-3: a token that is bound to a key is none that a bearer may use
def test_a_bound_token_is_no_bearers(world):
    for confirmation in ({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}):
        reply = world.call(world.token(cnf=confirmation))
        assert reply.status == 401 and reply.header("X-Reason") == "bound"


def test_a_flush_ends_what_was_judged_here_too():
    with World() as world:
        token, other = world.token(), world.token(sub="bob")
        for _ in range(2):
            assert world.call(token).status == world.call(other).status == 200
        assert json.loads(world.guard.flush(f"token={token}").body)["flushed"] == 1
        assert world.call(token).header("X-Cache") == "LOCAL"
        assert json.loads(world.guard.flush("subject=bob").body)["flushed"] == 1
        assert world.call(other).header("X-Cache") == "LOCAL"


# P-9068-1 "the second named by exp is dead": also on a hit
def test_it_ends_at_exp_also_on_a_hit():
    with World() as world:
        token = world.token(exp=int(time.time()) + 2)
        assert world.call(token).status == world.call(token).status == 200
        wait_until(lambda: world.call(token).status == 401, seconds=5, what="it has expired")
        assert world.server.count() == 0


@pytest.mark.parametrize("mode, options, rules, expected", [
    ("jwt", "", "assay_require scope read;", "assay_require audience"), ("opaque", "introspect_jwt=never", "", "mode auto"), ("auto", "introspect_jwt=sometimes", f"assay_require audience {API};", "when_doubtful")])
def test_configurations_that_do_not_start(mode, options, rules, expected):
    with Guard(start=False, corp=f"issuer http://localhost:1; mode {mode}; client_id g; client_secret_file {{dir}}/secret;",
               locations=f"location / {{ assay_guard corp {options}; {rules} proxy_pass {{backend}}; }}") as guard:
        (guard.dir / "nginx.conf").write_text(guard.conf())
        done = subprocess.run(**guard.nginx("-t"), capture_output=True, text=True)
        assert done.returncode != 0 and expected in done.stderr and "nginx.conf:" in done.stderr


def test_without_credentials_nobody_is_asked():
    with World("jwt") as world, Guard(peer=world.server, backend=world.guard.backend, corp=f"issuer {world.issuer}; mode jwt;",
                                      locations=f"location / {{ assay_guard corp; assay_require audience {API}; proxy_pass {{backend}}; }}") as guard:
        assert guard.call("/x", token=world.token()).status == 200
        assert guard.call("/x", token=world.token(exp=1)).status == 401
        world.server.metadata.pop("introspection_endpoint")
        guard.reload()
        wait_until(lambda: guard.call("/x", token=world.token()).status == 200, what="it goes on")


# A-JWT-15: at the limit it is decided, above it it is a 400
def test_a_token_at_the_limit():
    with World(server="large_client_header_buffers 4 16k;") as world:
        def of_length(length):
            pad = 0
            while len(token := world.token(jti="j", pad="x" * pad)) < length:
                pad += max(1, (length - len(token)) * 3 // 4 - 2)
            return token
        at = of_length(8190)
        assert len(at) <= 8192 and world.call(at).status == 200 and world.call(at).header("X-Cache") == "HIT"
        assert world.call(of_length(8194)).status == 400
        assert world.server.count() == 0


# F-41 R9068-4-6: clocks that differ, as far as configured; no life is lengthened by it
def test_clocks_that_differ():
    now = time.time
    with World() as strict, World(provider="leeway 60s;") as lenient:
        for ahead in (30, 300):
            for name in ("iat", "nbf"):
                changes = {name: int(now()) + ahead, "exp": int(now()) + 900}
                assert strict.call(strict.token(**changes)).status == 401
                assert lenient.call(lenient.token(**changes)).status == (200 if ahead == 30 else 401)
        assert lenient.call(lenient.token(exp=int(now()) - 5)).status == 401


# R8725-3.12-1: what else an issuer signs is no access token
@pytest.mark.parametrize("kind", ["JWT", None, "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "statuslist+jwt", "client-authentication+jwt", "logout+jwt"])
def test_other_kinds_of_signed_tokens(kind):
    with World("jwt") as strict:
        assert strict.call(strict.token(header={"typ": kind})).status == 401
        for spelling in ("at+jwt", "AT+JWT", "application/at+jwt"):
            assert strict.call(strict.token(header={"typ": spelling})).status == 200


# REL-11 F-78: workers that die and are stopped while keys are fetched and read
def test_workers_that_die_over_the_keys():
    with World("jwt", workers=2, connections=1024, provider="jwks_max_age 2s;") as world:  # so that they are fetched all the time
        stop, bad = threading.Event(), []

        def client():
            while not stop.wait(0.002):
                try:
                    status = world.call(world.token()).status
                except OSError:  # the worker that had the connection is the one that died
                    continue
                if status not in (200, 503):
                    bad.append(status)

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + (60 if os.environ.get("ASSAY_DEEP") else 6)
            while time.monotonic() < until:
                pid = world.guard.worker_pids()[0]
                with contextlib.suppress(ProcessLookupError):  # the one before is listed until it is waited for
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(0.05)  # a stop is what is tested
                    os.kill(pid, signal.SIGCONT if int(time.monotonic() * 10) % 2 else signal.SIGKILL)
                wait_until(lambda: len(world.guard.worker_pids()) == 2, what="there are two workers again")
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert not bad
        assert set(re.findall(r"exited on signal (\d+)", world.guard.log())) == {"9"}
        wait_until(lambda: world.call(world.token()).status == 200, what="it goes on")
        stranger = Signer(kid=world.signer.kid)
        assert world.call(world.token(stranger)).status == 401
