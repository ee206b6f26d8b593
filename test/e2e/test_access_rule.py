"""Who is told what: a live token, an audience that names the caller, the members and scopes of its record, and nothing else."""
import base64

import pytest

from harness import API1, API2, INACTIVE, basic, wait_until

API3 = "https://api3.example.com/"
MEMBERS = ["scope", "client_id", "username", "token_type", "exp", "iat", "nbf", "sub", "aud", "iss", "jti", "sid"]


def end_client(how):
    def end(world, _):
        world.server.cli("client", how, "doomed")
    return end


def expire(world, grant):
    wait_until(lambda: not world.active(grant["access_token"]), what="the token expires")


CHECKS = {  # what alone makes a live token inactive
    "revoked by its client": lambda w, g: w.server.revoke(g["access_token"], ("doomed", w.doomed)),
    "revoked by an administrator": lambda w, g: w.server.cli("token", "revoke", g["jti"]),
    "its refresh token revoked": lambda w, g: w.server.revoke(g["refresh_token"], ("doomed", w.doomed)),
    "its grant ended": lambda w, g: w.server.cli("grant", "end", g["grant"]),
    "its subject ended": lambda w, g: w.server.cli("subject", "end", "mallory"),
    "its client disabled": end_client("disable"),
    "its client removed": end_client("remove"),
    "expired": expire,
    "the caller's audience changed": lambda w, g: w.server.cli("client", "update", "rs1", "--audience", API3),
}


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_is_made_before_active(own, check):
    """R7662-4-1: one failing check at a time; at once, on every worker, and another token is not touched by it."""
    server = own.server
    made = server.add_client("doomed", "--grant", "client_credentials refresh_token", "--scope", "read", "--audience", API1)
    own.doomed = made["client_secret"]
    ttl = ("--ttl", "3s") if check == "expired" else ()
    grant = server.issue("--client", "doomed", "--subject", "mallory", "--scope", "read", "--refresh", *ttl)
    other = own.at()["access_token"]
    assert own.active(grant["access_token"]) and own.active(other)
    CHECKS[check](own, grant)
    for _ in range(6):  # more often than there are workers
        reply = server.introspect(grant["access_token"], own.rs1)
        assert reply.status == 200 and reply.body == INACTIVE
    if check != "the caller's audience changed":
        assert own.active(other)
    server.check_floor()


@pytest.fixture(scope="module")
def whole(world):
    """A token that has everything, already good."""
    token = world.at("--session", "s1", "--not-before", "1s")["access_token"]
    wait_until(lambda: world.active(token), what="its time comes")
    return token


@pytest.mark.parametrize("member", MEMBERS)
def test_a_resource_server_is_shown_the_members_of_its_list_alone(world, whole, member):
    """R7662-5-1 R7662-2.2-10: one member each, and `active`."""
    shown = world.server.add_client(f"shown-{member.replace('_', '-')}", "--resource-server", "--audience", API1, "--show", member)
    answer = world.server.introspect(whole, (shown["client_id"], shown["client_secret"])).json
    assert set(answer) == {"active", member}


def test_all_default_and_none_are_lists_too(world, whole):
    """R7662-5-1: what the operator did not think of (sid, extra claims) is not in the default."""
    for words, expected in (("all", set(MEMBERS)), ("default", set(MEMBERS) - {"sid"}), ("none", set())):
        shown = world.server.add_client(f"list-{words}", "--resource-server", "--audience", API1, "--show", words)
        answer = world.server.introspect(whole, (shown["client_id"], shown["client_secret"])).json
        assert set(answer) == {"active"} | expected


