"""Client authentication at the endpoints."""

import base64
import json
import pathlib

import pytest
from harness import API1, INACTIVE, basic, wait_until


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def challenge(reply):
    return reply.status == 401 and reply.error == "invalid_client" and reply.header("WWW-Authenticate") == 'Basic realm="assay"'


def test_wrong_credentials_are_all_alike(world):
    """A-AUTH-02 A-AUTH-09 R7662-2.3-1 R6749-5.2-3b R6749-5.2-3 A-SIDE-04 R7617-2-1"""
    id, secret = world.rs1
    disabled = world.server.add_client("disabled", "--resource-server", "--audience", API1)
    world.server.cli("client", "disable", "disabled")
    raws = set()
    for user, password in (("nobody", "x"), (id, "wrong"), (id, secret + "x"), (id, secret[:-1]), (id, secret.swapcase()),
                           ("disabled", disabled["client_secret"]), ("pub1", "x"), (id.upper(), secret)):
        reply = world.server.introspect("x", (user, password))
        assert challenge(reply), (user, reply.status, reply.body)
        raws.add(tuple((k, v) for k, v in reply.headers if k != "Date") + (reply.body,))
    assert len(raws) == 1


@pytest.mark.parametrize("value", ["Basic !!!!", "Basic", "Basic ", "Basic bm9jb2xvbg==", "Basic YSV6ejpi", "Basic YTolZmY=", "Basic YSUwMGI6Yw==",
                                   "Basic czZCaGRSa3F0MzpnWDFmQmF0M2J", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW=", "Basic czZC aGRSa3F0MzpnWDFmQmF0M2JW",
                                   "Basic Og==", "Digest x", "Bearer x", "xBasic YTpi", "Basic " + b64("a:" + "b" * 1100), "Basic " + b64("a" * 300 + ":b"),
                                   "Basic " + b64(b"\xff:\xff"), "Basic " + b64("a:b").replace("=", "") + "==x", "Basic YTpiCg-_"])
def test_credentials_that_cannot_be_read(world, value):
    """A-AUTH-05 A-AUTH-06 A-AUTH-08"""
    assert challenge(world.server.introspect("x", value))


@pytest.mark.parametrize("spell", ["bAsIc {}", "Basic   {}", "BASIC {}"])
def test_the_scheme_is_case_insensitive_and_spaces_are_fine(world, spell):
    """A-AUTH-11 R7617-2-1"""
    assert world.server.introspect("x", spell.format(b64(":".join(world.rs1)))).body == INACTIVE


def test_the_published_encodings(world, tmp_path):
    """R6749-2.3.1-2 A-AUTH-07 P-2.3-3: every case of client-secret-basic, with secrets that the operator brought."""
    from harness import ROOT
    cases = json.loads((ROOT / "test" / "vector" / "client-secret-basic.json").read_text())["cases"]
    server = world.server
    for case in cases:
        if case["expect"] == "invalid":
            assert challenge(server.introspect("x", case["header"])), case["id"]
    for number, password in enumerate(["p@ss+w+rd/=%", "s:e:c:r:e:t", "rs:Mku-6g_lCzKIdz4fsN7kYcya+Ti", "a%2Bb%2Bc%2Bd"]):
        file = tmp_path / f"secret-{number}"
        file.write_text(password)
        file.chmod(0o600)
        client = f"brought{number}"
        server.cli("client", "add", client, "--resource-server", "--audience", API1, "--secret-file", file)
        assert server.introspect("x", (client, password)).body == INACTIVE, password
        raw = "Basic " + b64(f"{client}:{password}")
        if not password.endswith("%"):
            assert server.introspect("x", raw).body == INACTIVE, password
        assert server.introspect("x", (client, password + "x")).status == 401


def test_a_public_client_is_nobody_at_introspection(world):
    """A-AUTH-02"""
    assert challenge(world.server.post("/oauth2/introspect", {"token": "x", "client_id": "pub1"}))


@pytest.mark.parametrize("extra", [{"client_secret": "x"}, {"client_assertion": "x", "client_assertion_type": "y"}])
def test_two_methods_at_once(world, extra):
    """A-AUTH-03 P-7662-4 R6749-2.3-1"""
    reply = world.server.post("/oauth2/introspect", {"token": "x", **extra}, auth=world.rs1)
    assert reply.status == 400 and reply.error == "invalid_request"
    reply = world.server.post("/oauth2/introspect", {"token": "x", "client_id": "rs1", "client_secret": world.rs1[1], "client_assertion": "z"})
    assert reply.status == 400 and reply.error == "invalid_request"


