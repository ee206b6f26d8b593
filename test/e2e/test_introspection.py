"""RFC 7662 at the authorization server, from the table alone."""

import pytest
from harness import API1, API2, INACTIVE, wait_until


def test_an_active_token_says_what_it_permits(world):
    """R7662-2.2-1 R7662-2.2-2 R7662-2.2-3 R7662-2.2-4 R7662-2.2-5 R7662-2.2-6 R7662-2.2-7 R7662-2.2-8 R8707-2-3b"""
    token = world.at()
    reply = world.server.introspect(token["access_token"], world.rs1)
    answer = reply.json
    assert reply.status == 200 and reply.header("Content-Type") == "application/json"
    assert answer["active"] is True and answer["scope"] == "read write" and answer["client_id"] == "cl1"
    assert answer["sub"] == "alice" and answer["username"] == "alice@example.com" and answer["token_type"] == "Bearer"
    assert answer["aud"] == API1 and answer["iss"] == world.server.issuer and answer["jti"] == token["jti"]
    assert all(type(answer[k]) is int for k in ("exp", "iat")) and answer["exp"] - answer["iat"] == 3600


def test_a_client_credentials_token_has_no_username(world):
    """R7662-2.2-5 R9068-2.2-2"""
    token = world.server.token({"grant_type": "client_credentials"}, world.cl1).json["access_token"]
    answer = world.server.introspect(token, world.rs1).json
    assert answer["active"] and "username" not in answer and answer["sub"] == "cl1"


@pytest.mark.parametrize("kind", ["expired", "not yet", "revoked", "other audience", "random", "refresh", "mistyped", "other prefix",
                                  "empty secret", "jwt", "client secret", "jti"])
def test_whatever_is_not_live_for_this_caller_gets_the_same_bytes(world, kind):
    """R7662-2-2 R7662-2.2-12 R7662-2.2-13 R7662-2.3-3 R7662-4-6 R7662-2.1-11 A-TOK-01 A-TOK-02 A-TOK-03 A-TOK-06 A-TOK-07 A-SIDE-03 A-SIDE-04"""
    live = world.at()["access_token"]
    token = {
        "random": lambda: "0123456789",
        "not yet": lambda: world.at("--not-before", "50m")["access_token"],
        "revoked": lambda: revoked(world),
        "expired": lambda: expired(world),
        "other audience": lambda: world.server.issue("--client", "cl1", "--subject", "a", "--scope", "read", "--audience", API2)["access_token"],
        "refresh": lambda: world.grant()["refresh_token"],
        "mistyped": lambda: live[:-1] + ("A" if live[-1] != "A" else "B"),
        "other prefix": lambda: "other" + live[5:],
        "empty secret": lambda: live[:31] + "A" * 34,
        "jwt": lambda: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
        "client secret": lambda: world.cl1[1],
        "jti": lambda: world.at()["jti"],
    }[kind]()
    reply = world.server.introspect(token, world.rs1)
    reference = world.server.introspect("unknown", world.rs1)
    assert reply.status == 200 and reply.body == INACTIVE
    strip = lambda r: [(k, v) for k, v in r.headers if k.lower() != "date"]
    assert strip(reply) == strip(reference)


def revoked(world):
    token = world.at()["access_token"]
    assert world.server.revoke(token, world.cl1).status == 200
    return token


def expired(world):
    token = world.at("--ttl", "1s")["access_token"]
    wait_until(lambda: not world.active(token), what="the token expires")
    return token


def test_expiry_comes_at_its_second_and_never_goes_back(world):
    """R7662-4-2 A-TOK-04"""
    token = world.at("--ttl", "2s")["access_token"]
    assert world.active(token)
    wait_until(lambda: not world.active(token), seconds=5)
    assert not any(world.active(token) for _ in range(20))


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "foo", "", "%F0%9F%98%80"])
def test_a_hint_changes_nothing(world, hint):
    """R7662-2.1-6 R7662-2.1-7 A-TOK-08"""
    token = world.at()["access_token"]
    reply = world.server.post("/oauth2/introspect", f"token={token}&token_type_hint={hint}", auth=world.rs1)
    assert reply.json["active"] is True


def test_unknown_parameters_are_ignored_also_when_repeated(world):
    """R7662-2.1-8 R6749-3.2-4 A-HTTP-12"""
    token = world.at()["access_token"]
    reply = world.server.post("/oauth2/introspect", f"foo=bar&token={token}&ip=192.0.2.1&foo=baz", auth=world.rs1)
    assert reply.json["active"] is True


