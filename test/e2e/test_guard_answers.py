"""What an authorization server may answer, and what the guard makes of it (RFC 7662 sections 2.2 and 4)."""

import time

import pytest

from guard import Guard, live, wait_until
from peer import response

TYPE = "application/json"


@pytest.fixture(scope="module")
def guard():
    with Guard(provider="issuer https://as.example.com;", locations="""
        location /api/ { assay_guard corp; assay_require scope read; proxy_pass {backend}; }
        location /any/ { assay_guard corp; proxy_pass {backend}; }
    """) as guard:
        yield guard
        guard.check_floor()


counter = iter(range(10**6))


def told(guard, answer, path="/any/x"):
    """A fresh token is answered for so; the reply of the guard."""
    token = f"token-{next(counter)}"
    guard.peer.answers[token] = answer
    before = guard.passed()
    reply = guard.call(path, token=token)
    assert guard.passed() == before + (1 if reply.status == 200 else 0)
    reply.again = lambda: guard.call(path, token=token)
    reply.asked = lambda: guard.peer.count(token)
    return reply


def unusable(guard, answer, path="/any/x"):
    """503 with Retry-After, and nothing is remembered."""
    reply = told(guard, answer, path)
    assert reply.status == 503 and reply.header("Retry-After") and reply.header("WWW-Authenticate") is None, (answer, reply.status)
    assert reply.header("Cache-Control") == "no-store"
    assert told(guard, live()).status == 200  # nobody else pays for it
    assert reply.again().status == 503 and reply.asked() >= 2  # it was not remembered
    return reply


# A-RESP-01 R7662-2.2-11
@pytest.mark.parametrize("active", ['"true"', "1", '"false"', "null", "[true]", "[]", "{}", "0", '"1"', "1.0", "false"])
def test_only_the_literal_true_is_active(guard, active):
    reply = told(guard, response(f'{{"active":{active},"scope":"read"}}'.encode()))
    assert reply.status == 401 and 'error="invalid_token"' in reply.header("WWW-Authenticate")


# A-RESP-02 A-RESP-03 A-RESP-04 A-RESP-13 R7519-4-1
BODIES = ["", "{}", "[]", '[{"active":true}]', '{"active":true,"active":false}', '{"active":false,"active":true}', '{"ACTIVE":true}', '{"active ":true}',
          '{"Active":true}', '{"access_token":{"active":true}}', "true", '"active"', "null", '{"active":true}x', '{"active":true}{"active":true}',
          '{"active":true},', '\ufeff{"active":true}', '{"active":true', '{"active":tru', "<html>active</html>", "{'active':true}", '{"active":true,}',
          '{active:true}', '{"active":TRUE}', '{"active":true,"x":"\\ud800"}', '{"active":true,"x":01}', '{"active":true,"x":NaN}',
          '{"active":true,"x":' + "[" * 20 + "]" * 20 + "}", '{"active":true,"sub":"a","sub":"b"}', '{"a":{"active":true}}']


@pytest.mark.parametrize("body", BODIES)
def test_what_is_no_answer_opens_nothing_and_is_not_remembered(guard, body):
    unusable(guard, response(body.encode("utf-8", "surrogatepass")))


def test_utf_16_is_no_answer(guard):
    unusable(guard, response('{"active":true}'.encode("utf-16")))
    unusable(guard, response(b'{"active":true,"sub":"\xff\xfe"}'))
    unusable(guard, response(b'{"active":true,"sub":"a\x00"}'))


# A-RESP-04 P-7662-7
@pytest.mark.parametrize("type", ["text/html", None, "application/jsonp", "text/plain", "application/json2", "json", "application/token-introspection+jwt",
                                  "application/x-json", "text/json"])
def test_another_media_type_is_no_answer(guard, type):
    unusable(guard, response(live(), 200, type))


@pytest.mark.parametrize("type", ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"])
def test_json_is_json_with_parameters(guard, type):
    assert told(guard, response(live(), 200, type)).status == 200


# A-RESP-05
@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 226, 300, 304, 400, 404, 405, 415, 418])
def test_only_a_200_counts(guard, status):
    unusable(guard, response(b"" if status in (204, 304) else live(), status))


# A-RESP-06 R7662-4-15
def test_a_token_does_not_outlive_its_exp(guard):
    now = int(time.time())
    for exp in (1, now - 100, now - 1, now):
        assert told(guard, live(exp=exp)).status == 401
    reply = told(guard, live(exp=int(time.time()) + 2))
    assert reply.status == 200
    wait_until(lambda: reply.again().status == 401, what="exp comes")
    assert reply.asked() <= 2


# A-RESP-07
@pytest.mark.parametrize("exp", ['"9999999999"', "[]", "-1", "1e400", "9223372036854775808", "1.5", "true", "null", "{}", "99999999999999999999999", '""', "0"])
def test_an_exp_that_is_no_time_opens_nothing(guard, exp):
    assert told(guard, response(f'{{"active":true,"scope":"read","exp":{exp}}}'.encode())).status in (401, 503)
    guard.allow("relief")
    wait_until(lambda: guard.call("/any/x", token="relief").status == 200, what="it goes on")


# A-RESP-08
def test_without_exp_an_answer_lives_as_long_as_max_age(guard):
    with Guard(peer=guard.peer, backend=guard.backend, provider="max_age 300ms;") as short:
        guard.peer.answers["endless"] = {"active": True, "scope": "read", "aud": "https://api.example.com"}
        before = guard.peer.count("endless")
        assert short.call(token="endless").status == 200
        wait_until(lambda: short.call(token="endless").status == 200 and guard.peer.count("endless") > before + 1, what="it is asked for again")


