"""RFC 6749 sections 3.2, 4.4 and 5, RFC 8707: the token endpoint, from the tables alone."""

import urllib.parse

import pytest
from harness import API1, API2


def client_credentials(world, auth=None, **more):
    return world.server.token({"grant_type": "client_credentials", **more}, auth or world.cl1)


def test_client_credentials_gives_a_bearer_token(world):
    """R6749-5.1-1 R6749-5.1-2 R6749-4.4-2 R6749-3.3-3"""
    reply = client_credentials(world)
    answer = reply.json
    assert reply.status == 200 and reply.header("Cache-Control") == "no-store" and reply.header("Pragma") == "no-cache"
    assert answer["token_type"] == "Bearer" and answer["expires_in"] == 3600 and answer["scope"] == "read write"
    assert "refresh_token" not in answer and world.active(answer["access_token"])


@pytest.mark.parametrize("form,error", [
    ({}, "invalid_request"), ({"grant_type": ""}, "invalid_request"), ({"grant_type": "foo"}, "unsupported_grant_type"),
    ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
    ({"grant_type": "CLIENT_CREDENTIALS"}, "unsupported_grant_type"),
    ({"grant_type": "client_credentials", "scope": "admin"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": "READ"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": 'a"b'}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": "read\\"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": "read\nwrite"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": "r\u00e9ad"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": "read  write"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": " ".join(["read"] * 300)}, "invalid_scope"),
    ({"grant_type": "client_credentials", "resource": "api"}, "invalid_target"),
    ({"grant_type": "client_credentials", "resource": API1 + "#f"}, "invalid_target"),
    ({"grant_type": "client_credentials", "resource": "https://other.example.com/"}, "invalid_target"),
    ({"grant_type": "refresh_token"}, "invalid_request"), ({"grant_type": "refresh_token", "refresh_token": ""}, "invalid_request"),
    ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
])
def test_refusals(world, form, error):
    """R6749-5.2-1 R6749-5.2-2 R6749-5.2-4 R6749-5.2-6 R6749-5.2-7 R6749-3.3-1 R9700-2.4-1 R8707-2-1 R8707-2-2 A-TOK-20"""
    reply = world.server.token(form, world.cl1)
    assert reply.status == 400 and reply.error == error, reply.body
    allowed = set(range(0x20, 0x22)) | set(range(0x23, 0x5C)) | set(range(0x5D, 0x7F))
    assert set(reply.json["error_description"].encode()) <= allowed


def test_repeated_parameters(world):
    """R6749-3.2-5"""
    for body in ("grant_type=client_credentials&grant_type=client_credentials", "grant_type=client_credentials&scope=read&scope=read"):
        reply = world.server.post("/oauth2/token", body, auth=world.cl1)
        assert reply.status == 400 and reply.error == "invalid_request"


def test_a_grant_type_one_is_not_registered_for(world):
    """R6749-5.2-5 R6749-4.4-1"""
    reply = client_credentials(world, ("rs1", world.rs1[1]))
    assert reply.status == 400 and reply.error == "unauthorized_client"
    reply = world.server.post("/oauth2/token", {"grant_type": "client_credentials", "client_id": "pub1"})
    assert reply.status in (400, 401) and reply.error in ("unauthorized_client", "invalid_client")


def test_resources_decide_the_audience(world):
    """R8707-2-3 R8707-2.1-1 R9068-3-1"""
    server = world.server
    default = client_credentials(world).json["access_token"]
    assert server.introspect(default, world.rs1).json["aud"] == API1 and not world.active(default, world.rs2)
    second = client_credentials(world, resource=API2).json["access_token"]
    assert not world.active(second) and world.active(second, world.rs2)
    both = server.post("/oauth2/token", urllib.parse.urlencode([("grant_type", "client_credentials"), ("resource", API1), ("resource", API2)]), auth=world.cl1)
    assert world.active(both.json["access_token"]) and world.active(both.json["access_token"], world.rs2)


def test_an_empty_parameter_counts_as_absent(world):
    """R6749-3.2-3"""
    assert client_credentials(world, scope="", resource="").json["scope"] == "read write"


def test_a_narrower_scope_is_granted_as_asked(world):
    """R6749-3.3-2"""
    assert client_credentials(world, scope="write").json["scope"] == "write"
