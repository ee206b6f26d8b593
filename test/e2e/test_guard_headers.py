"""What a guard takes out of a request and puts into it: nobody outside names an identity."""

import pytest

from guard import Guard, live, wait_until

PLACES = """
        underscores_in_headers on;
        location /api/ { assay_guard corp; proxy_pass {backend}; }
        location /optional/ { assay_guard corp optional; proxy_pass {backend}; }
        location /cors/ { assay_guard corp allow_preflight=yes; proxy_pass {backend}; }
        location /open/ { proxy_pass {backend}; }
        location /off/ { assay_guard off; proxy_pass {backend}; }
        location /listed/ { assay_guard corp; proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_pass {backend}; }
        location /listed-open/ { proxy_http_version 1.1; proxy_set_header Connection $http_connection; proxy_pass {backend}; }
        location /kept/ { assay_guard corp; assay_forward token; proxy_pass {backend}; }
        location /other/ { assay_guard corp; assay_set_header X-Other "<$assay_claim_sub>"; proxy_pass {backend}; }
        location /rewritten/ { rewrite ^/rewritten/(.*) /kept/$1 last; }
        location /first/ { assay_guard corp; try_files /nothing @named; }
        location @named { assay_guard corp; assay_forward token; assay_require scope read; proxy_pass {backend}; }
        location /ssi/ { assay_guard corp; ssi on; root {dir}; }
        location /mirrored/ { assay_guard corp; mirror /mirror; proxy_pass {backend}; }
        location /mirror { internal; assay_guard corp; proxy_pass {backend}/mirror; }
"""


@pytest.fixture(scope="module")
def guard():
    with Guard(http="assay_set_header X-User $assay_claim_sub; assay_set_header X-Client $assay_client_id;", locations=PLACES) as guard:
        guard.allow("AT")
        yield guard
        guard.check_floor()


SPELLINGS = ["X-User", "x-user", "X-USER", "X_User", "x_user", "X-uSeR", "X_USER"]


def identity(guard):
    """Every field of the last request that a back end may take for X-User or X-Client."""
    return [(k, v) for k, v in guard.backend.last.headers if k.lower().replace("_", "-") in ("x-user", "x-client")]


# A-GW-01 P-6750-3
@pytest.mark.parametrize("name", SPELLINGS)
def test_the_back_end_sees_our_value_alone(guard, name):
    for headers in ([(name, "root")], [(name, "root"), (name, "admin")], [(name, "root"), ("Connection", name)], [(name, "")],
                    [("A", "b"), (name, "root"), ("X-Client", "root"), ("x_client", "root"), ("Z", "z")]):
        assert guard.call("/api/x", token="AT", headers=headers).status == 200
        assert identity(guard) == [("X-User", "alice"), ("X-Client", "cl1")], headers
        seen = {k for k, _ in guard.backend.last.headers}
        assert {"A", "Z"} <= seen or len(headers) < 5


# A-GW-01: a list of what ends at this hop is passed on as it is, and takes none of ours away
@pytest.mark.parametrize("name", SPELLINGS)
def test_a_header_that_connection_names(guard, name):
    for connection in (name, f"close, {name}", f"{name}, keep-alive"):
        for path, expected in (("/listed/x", [("X-User", "alice"), ("X-Client", "cl1")]), ("/listed-open/x", [])):
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer AT\r\n{name}: root\r\nConnection: {connection}\r\n\r\n"
            with guard.connect() as s:
                s.sendall(request.encode())
                assert s.recv(65536).startswith(b"HTTP/1.1 200")
            assert guard.backend.last.all("Connection") == [connection]  # the case is the one that is meant
            assert identity(guard) == expected


# A-GW-01 A-GW-02: also where nobody is named
@pytest.mark.parametrize("path,method,extra", [("/optional/x", "GET", []), ("/open/x", "GET", []), ("/off/x", "GET", []),
                                               ("/cors/x", "OPTIONS", [("Origin", "https://a"), ("Access-Control-Request-Method", "PUT")])])
@pytest.mark.parametrize("name", SPELLINGS)
def test_nobody_outside_names_an_identity(guard, path, method, extra, name):
    assert guard.call(path, method=method, headers=[(name, "root"), ("X-Client", "root"), *extra]).status == 200
    assert identity(guard) == []


