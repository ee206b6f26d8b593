"""Refresh: rotation, its safe retry, and what happens to those who replay (RFC 6749 section 6, RFC 9700 section 4.14)."""

import pytest
from harness import API2


def test_a_refresh_rotates_and_keeps_the_whole_grant(world):
    """R6749-6-1 R6749-6-2 R6749-6-3 R8707-2.2-2 R9470-6.2-1"""
    first = world.grant()
    narrow = world.refresh(first["refresh_token"], scope="read").json
    assert narrow["scope"] == "read" and narrow["refresh_token"] != first["refresh_token"]
    wide = world.refresh(narrow["refresh_token"]).json
    assert wide["scope"] == "read write" and world.active(wide["access_token"])
    assert world.server.introspect(wide["access_token"], world.rs1).json["sub"] == "alice"


@pytest.mark.parametrize("more,error", [({"scope": "read write admin"}, "invalid_scope"), ({"resource": API2}, "invalid_target"),
                                        ({"resource": "x"}, "invalid_target")])
def test_a_refresh_that_asks_for_more_rotates_nothing(world, more, error):
    """R6749-6-2 R8707-2.2-1 P-6749-1"""
    token = world.grant()["refresh_token"]
    reply = world.refresh(token, **more)
    assert reply.status == 400 and reply.error == error
    assert world.refresh(token).status == 200


def test_a_retry_inside_the_window_gets_the_same_token_again(world):
    """P-9700-1 REL-02"""
    token = world.grant()["refresh_token"]
    a, b = world.refresh(token).json, world.refresh(token).json
    assert a["refresh_token"] == b["refresh_token"] and a["access_token"] != b["access_token"]


def test_a_used_successor_closes_the_window(world):
    """C-4 A-TOK-17 R9700-4.14-2"""
    first = world.grant()
    second = world.refresh(first["refresh_token"]).json
    third = world.refresh(second["refresh_token"]).json
    reply = world.refresh(first["refresh_token"])
    assert reply.status == 400 and reply.error == "invalid_grant"
    assert world.refresh(third["refresh_token"]).error == "invalid_grant"
    assert not any(world.active(t["access_token"]) for t in (first, second, third))


def test_a_stolen_rotated_token_ends_the_grant_and_a_stolen_live_one_does_not(world):
    """A-TOK-17 R6749-5.2-4 R6749-6-1"""
    first = world.grant()
    assert world.refresh(first["refresh_token"], world.cl2).error == "invalid_grant"
    second = world.refresh(first["refresh_token"]).json
    assert world.refresh(first["refresh_token"], world.cl2).error == "invalid_grant"
    assert world.refresh(second["refresh_token"]).error == "invalid_grant" and not world.active(second["access_token"])


def test_an_access_token_does_not_refresh(world):
    """A-TOK-06"""
    assert world.refresh(world.at()["access_token"]).error == "invalid_grant"


def test_a_public_client_refreshes_by_its_id(world):
    """R9700-2.2.2-1"""
    token = world.grant(client="pub1")
    reply = world.server.token({"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": "pub1"})
    assert reply.status == 200 and reply.json["refresh_token"] != token["refresh_token"]
