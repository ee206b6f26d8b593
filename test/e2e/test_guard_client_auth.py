"""How the guard shows the authorization server who it is, beyond a secret: by a key that signs, and by a certificate."""

import base64
import json
import ssl
import subprocess
import time

import pytest
from authlib.jose import JsonWebKey, JsonWebToken
from guard import Guard, live, wait_until
from harness import ROOT, free_port
from peer import AuthorizationServer, certificate, server_context
from test_guard_neighbours import PROVIDER_SECRET, post_form, running

ISSUER = "https://as.example.com"
KINDS = {"RS256": ("RSA", 2048), "PS384": ("RSA", 2048), "ES256": ("EC", "P-256"), "ES512": ("EC", "P-521"), "EdDSA": ("OKP", "Ed25519")}
WIDTHS = {"P-256": 32, "P-384": 48, "P-521": 66}


def key_pair(alg, **members):
    """(private, public) JWKs, of full width (RFC 7518 section 6.2)."""
    private = JsonWebKey.generate_key(*KINDS[alg], is_private=True).as_dict(is_private=True)
    for name in ("x", "y", "d") if KINDS[alg][1] in WIDTHS else ():
        number = base64.urlsafe_b64decode(private[name] + "==")
        private[name] = base64.urlsafe_b64encode(number.rjust(WIDTHS[KINDS[alg][1]], b"\0")).rstrip(b"=").decode()
    private = {**private, "alg": alg, "kid": "guard-1", **members}
    return private, {name: value for name, value in private.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}


def keyed(private, more=""):
    """A guard whose key is `private`; its file is written before it starts."""
    guard = Guard(start=False, corp="")
    (guard.dir / "key.json").write_text(json.dumps(private, indent=2))
    guard.corp = f"issuer {ISSUER}; introspection_endpoint {guard.peer.url}; client_id gateway; client_key_file {{dir}}/key.json; max_age 0; {more}"
    return guard


# R7523-2.2-1 R7523b-2 R7523b-4
@pytest.mark.parametrize("alg", KINDS)
def test_each_question_is_signed(alg):
    private, public = key_pair(alg)
    with keyed(private) as guard:
        guard.start()
        for i in range(4):
            assert guard.call(token=guard.allow(f"signed-{i}", iss=ISSUER)).status == 200
        seen = set()
        for request in (r for r in guard.peer.requests if r.method == "POST"):
            form = request.form
            assert request.header("Authorization") is None and "client_secret" not in form and form["client_id"] == "gateway"
            assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            claims = JsonWebToken([alg]).decode(form["client_assertion"], JsonWebKey.import_key(public))
            assert claims.header == {"alg": alg, "kid": "guard-1", "typ": "client-authentication+jwt"}
            assert claims["iss"] == claims["sub"] == "gateway" and claims["aud"] == ISSUER
            assert abs(claims["iat"] - time.time()) < 30 and claims["exp"] == claims["iat"] + 60
            seen.add(claims["jti"])
            guard.canaries.add(form["client_assertion"])
        assert len(seen) == 4
        guard.canaries.add(private["d"])
        guard.check_floor()


def test_a_question_that_is_asked_again_is_signed_anew():
    private, _ = key_pair("ES256")
    with keyed(private) as guard:
        guard.start()
        guard.peer.misbehave = lambda c, r: False
        assert guard.call(token="twice").status == 503
        assertions = [r.form["client_assertion"] for r in guard.peer.requests if r.method == "POST"]
        assert len(assertions) == 2 == len(set(assertions))