def test_a_gateway_of_several_audiences_sees_those_it_shares_with_the_token(world):
    """R7662-2.2-10: in the token's order, a string when it is one, an array when they are several; never another's."""
    server = world.server
    server.cli("client", "add", "many", "--grant", "client_credentials", "--scope", "read", "--audience", API1, "--audience", API2,
               "--audience", API3)
    gateway = server.add_client("gateway2", "--resource-server", "--audience", API3, "--audience", API2)
    auth = ("gateway2", gateway["client_secret"])

    def aud(*audiences):
        named = [x for a in audiences for x in ("--audience", a)]
        token = server.issue("--client", "many", "--scope", "read", *named)["access_token"]
        return server.introspect(token, auth).json.get("aud", "inactive")

    assert aud(API2) == API2 and aud(API3) == API3
    assert aud(API1, API2) == API2
    assert aud(API1, API2, API3) == [API2, API3] and aud(API3, API1, API2) == [API3, API2]
    assert aud(API1) == "inactive"


def test_scope_is_cut_to_what_the_caller_registered_and_left_out_when_nothing_remains(world):
    """R7662-2.2-10 R7662-2.2-3: the rest is nothing to it; no scope registered means all of a token for it."""
    server, token = world.server, world.at()["access_token"]
    for name, scope, seen in (("cut-one", "write", "write"), ("cut-other", "admin", None), ("cut-more", "admin write read", "read write")):
        rs = server.add_client(name, "--resource-server", "--audience", API1, "--scope", scope)
        assert server.introspect(token, (name, rs["client_secret"])).json.get("scope") == seen
    assert server.introspect(token, world.rs1).json["scope"] == "read write"


def test_a_change_of_the_callers_record_holds_for_the_next_request(own):
    """A-AUTH-23: on every worker, though each keeps the record parsed."""
    server, token = own.server, own.at()["access_token"]
    for _ in range(6):
        assert "sub" in server.introspect(token, own.rs1).json
    server.cli("client", "update", "rs1", "--show", "exp")
    assert all(set(server.introspect(token, own.rs1).json) == {"active", "exp"} for _ in range(6))
    server.cli("client", "update", "rs1", "--no-resource-server")
    assert all(server.introspect(token, own.rs1).status == 403 for _ in range(6))
    server.cli("client", "disable", "rs1")
    assert all(server.introspect(token, own.rs1).status == 401 for _ in range(6))


@pytest.mark.parametrize("resources,audience", [
    ([], API1),  # the client's default
    ([API2], API2), ([API2, API1], [API2, API1]), ([API1, API2, API1], [API1, API2]),
])
def test_resources_become_the_audience_as_they_were_named(world, resources, audience):
    """R8707-2-1 R8707-2-3 R8707-2.1-1: several, repeated, none."""
    server = world.server
    form = [("grant_type", "client_credentials"), *(("resource", r) for r in resources)]
    token = server.token(form, world.cl1).json["access_token"]
    both = server.add_client(f"both{len(resources)}{''.join(resources).count('1')}", "--resource-server", "--audience", API1, "--audience", API2)
    assert server.introspect(token, (both["client_id"], both["client_secret"])).json["aud"] == audience


@pytest.mark.parametrize("resources", [
    ["api1"], ["https://api1.example.com/#x"], ["https://api1.example.com"], ["https://API1.example.com/"], ["https://unknown.example/"],
    [API1, "https://unknown.example/"], [API1 + " " + API2], ["/relative"], ["https://api1.example.com/%zz"],
    [f"https://api1.example.com/{i}" for i in range(9)], ["https://api1.example.com/" + "x" * 512],
])
def test_a_resource_that_is_not_the_clients_is_refused_whole(world, resources):
    """R8707-2-1 R8707-2-2: malformed, unknown, of other case, one good beside one bad: invalid_target, no token."""
    seq = world.server.cli_json("store", "stat")["seq"]
    reply = world.server.token([("grant_type", "client_credentials"), *(("resource", r) for r in resources)], world.cl1)
    assert reply.status == 400 and reply.error == "invalid_target"
    assert world.server.cli_json("store", "stat")["seq"] == seq