def test_every_field_may_be_taken_out_wherever_it_stands(guard):
    for count in range(1, 30):
        for at in {0, count // 2, count - 1}:
            headers = [("X-User", "root") if i == at else (f"H{i}", str(i)) for i in range(count)]
            assert guard.call("/api/x", token="AT", headers=headers).status == 200
            assert identity(guard) == [("X-User", "alice"), ("X-Client", "cl1")]
            assert [v for k, v in guard.backend.last.headers if k.startswith("H") and k[1:].isdigit()] == [str(i) for i in range(count) if i != at]
    headers = [(f"X-{'User' if i % 2 else 'Client'}", "root") for i in range(60)]
    assert guard.call("/api/x", token="AT", headers=headers).status == 200
    assert identity(guard) == [("X-User", "alice"), ("X-Client", "cl1")]


def test_headers_of_an_inner_location_stand_for_themselves(guard):
    assert guard.call("/other/x", token="AT", headers=[("X-Other", "<root>"), ("x_other", "<root>"), ("X-User", "root")]).status == 200
    assert guard.backend.last.all("X-Other") == ["<alice>"] and identity(guard) == []


# A-GW-32 R6750-5.2-1
def test_the_token_goes_on_only_where_that_is_said(guard):
    assert guard.call("/api/x", token="AT").status == 200
    assert guard.backend.last.all("Authorization") == []
    assert guard.call("/kept/x", token="AT").status == 200
    assert guard.backend.last.all("Authorization") == ["Bearer AT"]
    for path in ("/rewritten/x", "/first/x"):
        assert guard.call(path, token="AT").status == 200
        assert guard.backend.last.all("Authorization") == ["Bearer AT"], path
    assert guard.request("GET", "/optional/x", auth="Basic YTpi").status == 200
    assert guard.backend.last.all("Authorization") == ["Basic YTpi"]


def test_the_guards_own_credentials_go_to_the_authorization_server_alone(guard):
    guard.allow("fresh")
    assert guard.call("/kept/x", token="fresh").status == 200
    assert guard.peer.requests[-1].header("Authorization").startswith("Basic ")
    assert not any(v.startswith("Basic Z2F0") for r in guard.backend.requests for v in r.all("Authorization"))


# A-GW-14 A-GW-01
def test_a_subrequest_has_an_identity_of_its_own_list(guard):
    (guard.dir / "ssi").mkdir(exist_ok=True)
    (guard.dir / "ssi" / "page.html").write_text('<!--# include virtual="/api/part" --> <!--# include virtual="/off/part" -->')
    reply = guard.call("/ssi/page.html", token="AT", headers=[("X-User", "root"), ("x_client", "root")])
    assert reply.status == 200, guard.log()
    last = guard.backend.requests[-2:]
    assert {r.target for r in last} == {"/api/part", "/off/part"}
    by = {r.target: r for r in last}
    assert by["/api/part"].all("X-User") == ["alice"] and by["/api/part"].all("Authorization") == []
    assert by["/off/part"].all("X-User") == []


def test_a_mirror_is_guarded_too(guard):
    before = guard.passed()
    assert guard.call("/mirrored/x", token="AT", headers=[("X-User", "root")]).status == 200
    wait_until(lambda: guard.passed() == before + 2, what="the mirror is served")
    assert {r.target for r in guard.backend.requests[-2:]} == {"/mirrored/x", "/mirror"}
    assert all(r.all("X-User") == ["alice"] for r in guard.backend.requests[-2:])
    assert guard.call("/mirrored/x").status == 401
    assert guard.passed() == before + 2


def test_values_around_the_variables_are_the_operators(guard):
    with Guard(peer=guard.peer, backend=guard.backend, locations="""
        location / { assay_guard corp optional; assay_set_header X-User "u:$assay_claim_sub;c:$assay_claim_client_id"; proxy_pass {backend}; }""") as other:
        guard.peer.answers["odd"] = live(sub='a"b;c:root')
        assert other.call("/x", token="odd").status == 200
        assert guard.backend.last.all("X-User") == ['u:a"b;c:root;c:cl1']
        assert other.call("/x").status == 200
        assert guard.backend.last.all("X-User") == ["u:;c:"]
