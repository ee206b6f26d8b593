"""Corners of nginx's configuration in which a guard, or what belongs to it, might stand open."""
import pytest
from guard import API, CONTROL, Guard, wait_until
from peer import AuthorizationServer, Backend

PREFLIGHT = [("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "PUT")]


@pytest.fixture(scope="module")
def guard():
    with Guard(locations=f"""
        location = /control {{ assay_guard_control secret_file={{dir}}/control; if ($request_method) {{ set $x 1; }} }}
        location /cors/ {{ assay_guard corp allow_preflight=yes; assay_set_header X-Authenticated yes; try_files /nothing @strict; }}
        location /open-cors/ {{ assay_guard corp allow_preflight=yes; assay_set_header X-Authenticated yes; proxy_pass {{backend}}; }}
        location @strict {{ assay_guard corp; proxy_pass {{backend}}; }}
        location = /check {{ assay_check corp from=10.0.0.0/8; }}
        location /around/ {{ assay_guard off; try_files /nothing /check; }}
        location /spaces/ {{ assay_guard corp; assay_require audience "{API}  other"; proxy_pass {{backend}}; }}""") as guard:
        yield guard
        guard.check_floor()


# A-GW-30: an "if" gives the location another configuration, and no secret
@pytest.mark.parametrize("given", ["Bearer", "Bearer ", "Bearer x"])
def test_no_secret_is_no_administrator(guard, given):
    assert guard.request("GET", "/control", auth=given).status in (400, 401)
    assert guard.post("/control", "everything=1", auth=given).status in (400, 401)


# A-GW-17: only where it is allowed in so many words, and without identity headers
def test_a_preflight_opens_no_guard_that_does_not_allow_it(guard):
    before = guard.passed()
    assert guard.call("/cors/x", method="OPTIONS", headers=PREFLIGHT).status == 401
    assert guard.passed() == before


def test_a_preflight_carries_no_identity(guard):
    assert guard.call("/open-cors/x", method="OPTIONS", headers=PREFLIGHT).status == 200
    assert guard.backend.requests[-1].all("X-Authenticated") == []
    assert guard.call("/open-cors/x", token=guard.allow("T")).status == 200
    assert guard.backend.requests[-1].all("X-Authenticated") == ["yes"]


def test_an_internal_redirect_is_no_way_to_the_judge(guard):
    guard.allow("T")
    assert guard.call("/check", token="T").status == 403
    assert guard.call("/around/x", token="T").status == 403


def test_two_spaces_are_no_audience(guard):
    assert guard.call("/spaces/x", token=guard.allow("E", aud="")).status == 401
    assert guard.call("/spaces/x", token=guard.allow("O", aud="other")).status == 200


# REL-18: the control endpoint below a guarded server knows its administrators itself
def test_the_administrators_secret_is_nobodys_token():
    with AuthorizationServer() as own, Backend() as back, Guard(peer=own, backend=back, server="assay_guard corp;", locations="""
            location = /control { assay_guard_control secret_file={dir}/control; }""") as guard:
        assert guard.request("GET", "/control", auth=f"Bearer {CONTROL}").status == 200
        assert guard.request("GET", "/control", auth="Bearer wrong").status == 401
        assert own.requests == []


# DESIGN 5: what does not fit is asked for each time, and warned of once
def test_answers_that_do_not_fit_are_warned_of_once():
    with Guard(locations="location / { assay_guard corp; add_header X $assay_claim_long; proxy_pass {backend}; }") as guard:
        for i in range(10):
            assert guard.call(token=guard.allow(f"T{i}", long="x" * 400)).status == 200
        assert guard.log().count("too large for the cache") == 1


# A-GW-17, "no 2xx leaves a guarded location without a decision to allow": also where others may let requests in
@pytest.fixture(scope="module")
def lenient():
    with Guard(locations="""
        location /let-in/ { satisfy any; allow all; assay_guard corp satisfy_any=yes; assay_set_header X-User $assay_sub; proxy_pass {backend}; }
        location /strict/ { satisfy any; deny all; assay_guard corp satisfy_any=yes; assay_set_header X-User $assay_sub; proxy_pass {backend}; }
        location /forwards/ { satisfy any; allow all; assay_guard corp satisfy_any=yes; assay_forward token; proxy_pass {backend}; }
        location = /returns { satisfy any; allow all; assay_guard corp satisfy_any=yes; return 200 open; }
        location = /falls { satisfy any; deny all; assay_guard corp satisfy_any=yes; error_page 401 403 =200 /returns; proxy_pass {backend}; }
        location /tries/ { satisfy any; allow all; assay_guard corp satisfy_any=yes; try_files /nothing @inner; }
        location @inner { satisfy any; deny all; assay_guard corp satisfy_any=yes; assay_require scope other; proxy_pass {backend}; }""") as guard:
        guard.allow("T")
        yield guard
        guard.check_floor(allow=("without a decision",))


def test_who_is_let_in_by_others_has_no_name_and_no_token(lenient):
    for headers in ([], [("X-User", "root")], [("Authorization", "Bearer dead"), ("x_user", "root")]):
        assert lenient.call("/let-in/x", headers=headers).status == 200
        assert lenient.backend.last.all("X-User") == [] and lenient.backend.last.all("Authorization") == []
    assert lenient.call("/forwards/x", token="dead").status == 200
    assert lenient.backend.last.all("Authorization") == ["Bearer dead"]  # as configured
    assert lenient.call("/strict/x", token="T").status == 200
    assert lenient.backend.last.all("X-User") == ["alice"]
    assert lenient.call("/strict/x", token="dead").status == 401


@pytest.mark.parametrize("path", ["/returns", "/falls"])
def test_satisfy_any_opens_no_other_way_out(lenient, path):
    at = len(lenient.log())
    reply = lenient.call(path)
    assert reply.status == 500 and b"open" not in reply.body
    assert "without a decision" in lenient.log()[at:] and "nginx.conf:" in lenient.log()[at:]


def test_who_is_let_in_somewhere_is_not_let_in_elsewhere(lenient):
    before = lenient.passed()
    assert lenient.call("/tries/x").status == 401 and lenient.passed() == before


# REL-18 A-GW-06 R6750-2.3-1: a token in a query is in no log, whoever refuses it and whether it is looked at there or not
def test_a_token_in_a_query_is_in_no_log():
    token = "query-token-0123456789abcdef0123456789"
    with Guard(http="log_format all '$request|$request_uri|$args|$uri|$http_referer'; access_log {dir}/all.log all;", locations="""
            location /plain/ { assay_guard corp; proxy_pass {backend}; }
            location /denied/ { deny all; assay_guard corp token_query=tok; proxy_pass {backend}; }
            location /query/ { assay_guard corp token_query=tok; proxy_pass {backend}; }
            location /forwards/ { assay_guard corp token_query=tok; assay_forward token; proxy_pass {backend}; }
            location = /check { assay_check corp from=10.0.0.0/8 token_query=tok; }
            location /if/ { assay_guard corp; if ($arg_a) { return 403; } proxy_pass {backend}; }""") as guard:
        guard.canaries.add(token)
        guard.allow(token)
        expected = {"/plain/x?access_token={}&a=1": 401, "/plain/x?%61ccess_token={}&a=1": 401, "/denied/x?tok={}": 403, "/denied/x?access_token={}": 403, "/query/x?tok={}&a=1": 200,
                    "/query/x?b=2&access_token={}": 401, "/forwards/x?tok={}": 200, "/check?tok={}": 403, "/check?access_token={}": 403, "/if/x?access_token={}&a=1": 403}
        for path, status in expected.items():
            assert guard.call(path.format(token)).status == status, path
        assert guard.call(f"/plain/x?access_token={token}&a=1", token=guard.allow("other")).status == 400  # two tokens
        lines = wait_until(lambda: len(lines := [line for line in (guard.dir / "all.log").read_text().splitlines() if "/alive" not in line]) == len(expected) + 1 and lines,
                           what="all of them are in the log")
        assert token not in "".join(lines)
        guard.check_canaries()


# A-GW-01: the client's spelling is gone before the first thing that could read it
def test_no_directive_of_nginx_reads_the_clients_header():
    with Guard(server="set $seen $http_x_user; if ($http_x_user) { set $found yes; }", http="map $http_x_user $mapped { default '$http_x_user'; }", locations="""
            location / { assay_guard corp; assay_set_header X-User $assay_sub; proxy_set_header X-Seen "$seen|$found|$mapped"; proxy_pass {backend}; }""") as guard:
        token = guard.allow("T")
        assert guard.call("/x", token=token, headers=[("X-User", "root")]).status == 200
        assert guard.backend.last.all("X-User") == ["alice"]
        assert "root" not in guard.backend.last.raw.decode() and "yes" not in guard.backend.last.header("X-Seen")


# R6750-3-1: the scope that is needed is all of it
def test_a_challenge_names_the_scope_of_all_rules():
    with Guard(server="assay_guard corp; assay_require scope 'read base';", locations="""
            location / { assay_require scope write scope 'read more'; proxy_pass {backend}; }""") as guard:
        reply = guard.call("/x", token=guard.allow("T", scope="base"))
        assert reply.status == 403 and 'scope="read base write more"' in reply.header("WWW-Authenticate")
        reply = guard.call("/x", token=guard.allow("U", scope="read base"))
        assert reply.status == 403 and 'scope="read base write more"' in reply.header("WWW-Authenticate")


# A-GW-14 A-GW-31: the judge asked by auth_request of the same nginx, with the client's own credentials
def test_auth_request_asks_the_judge_of_the_same_nginx():
    with Guard(locations=f"""
            location = /judge {{ internal; assay_check corp max_age=0; assay_require scope read audience {API}; assay_set_header X-User $assay_sub; }}
            location / {{ auth_request /judge; auth_request_set $user $upstream_http_x_user; auth_request_set $challenge $sent_http_www_authenticate;
                auth_request_set $name $sent_http_x_user; proxy_set_header X-Name $name; add_header X-Challenge $challenge always; proxy_pass {{backend}}; }}""") as guard:
        token = guard.allow("judged-token")
        assert guard.call("/x", token=token).status == 200 and guard.peer.count(token) == 1
        assert guard.backend.last.header("X-Name") == "alice"
        before = guard.passed()
        reply = guard.call("/x")
        assert reply.status == 401 and reply.header("WWW-Authenticate") == 'Bearer realm="api"'
        reply = guard.call("/x", token="judged-dead")
        assert reply.status == 401 and 'error="invalid_token"' in reply.header("WWW-Authenticate")
        assert guard.call("/x", token=guard.allow("judged-little", scope="write")).status == 403
        guard.peer.misbehave = lambda c, r: False
        assert guard.call("/x", token="judged-trouble").status == 500  # all that auth_request makes of 503
        assert guard.call("/judge", token=token).status == 404 and guard.passed() == before


# docs/guard.md: nginx folds the names of variables
def test_a_claim_that_is_not_in_lower_case_wants_a_name_of_its_own():
    with Guard(http="assay_claim_set $user userName;", locations="""
            location / { assay_guard corp; add_header X-Folded "<$assay_claim_userName>"; add_header X-Set "<$user>"; add_header X-Low "<$assay_claim_username>"; proxy_pass {backend}; }""") as guard:
        reply = guard.call("/x", token=guard.allow("claims-1", userName="Alice"))
        assert (reply.header("X-Folded"), reply.header("X-Set"), reply.header("X-Low")) == ("<>", "<Alice>", "<>")
        reply = guard.call("/x", token=guard.allow("claims-2", username="alice"))
        assert (reply.header("X-Folded"), reply.header("X-Set"), reply.header("X-Low")) == ("<alice>", "<>", "<alice>")