def test_scope_is_reduced_to_what_the_resource_understands(own):
    """R8707-2.2-3 R8707-2.2-2: and said in `scope`; by the command as at the endpoint, for a refresh as for a new token; what
    remains is nothing: invalid_scope, and nothing is issued or rotated. A change of the registration holds at once."""
    server = own.server
    ask = lambda *resources, scope="read write": server.token(
        [("grant_type", "client_credentials"), ("scope", scope), *(("resource", r) for r in resources)], own.cl1)
    assert ask(API1).json["scope"] == "read write"  # rs1 lists nothing
    server.cli("client", "update", "rs1", "--scope", "read audit")
    for _ in range(6):  # more often than there are workers
        granted = ask(API1).json
        assert granted["scope"] == "read" and server.introspect(granted["access_token"], own.rs1).json["scope"] == "read"
    assert ask(API2).json["scope"] == "read write" and ask(API1, API2).json["scope"] == "read write"
    grant = own.grant()
    assert grant["scope"] == "read"
    seq = int(server.seq())
    refused = ask(API1, scope="write")
    assert refused.status == 400 and refused.error == "invalid_scope"
    done = server.cli("token", "issue", "--client", "cl1", "--subject", "a", "--scope", "write", "--audience", API1, check=False)
    assert done.returncode == 1 and "understands" in done.stderr
    server.cli("client", "update", "rs1", "--scope", "audit")
    refused = own.refresh(grant["refresh_token"])
    assert refused.status == 400 and refused.error == "invalid_scope"
    assert int(server.seq()) == seq + 1  # that update alone
    server.cli("client", "update", "rs1", "--scope", "")
    again = own.refresh(grant["refresh_token"])
    assert again.status == 200 and again.json["scope"] == "read write"


def test_tokens_are_random_where_they_are_secret(world):
    """R6749-10.10-1: 176 bits behind the address, each of them as often set as not, in no two tokens alike."""
    bodies = []
    for _ in range(300):
        text = world.server.token({"grant_type": "client_credentials"}, world.cl1).json["access_token"]
        bodies.append(base64.urlsafe_b64decode(text[9:]))
    secrets = [int.from_bytes(body[16:38], "big") for body in bodies]
    assert {len(body) for body in bodies} == {42} and len(set(secrets)) == len(secrets)
    for bit in range(176):
        assert 75 < sum(s >> bit & 1 for s in secrets) < 225, bit  # 8.6 standard deviations


def test_an_idle_refresh_token_ends_and_a_used_one_goes_on(own):
    """R9700-4.14-3: its life starts anew with each rotation."""
    server = own.server
    made = server.add_client("idle", "--grant", "refresh_token", "--scope", "read", "--audience", API1, "--refresh-lifetime", "4s")
    auth = ("idle", made["client_secret"])
    start = server.issue("--client", "idle", "--subject", "bob", "--scope", "read", "--refresh")
    idle = server.issue("--client", "idle", "--subject", "bob", "--scope", "read", "--refresh")["refresh_token"]
    used, rounds = start["refresh_token"], 0

    def idle_has_ended():
        nonlocal used, rounds
        reply = own.refresh(used, auth)
        assert reply.status == 200, reply.body
        used, rounds = reply.json["refresh_token"], rounds + 1
        # Asked by the command: presenting it would rotate it.
        return server.cli("token", "introspect", "-", stdin=idle, check=False).returncode == 1

    wait_until(idle_has_ended, seconds=30, what="the idle token ends")
    assert rounds > 1
    reply = own.refresh(idle, auth)
    assert reply.status == 400 and reply.error == "invalid_grant"
    assert own.refresh(used, auth).status == 200


def test_the_answer_to_a_caller_that_may_not_ask_is_the_same_for_every_token(world):
    """R7662-4-8 A-AUTH-21: 403, and no look at the token at all."""
    before = world.server.metrics().get("assay_token_lookups_total", 0)
    replies = {world.server.introspect(token, world.cl2).body for token in (world.at()["access_token"], "unknown", "assay_at_x")}
    assert len(replies) == 1 and b"unauthorized_client" in replies.pop()
    request = world.server.post("/oauth2/introspect", "token=", headers=[("Authorization", basic(*world.cl2))])
    assert request.status in (400, 403)
    assert world.server.metrics().get("assay_token_lookups_total", 0) - before <= 1
