"""The token endpoint, refresh, and revocation."""

import concurrent.futures
import threading
import urllib.parse

import pytest
from harness import API1, API2, wait_until


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


# --- refresh


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


def test_parallel_refreshes_have_one_successor(world):
    """A-TOK-16 P-9700-1"""
    token = world.grant()["refresh_token"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: world.refresh(token), range(100)))
    assert {r.status for r in replies} == {200} and len({r.json["refresh_token"] for r in replies}) == 1


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


def test_without_a_window_one_of_many_wins():
    """P-9700-1: window 0"""
    from harness import Server, World
    with Server(options="refresh_window=0s") as server:
        world = World(server)
        token = world.grant()["refresh_token"]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: world.refresh(token), range(100)))
        assert sorted(r.status for r in replies) == [200] + [400] * 99
        assert all(r.error == "invalid_grant" for r in replies if r.status == 400)
        server.check_floor()


def test_an_access_token_does_not_refresh(world):
    """A-TOK-06"""
    assert world.refresh(world.at()["access_token"]).error == "invalid_grant"


def test_a_public_client_refreshes_by_its_id(world):
    """R9700-2.2.2-1"""
    token = world.grant(client="pub1")
    reply = world.server.token({"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": "pub1"})
    assert reply.status == 200 and reply.json["refresh_token"] != token["refresh_token"]


# --- revocation


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


def test_no_introspection_after_the_answer_says_active(world):
    """C-9 A-TOK-15: 16 clients introspect and revoke at once; none that starts after a revoke was answered says active."""
    tokens = [world.at()["access_token"] for _ in range(24)]
    answered = {}
    wrong = []
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            for token in tokens:
                dead = token in answered
                if world.active(token) and dead:
                    wrong.append(token)

    watchers = [threading.Thread(target=watch) for _ in range(12)]
    for t in watchers:
        t.start()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        def end(token):
            assert world.server.revoke(token, world.cl1).status == 200
            answered[token] = True
        list(pool.map(end, tokens))
    stop.set()
    for t in watchers:
        t.join()
    assert not wrong and not any(world.active(t) for t in tokens)


def test_ending_a_subject_ends_what_came_before(world):
    """A-TOK-18"""
    before = world.at()["access_token"]
    world.server.cli("subject", "end", "alice")
    after = world.at()["access_token"]
    assert not world.active(before) and world.active(after)


# --- documents and transport


def test_metadata(world):
    """R8414-3-1 R8414-3.2-1 R8414-2-1 R8414-2-2 R8414-2-4 R8414-2-9 R8414-2-10 R8414-2-13 R8414-2-14 R8414-2-15 R7009-2-4 R6749-3.2-1"""
    reply = world.server.get("/.well-known/oauth-authorization-server")
    document = reply.json
    assert reply.status == 200 and reply.header("Content-Type") == "application/json" and document["issuer"] == world.server.issuer
    for name in ("token", "introspection", "revocation"):
        assert document[f"{name}_endpoint"].startswith(world.server.issuer + "/oauth2/")
    assert document["grant_types_supported"] == ["client_credentials", "refresh_token"]
    assert "none" not in document["introspection_endpoint_auth_methods_supported"]
    assert b"[]" not in reply.body and document["response_types_supported"]


def test_cleartext_from_this_machine_is_for_development(world):
    token = world.at()["access_token"]
    assert world.server.introspect(token, world.rs1, clear=True).json["active"] is True


def test_authlib_gets_introspects_and_revokes(world):
    """A client that no one here wrote."""
    from authlib.integrations.requests_client import OAuth2Session
    server = world.server
    ca = str(server.dir / "cert.pem")
    session = OAuth2Session(*world.cl1, token_endpoint_auth_method="client_secret_basic")
    token = session.fetch_token(server.issuer + "/oauth2/token", grant_type="client_credentials", verify=ca)["access_token"]
    rs = OAuth2Session(*world.rs1, token_endpoint_auth_method="client_secret_basic")
    ask = lambda: rs.introspect_token(server.issuer + "/oauth2/introspect", token=token, verify=ca).json()
    assert ask()["active"] is True
    assert session.revoke_token(server.issuer + "/oauth2/revoke", token=token, verify=ca).status_code == 200
    assert ask() == {"active": False}


def test_oauth4webapi_gets_introspects_and_revokes(world):
    """Another: the library behind many Node services."""
    import json
    import os
    import shutil
    import subprocess
    from harness import ROOT
    where = ROOT / "test" / "clients"
    node = shutil.which("node")
    assert node and (where / "node_modules").is_dir(), "run tools/install-deps test"
    major = int(subprocess.run([node, "-p", "process.versions.node.split('.')[0]"], capture_output=True, text=True).stdout)
    flags = ["--experimental-global-webcrypto"] if major == 18 else []
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    done = subprocess.run([node, *flags, where / "oauth4webapi.mjs", world.server.issuer, *world.cl1, *world.rs1], capture_output=True,
                          text=True, timeout=60, env={**env, "NODE_EXTRA_CA_CERTS": str(world.server.dir / "cert.pem")})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["before"]["active"] is True and answer["before"]["scope"] == "read" and answer["after"] == {"active": False}