# A-RESP-09
def test_a_token_of_somebody_else_or_of_tomorrow_is_refused(guard):
    assert told(guard, live(iss="https://other.example.com")).status == 401
    assert told(guard, live(iss="https://as.example.com/")).status == 401
    assert told(guard, live(iss="https://as.example.com")).status == 200
    assert told(guard, live(nbf=int(time.time()) + 60)).status == 401
    assert told(guard, live(nbf=int(time.time()) - 1)).status == 200


# A-RESP-10
def test_a_scope_that_is_none_is_no_answer(guard):
    for scope in ('["read"]', "1", '"read\\tadmin"', '"read\\nadmin"', "null", '{"read":1}', '"re\\u00e9d"', '"a\\"b"'):
        unusable(guard, response(f'{{"active":true,"scope":{scope}}}'.encode()), "/api/x")
    reply = told(guard, {"active": True}, "/api/x")
    assert reply.status == 403 and 'error="insufficient_scope", scope="read"' in reply.header("WWW-Authenticate")
    assert told(guard, {"active": True, "scope": ""}, "/api/x").status == 403


def test_an_answer_over_the_limit_is_no_answer(guard):
    unusable(guard, live(x="y" * 70000))
    unusable(guard, {"active": True, "scope": "read " * 14000}, "/api/x")


# A-RESP-11
@pytest.mark.parametrize("claims", [{"token_type": "DPoP"}, {"token_type": "PoP"}, {"cnf": {"jkt": "x"}}, {"cnf": {"x5t#S256": "x"}}, {"cnf": {"new": 1}},
                                    {"cnf": {}}, {"token_use": "refresh_token"}])
def test_what_needs_more_than_the_token_is_refused(guard, claims):
    assert told(guard, live(**claims)).status == 401


# A-RESP-12
@pytest.mark.parametrize("sub", ["a\r\nX-Admin: 1", "a\nb", "a\rb", "é", "\u2028", " lead", "trail ", "100%", "a\x7fb", "a\x01b"])
def test_a_claim_adds_no_header(guard, sub):
    with Guard(peer=guard.peer, backend=guard.backend, locations="""
        location / { assay_guard corp; assay_set_header X-User $assay_claim_sub; proxy_set_header X-Too $assay_sub; proxy_pass {backend}; }""") as other:
        guard.peer.answers["sub"] = live(sub=sub)
        assert other.call("/x", token="sub").status == 200
        seen = guard.backend.last
        [user] = seen.all("X-User")
        assert user == seen.header("X-Too") and user.isascii() and user.isprintable() and user == user.strip()
        assert seen.header("X-Admin") is None


def test_a_claim_that_is_too_long_is_refused_not_cut(guard):
    with Guard(peer=guard.peer, backend=guard.backend, locations="""
        location / { assay_guard corp; assay_set_header X-User $assay_claim_sub; proxy_pass {backend}; }""") as other:
        before = guard.passed()
        for length in (8100, 9000, 32768):
            guard.peer.answers[f"long-{length}"] = live(sub="é" * length)
            assert other.call("/x", token=f"long-{length}").status in (500, 503)
        assert guard.passed() == before
        guard.peer.answers["fits"] = live(sub="a" * 2000)  # not into the cache, but through
        for _ in range(2):
            assert other.call("/x", token="fits").status == 200
            assert guard.backend.last.header("X-User") == "a" * 2000
        assert guard.peer.count("fits") == 2


# A-RESP-13
def test_members_that_nobody_knows_are_ignored(guard):
    extra = {"__proto__": {"active": False}, "constructor": 1, "%n%s%x": "%n", "": 1, **{f"m{i}": i for i in range(1000)}}
    assert told(guard, live(**extra)).status == 200


# A-RESP-14
def test_the_answers_cache_headers_lengthen_no_life(guard):
    with Guard(peer=guard.peer, backend=guard.backend, provider="max_age 300ms;") as short:
        guard.peer.answers["cached"] = response(live(), 200, TYPE, "Cache-Control: max-age=99999", "Expires: Thu, 01 Jan 2099 00:00:00 GMT", "Age: 0")
        before = guard.peer.count("cached")
        assert short.call(token="cached").status == 200
        wait_until(lambda: short.call(token="cached").status == 200 and guard.peer.count("cached") > before + 1, what="it is asked for again")


# A-GW-28
def test_nothing_of_the_answers_head_reaches_client_or_nginx(guard):
    reply = told(guard, response(live(), 200, TYPE, "Set-Cookie: a=b", "Location: /admin", "X-Accel-Redirect: /admin", "X-Leak: 1"))
    assert reply.status == 200
    assert not [k for k, _ in reply.headers if k.lower() in ("set-cookie", "location", "x-accel-redirect", "x-leak")]


# R7662-2.1-1 R7662-5-2 R9449-6.2-3
def test_the_question_is_a_form_with_the_token_and_nothing_of_the_request(guard):
    token = "a+b/c~d.e_f-g=="
    guard.allow(token)
    assert guard.call("/any/x?q=1", token=token, headers=[("DPoP", "proof"), ("X-Forwarded-For", "1.2.3.4"), ("Cookie", "a=b")]).status == 200
    asked = guard.peer.requests[-1]
    assert asked.method == "POST" and asked.target == "/introspect"
    assert asked.header("Content-Type") == "application/x-www-form-urlencoded"
    assert asked.body == b"token=a%2Bb%2Fc%7Ed.e_f-g%3D%3D" and asked.form == {"token": token}
    assert {k.lower() for k, _ in asked.headers} == {"host", "user-agent", "content-type", "accept", "authorization", "assay-guard", "content-length"}