def test_two_authorization_fields(world):
    """A-AUTH-04"""
    reply = world.server.introspect("x", world.rs1, headers=[("Authorization", basic(*world.rs1))])
    assert reply.status == 400


def test_the_body_must_not_name_another_client(world):
    """A-AUTH-10 P-2.3-4"""
    post = lambda id: world.server.post("/oauth2/introspect", {"token": "x", "client_id": id}, auth=world.rs1)
    assert post("rs1").body == INACTIVE
    assert post("cl1").status in (400, 401)


def test_the_body_is_for_clients_registered_for_it(world):
    """R6749-2.3.1-3 P-2.3-1"""
    poster = world.server.add_client("poster", "--resource-server", "--audience", API1, "--auth-method", "client_secret_post")
    form = {"token": "x", "client_id": "poster", "client_secret": poster["client_secret"]}
    assert world.server.post("/oauth2/introspect", form).body == INACTIVE
    assert challenge(world.server.post("/oauth2/introspect", {"token": "x", "client_id": "rs1", "client_secret": world.rs1[1]}))
    assert challenge(world.server.post("/oauth2/introspect", {**form, "client_secret": "wrong"}))


def test_credentials_in_the_query_are_nothing(world):
    """A-AUTH-12 R6749-2.3.1-4"""
    id, secret = world.rs1
    assert challenge(world.server.post(f"/oauth2/introspect?client_id={id}&client_secret={secret}", {"token": "x"}))
    assert secret not in world.server.access_log() + world.server.log()


def test_a_client_with_credentials_must_use_them(world):
    """R6749-3.2.1-1"""
    assert challenge(world.server.post("/oauth2/token", {"grant_type": "client_credentials", "client_id": "cl1"}))


@pytest.mark.parametrize("header", ["X-SSL-Client-Cert", "X-Client-Cert", "Client-Cert", "SSL-Client-Verify"])
def test_certificate_headers_of_a_client_are_ignored(world, header):
    """A-AUTH-18"""
    assert challenge(world.server.introspect("x", None, headers=[(header, "CN=rs1")]))


def test_two_secrets_overlap_while_a_client_rotates(world):
    """A-AUTH-22 P-2.3-2"""
    server = world.server
    first = server.add_client("rotating", "--resource-server", "--audience", API1)["client_secret"]
    second = server.cli_json("client", "rotate-secret", "rotating", "--overlap", "2s")["client_secret"]
    assert server.introspect("x", ("rotating", second)).body == INACTIVE
    assert server.introspect("x", ("rotating", first)).body == INACTIVE
    wait_until(lambda: server.introspect("x", ("rotating", first)).status == 401, seconds=6, what="the old secret ends")
    third = server.cli_json("client", "rotate-secret", "rotating", "--overlap", "0")["client_secret"]
    assert all(server.introspect("x", ("rotating", second)).status == 401 for _ in range(8))
    assert server.introspect("x", ("rotating", third)).body == INACTIVE


def test_failures_are_limited_where_they_fail(own):
    """A-AUTH-20 R6749-2.3.1-6 R7662-4-9 R7009-5-1: the 21st failure is a 429 on every worker; a correct caller never notices."""
    server = own.server
    statuses = [server.introspect("x", ("rs1", "wrong")).status for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    limited = server.introspect("x", ("rs1", "wrong"))
    assert 1 <= int(limited.header("Retry-After")) <= 60
    assert server.introspect("x", own.rs1).body == INACTIVE
    assert server.introspect("x", ("rs2", "wrong")).status == 401
    server.reload()
    assert server.introspect("x", ("rs1", "wrong")).status == 429
    server.check_floor()


def test_inactive_answers_are_never_limited(world):
    """R7662-4-9"""
    assert all(world.server.introspect(f"x{i}", world.rs1).status == 200 for i in range(60))


def test_a_deleted_client_is_gone_at_once(world):
    """A-AUTH-23 C-6"""
    server = world.server
    gone = server.add_client("gone", "--grant", "client_credentials refresh_token", "--scope", "read write", "--audience", API1)
    auth = ("gone", gone["client_secret"])
    tokens = server.issue("--client", "gone", "--subject", "bob", "--scope", "read", "--audience", API1, "--refresh")
    assert world.active(tokens["access_token"])
    server.cli("client", "remove", "gone")
    assert not world.active(tokens["access_token"])
    assert world.refresh(tokens["refresh_token"], auth).status == 401
