"""RFC 7009 and the cascade rules, from the table alone."""

import concurrent.futures

import pytest


def test_revoking_is_at_once_idempotent_and_silent(world):
    """R7009-2-2 R7009-2.1-7 R7009-2.2-1 R7009-2.2-2 R7662-4-4 A-TOK-12 A-TOK-15"""
    token = world.at()["access_token"]
    for _ in range(3):
        reply = world.server.revoke(token, world.cl1)
        assert reply.status == 200 and reply.body == b"" and reply.header("Content-Length") == "0"
        assert not any(world.active(token) for _ in range(4))
    seq = world.server.cli_json("store", "stat")["seq"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert {r.status for r in pool.map(lambda _: world.server.revoke(token, world.cl1), range(64))} == {200}
    assert world.server.cli_json("store", "stat")["seq"] == seq


@pytest.mark.parametrize("token", ["random", "assay_at_" + "A" * 56, "eyJ.x.y"])
def test_revoking_what_is_not_there_is_success(world, token):
    """R7009-2.2-1"""
    assert world.server.revoke(token, world.cl1).status == 200


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "zzz"])
def test_a_wrong_hint_does_not_save_a_token(world, hint):
    """R7009-2.1-2 R7009-2.2-3 R7009-5-2"""
    grant = world.grant()
    reply = world.server.post("/oauth2/revoke", {"token": grant["refresh_token"], "token_type_hint": hint}, auth=world.cl1)
    assert reply.status == 200 and world.refresh(grant["refresh_token"]).error == "invalid_grant"


def test_revoking_a_refresh_token_ends_its_access_tokens(world):
    """C-1 R7009-2-1 R7009-2.1-9"""
    first = world.grant()
    second = world.refresh(first["refresh_token"]).json
    assert world.server.revoke(second["refresh_token"], world.cl1).status == 200
    assert not world.active(first["access_token"]) and not world.active(second["access_token"])


def test_revoking_a_rotated_refresh_token_ends_the_family(world):
    """C-3"""
    first = world.grant()
    second = world.refresh(first["refresh_token"]).json
    assert world.server.revoke(first["refresh_token"], world.cl1).status == 200
    assert world.refresh(second["refresh_token"]).error == "invalid_grant"


def test_revoking_an_access_token_leaves_the_refresh_token(world):
    """C-2 R7009-2.1-10"""
    grant = world.grant()
    assert world.server.revoke(grant["access_token"], world.cl1).status == 200
    assert not world.active(grant["access_token"]) and world.refresh(grant["refresh_token"]).status == 200


def test_only_the_own_client_revokes(world):
    """R7009-2.1-5 R7009-2.1-6 A-TOK-13"""
    grant = world.grant()
    for token in (grant["access_token"], grant["refresh_token"]):
        reply = world.server.revoke(token, world.cl2)
        assert reply.status == 400 and reply.error == "invalid_grant"
        assert world.server.revoke(token, ("cl1", "wrong")).status == 401
    assert world.active(grant["access_token"]) and world.refresh(grant["refresh_token"]).status == 200


def test_a_public_client_revokes_by_its_id(world):
    """R7009-2.1-4"""
    token = world.at(client="pub1")["access_token"]
    reply = world.server.post("/oauth2/revoke", {"token": token, "client_id": "pub1"})
    assert reply.status == 200 and not world.active(token)


def test_ending_a_subject_ends_what_came_before(world):
    """A-TOK-18"""
    before = world.at()["access_token"]
    world.server.cli("subject", "end", "alice")
    after = world.at()["access_token"]
    assert not world.active(before) and world.active(after)
