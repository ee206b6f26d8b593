"""Corners of nginx's configuration in which a guard, or what belongs to it, might stand open."""
import pytest
from guard import API, CONTROL, Guard
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