# a server that nobody here wrote, which refuses a second use
def test_oidc_provider_accepts_the_guards_key():
    port = free_port()
    private, public = key_pair("ES256")
    url = f"http://localhost:{port}"
    command = ["node", ROOT / "test" / "clients" / "oidc-provider.mjs", port, PROVIDER_SECRET, "", json.dumps(public)]
    with running(command, port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        token = wait_until(lambda: post_form(f"{url}/token", {"grant_type": "client_credentials", "scope": "read"}, ("basic", PROVIDER_SECRET)), what="a token")["access_token"]
        locations = "location / { assay_guard corp; assay_require scope read; proxy_pass {backend}; }"
        for key, status in ((private, 200), (key_pair("ES256")[0], 503)):
            guard = Guard(start=False, locations=locations, corp=f"issuer {url}; client_id key; client_auth private_key_jwt; client_key_file {{dir}}/key.json; max_age 0;")
            (guard.dir / "key.json").write_text(json.dumps(key))
            with guard:
                guard.start()
                assert [guard.call("/x", token=token).status for _ in range(3)] == [status] * 3
                assert ("as_rejects_us" in guard.log()) == (status == 503)


# R8705-2-1 R8705-2-2
@pytest.mark.parametrize("method", ["tls_client_auth", "self_signed_tls_client_auth"])
def test_a_certificate_shows_who_asks(tmp_path, method):
    server, own, other = (certificate(tmp_path, name, subject=f"/CN={name}") for name in ("localhost", "gateway", "other"))
    context = server_context(server)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(own[1])
    with AuthorizationServer({"T": live()}, tls=context) as peer:
        for pair, status in ((own, 200), (other, 503)):
            pair[0].chmod(0o600)  # the master reads it, as it does a server's
            with Guard(peer=peer, corp=f"introspection_endpoint {peer.url}; client_id gateway; client_auth {method}; client_certificate {pair[1]}; client_certificate_key {pair[0]}; "
                                       f"ca_file {server[1]}; max_age 0;") as guard:
                assert guard.call(token="T").status == status
        assert all(r.form["client_id"] == "gateway" and "client_secret" not in r.form and r.header("Authorization") is None for r in peer.requests)
        assert len(peer.requests) == 1


def test_a_certificate_beside_a_secret(tmp_path):
    """A server that wants both: the certificate for the connection, the secret for the client."""
    server, own = certificate(tmp_path, "localhost"), certificate(tmp_path, "gateway")
    context = server_context(server)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(own[1])
    with AuthorizationServer({"T": live()}, tls=context) as peer, Guard(
            peer=peer, provider=f"client_certificate {own[1]}; client_certificate_key {own[0]}; ca_file {server[1]};") as guard:
        assert guard.call(token="T").status == 200
        assert peer.requests[-1].header("Authorization").startswith("Basic ")


# R8705-5-1
def test_the_endpoint_for_certificates_is_found(tmp_path):
    server, own = certificate(tmp_path, "localhost"), certificate(tmp_path, "gateway")
    context = server_context(server)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(own[1])
    with AuthorizationServer(tls=context) as wanted, AuthorizationServer(tls=server_context(server)) as plain:
        issuer = f"https://localhost:{plain.port}"
        plain.metadata = {"issuer": issuer, "introspection_endpoint": plain.url, "mtls_endpoint_aliases": {"introspection_endpoint": wanted.url}}
        wanted.answers["T"] = plain.answers["T"] = live(iss=issuer)
        shown = f"client_certificate {own[1]}; client_certificate_key {own[0]};"
        for lines, asked in ((f"client_auth tls_client_auth; {shown}", wanted), ("client_secret_file {dir}/secret;", plain)):
            before = asked.count()
            with Guard(peer=wanted, corp=f"issuer {issuer}; client_id gateway; {lines} ca_file {server[1]}; max_age 0;") as guard:
                assert guard.call(token="T").status == 200 and asked.count() == before + 1


BASE = f"introspection_endpoint http://127.0.0.1:1/i; client_id g; issuer {ISSUER};"


@pytest.mark.parametrize("lines, expected", [
    (BASE + "client_key_file {dir}/nothing;", "cannot be read"), (BASE + "client_key_file {dir}/public;", "private"), (BASE + "client_key_file {dir}/noalg;", "alg"),
    (BASE + "client_key_file {dir}/secret;", "no private JWK"), (BASE + "client_key_file {dir}/oct;", "private"), (BASE + "client_key_file {dir}/key; client_secret_file {dir}/secret;", "two kinds"),
    (BASE.replace("issuer", "parameter x") + "client_key_file {dir}/key;", "issuer"), (BASE + "client_auth private_key_jwt;", "client_key_file"),
    (BASE + "client_auth tls_client_auth;", "client_certificate"), (BASE + "client_auth tls_client_auth; client_certificate {dir}/key;", "say both"),
    (BASE + "client_auth tls_client_auth; client_certificate {dir}/empty; client_certificate_key {dir}/key;", "empty")])
def test_configurations_that_do_not_start(lines, expected):
    private, public = key_pair("ES256")
    with Guard(start=False, corp=lines) as guard:
        for name, key in (("key", private), ("public", public), ("noalg", {n: v for n, v in private.items() if n != "alg"}), ("oct", {"kty": "oct", "k": "A" * 43, "alg": "HS256"})):
            (guard.dir / name).write_text(json.dumps(key))
        (guard.dir / "empty").write_text("")
        (guard.dir / "nginx.conf").write_text(guard.conf())
        done = subprocess.run(**guard.nginx("-t"), capture_output=True, text=True)
        assert done.returncode != 0 and expected in done.stderr and "nginx.conf:" in done.stderr, done.stderr
        assert private["d"] not in done.stderr


# keys that are replaced come with a reload, and what was cached stays good
def test_a_new_key_comes_with_a_reload():
    private, _ = key_pair("ES256")
    new, public = key_pair("EdDSA", kid="guard-2")
    with keyed(private) as guard:
        guard.start()
        assert guard.call(token=guard.allow("before", iss=ISSUER)).status == 200
        (guard.dir / "key.json").write_text(json.dumps(new))
        old = set(guard.worker_pids())
        guard.reload()
        wait_until(lambda: not old & set(guard.worker_pids()), what="the old workers are gone")
        assert guard.call(token=guard.allow("after", iss=ISSUER)).status == 200
        assert JsonWebToken(["EdDSA"]).decode(guard.peer.requests[-1].form["client_assertion"], JsonWebKey.import_key(public)).header["kid"] == "guard-2"