def test_a_client_that_is_no_resource_server_learns_nothing(world):
    """R7662-4-8 A-AUTH-21 R9701-3-3"""
    bodies = set()
    for token in (world.at()["access_token"], revoked(world), "random"):
        reply = world.server.introspect(token, world.cl2)
        assert reply.status == 403 and reply.error == "unauthorized_client" and b"active" not in reply.body
        bodies.add(reply.body)
    assert len(bodies) == 1
    reply = world.server.token({"grant_type": "client_credentials"}, world.rs1)
    assert reply.status == 400 and reply.error == "unauthorized_client"


def test_no_credentials_no_answer(world):
    """R7662-2.1-10 R7662-4-7 R9701-5-13 A-AUTH-01"""
    token = world.at()["access_token"]
    reply = world.server.introspect(token, None)
    assert reply.status == 401 and reply.error == "invalid_client" and reply.header("WWW-Authenticate").startswith("Basic")
    reply = world.server.introspect(token, None, headers=[("Accept", "application/token-introspection+jwt")])
    assert reply.status == 400 and b"active" not in reply.body


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_asked_about_does_not_authorize_asking(world, scheme):
    """P-7662-10 A-AUTH-13 B-5"""
    token = world.at()["access_token"]
    reply = world.server.introspect(token, f"{scheme} {token}")
    assert reply.status == 401 and b"active" not in reply.body


def test_scope_and_audience_are_cut_to_the_caller(world):
    """R7662-2.2-10 R7662-5-1"""
    server = world.server
    narrow = server.add_client("narrow", "--resource-server", "--audience", API1, "--scope", "read", "--show", "scope aud")
    token = server.issue("--client", "cl1", "--subject", "alice", "--username", "u", "--scope", "read write", "--audience", API1, "--audience", API2)
    answer = server.introspect(token["access_token"], (narrow["client_id"], narrow["client_secret"])).json
    assert answer == {"active": True, "scope": "read", "aud": API1}
    assert server.introspect(token["access_token"], world.rs2).json["aud"] == API2


def test_a_gateway_answers_for_several_audiences(world):
    both = world.server.add_client("gateway2", "--resource-server", "--audience", API1, "--audience", API2)
    auth = (both["client_id"], both["client_secret"])
    one = world.at()["access_token"]
    two = world.server.issue("--client", "cl1", "--subject", "a", "--scope", "read", "--audience", API2)["access_token"]
    assert world.server.introspect(one, auth).json["aud"] == API1
    assert world.server.introspect(two, auth).json["aud"] == API2


def test_a_refresh_token_is_told_of_only_where_it_may_be(world):
    """R7662-2.1-11 R7662-2.2-6"""
    trusted = world.server.add_client("trusted", "--resource-server", "--audience", API1, "--introspect-refresh")
    token = world.grant()["refresh_token"]
    answer = world.server.introspect(token, (trusted["client_id"], trusted["client_secret"])).json
    assert answer["active"] is True and "token_type" not in answer
    assert world.server.introspect(token, world.rs1).body == INACTIVE


@pytest.mark.parametrize("text", ['quote " and \\ backslash', "snow ☃ and 𝄞", "line\u2028separator", "</script>"])
def test_claims_are_escaped_exactly(world, text):
    """A-TOK-21"""
    token = world.server.issue("--client", "cl1", "--subject", text, "--username", text, "--scope", "read", "--audience", API1)
    answer = world.server.introspect(token["access_token"], world.rs1).json
    assert answer["sub"] == text and answer["username"] == text


def test_every_answer_forbids_caching(world):
    """P-7662-1 N5"""
    token = world.at()["access_token"]
    server = world.server
    for reply in (server.introspect(token, world.rs1), server.introspect("x", world.rs1), server.introspect("", world.rs1),
                  server.introspect(token, None), server.introspect(token, world.cl1), server.get("/oauth2/introspect")):
        assert reply.header("Cache-Control") == "no-store"


def test_tls_before_1_2_is_refused(world):
    """R7662-4-11 R8414-6-1"""
    import ssl
    import socket
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", world.server.port)) as raw, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(raw, server_hostname="localhost")


def test_a_million_tokens_away_reads_never_write(world):
    """A-TOK-23 (short): the store's number stands still over inactive answers."""
    seq = world.server.cli_json("store", "stat")["seq"]
    for i in range(50):
        assert world.server.introspect(f"random-{i}", world.rs1).body == INACTIVE
    assert world.server.cli_json("store", "stat")["seq"] == seq
