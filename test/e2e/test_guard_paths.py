"""Every way into a guarded location goes through its guard: whatever the path is spelled like, whoever leads there."""

import itertools
import re
import urllib.parse

import pytest

from guard import Guard

PLACES = """
        location /api/ { assay_guard corp; proxy_pass {backend}; }
        location /public/ { proxy_pass {backend}; }
        location /strict/ { assay_guard corp; assay_require scope admin; proxy_pass {backend}; }
        location /mapped/ { assay_guard corp; proxy_pass {backend}/inner/; }
        location ~ ^/re/(.*)$ { assay_guard corp; proxy_pass {backend}/re2/$1; }

        location /return/ { assay_guard corp; return 200 "secret"; }
        location /return204/ { assay_guard corp; return 204; }
        location /judged/ { assay_check corp; return 204; }
        location /redirect/ { assay_guard corp; return 302 /public/; }
        location /if/ { assay_guard corp; if ($arg_x) { return 200 "secret"; } proxy_pass {backend}; }

        location /error/ { error_page 404 /page.html; return 404; }
        location /error200/ { error_page 404 =200 /page.html; return 404; }
        location = /page.html { assay_guard corp; root {dir}; }
        location /own/ { assay_guard corp; error_page 401 403 /login.html; error_page 503 @down; proxy_pass {backend}; }
        location /own200/ { assay_guard corp; error_page 401 =200 /login.html; proxy_pass {backend}; }
        location = /login.html { root {dir}; }
        location @down { rewrite ^ /down break; proxy_pass {backend}; }

        location /try/ { try_files $uri /strict/; root {dir}; }
        location /twice/ { assay_guard corp; try_files /nothing @same; }
        location @same { assay_guard corp; proxy_pass {backend}; add_header X-Status $assay_cache_status; }
        location /rewrite/ { rewrite ^ /strict/x last; }
        location /accel/ { proxy_pass {backend}; }
        location /index/ { root {dir}; index a.html; assay_guard corp; assay_require scope admin; }

        location /ssi/ { ssi on; root {dir}; }
        location /add/ { default_type text/html; add_before_body /api/part; add_after_body /strict/part; root {dir}; }
        location /slice/ { assay_guard corp max_age=0; slice 1k; proxy_set_header Range $slice_range; proxy_pass {backend}; }
        location /auth/ { auth_request /api/judge; proxy_pass {backend}; }
        location /static/ { assay_guard corp; root {dir}; }
        location /outer/ { assay_guard corp; proxy_pass {backend};
            location /outer/inner/ { proxy_pass {backend}; }
            location /outer/off/ { assay_guard off; proxy_pass {backend}; }
            location /outer/more/ { assay_require scope admin; proxy_pass {backend}; }
        }
        location /limit/ { assay_guard corp; proxy_pass {backend}; limit_except GET { assay_require scope admin; } }
        location /deny/ { deny all; assay_guard corp; proxy_pass {backend}; }
        location /basic/ { auth_basic x; auth_basic_user_file {dir}/users; assay_guard corp token_cookie=t; proxy_pass {backend}; }
        location /any/ { satisfy any; deny all; assay_guard corp satisfy_any=yes; proxy_pass {backend}; }
        location /any-open/ { satisfy any; allow all; assay_guard corp satisfy_any=yes; proxy_pass {backend}; }
"""


BODY = bytes(i % 251 for i in range(2500))


def accel(connection, request):
    if request.target.startswith("/slice/"):
        first, last = (int(n) for n in request.header("Range").removeprefix("bytes=").split("-"))
        part = BODY[first:last + 1]
        connection.sendall(f"HTTP/1.1 206 X\r\nContent-Range: bytes {first}-{first + len(part) - 1}/{len(BODY)}\r\nETag: \"x\"\r\nContent-Length: {len(part)}\r\n\r\n".encode() + part)
        return False
    if request.target.startswith("/accel/"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Accel-Redirect: /strict/x\r\nContent-Length: 0\r\n\r\n")
        return False
    return True


@pytest.fixture(scope="module")
def guard():
    import peer

    with peer.Backend(before=accel) as backend:
        with Guard(locations=PLACES, backend=backend, start=False) as guard:
            for name in ("page.html", "login.html"):
                (guard.dir / name).write_text(name)
            for folder in ("ssi", "static", "index", "add"):
                (guard.dir / folder).mkdir()
            (guard.dir / "ssi" / "p.html").write_text('[<!--# include virtual="/strict/part" -->][<!--# include virtual="/api/part" -->]')
            (guard.dir / "static" / "s.html").write_text("static secret")
            (guard.dir / "index" / "a.html").write_text("index secret")
            (guard.dir / "add" / "a.html").write_text("own text")
            (guard.dir / "users").write_text("u:{PLAIN}p\n")
            guard.start()
            guard.allow("AT")
            guard.allow("ADMIN", scope="read admin")
            yield guard
            guard.check_floor()


def spellings():
    up = ["..", "%2e%2e", "%2E%2e", ".%2e", "%2e."]
    for dots, start in itertools.product(up, ["/public/", "/public/a/../", "/public//", "/public/%2e/"]):
        yield f"{start}{dots}/api/x"
    for dots in up:
        yield f"/public/{dots}/{dots}/api/x"
        yield f"/api/{dots}/public/x"
        yield f"/public/a%2f{dots}%2f{dots}%2fapi/x"
        yield f"/public/{dots}%2fapi/x"
        yield f"/public\\{dots}\\api\\x"
    yield from ["//api/x", "///api//x", "/./api/x", "/%61pi/x", "/a%70i/x", "/api%2fx", "/api%2Fx", "/api/./x", "/api//x", "/api;x", "/api;/x", "/api/;x", "/;/api/x",
                "/api\\x", "/api/x%00", "/api%00/x", "/api/x#y", "/api#/x", "/api?/public/", "/api/?/public/", "/public/?/../api/", "/public/#/../api/", "/API/x", "/Api/x",
                "/api", "/api/", "/api.", "/api./x", "/api%20/x", "/api /x", "/api%09/x", "/%2561pi/x", "/api%252fx", "/%c0%afapi/x", "/api/..", "/public/..;/api/x",
                "/public/x/..%00/../api/x", "/public/%2e%2e%5capi/x", "/public/..%5c..%5capi/x", "/public/%252e%252e/api/x", "/mapped/../public/x", "/mapped/%2e%2e/api/x",
                "/mapped/..%2f..%2fpublic", "/re/../api/x", "/re/%2e%2e/public/x", "/re/a%2f..%2f..%2fapi", "/re/x?y", "/re/%0d%0aX: y", "/mapped/%0d%0aX:%20y"]


def understood(target):
    """The path as the most obliging back end takes it: decoded once, backslashes for slashes, parameters of segments left out."""
    path = urllib.parse.unquote(target.partition("?")[0]).replace("\\", "/")
    out = []
    for part in (segment.partition(";")[0] for segment in path.split("/")):
        if part == "..":
            out = out[:-1]
        elif part not in (".", ""):
            out.append(part)
    return "/" + "/".join(out)


# A-GW-12: the location that nginx chose decides, and the back end gets a path of that location
@pytest.mark.parametrize("path", sorted(set(spellings())))
def test_no_spelling_of_a_path_gets_past_the_guard(guard, path):
    before = guard.passed()
    reply = guard.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1"))
    passed = [r.target for r in guard.backend.requests[before:]]
    assert all(target.startswith("/public/") for target in passed), passed
    assert passed == [] or reply[0].status == 200
    assert all(understood(target).startswith("/public") for target in passed), passed
    with_token = guard.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer AT\r\nConnection: close\r\n\r\n".encode("latin-1"))
    for target in [r.target for r in guard.backend.requests[before + len(passed):]]:
        assert re.match(r"/(public|api|inner|re2)(/|$)", understood(target)), (path, target)
    assert with_token


# A-GW-13
def test_one_server_and_one_rule_whatever_the_host_is_called(guard):
    for line in ("Host: other", "Host: localhost:80", "Host: localhost.", "Host: user@localhost", "Host: "):
        before = guard.passed()
        replies = guard.raw(f"GET /api/x HTTP/1.1\r\n{line}\r\nConnection: close\r\n\r\n".encode())
        assert replies[0].status in (400, 401) and guard.passed() == before
    before = guard.passed()
    replies = guard.raw(b"GET http://elsewhere/api/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert replies[0].status == 401 and guard.passed() == before


def guarded(guard, path, token=None, **kwargs):
    before = guard.passed()
    reply = guard.call(path, token=token, **kwargs)
    return reply, [r.target for r in guard.backend.requests[before:]]


# the invariant at the only exit
@pytest.mark.parametrize("path", ["/return/", "/return204/", "/if/?x=1", "/judged/"])
@pytest.mark.parametrize("token", [None, "AT", "dead"])
def test_return_answers_in_no_guarded_location(guard, path, token):
    at = len(guard.log())
    reply, passed = guarded(guard, path, token)
    assert reply.status == 500 and b"secret" not in reply.body and passed == []
    line = guard.log()[at:]
    assert "[error]" in line and f"{guard.dir}/nginx.conf:" in line


def test_a_redirect_is_no_content(guard):
    assert guarded(guard, "/redirect/")[0].status == 302
    assert guarded(guard, "/if/", "AT")[0].status == 200


# A-GW-15
def test_error_page_into_a_guarded_location_is_judged_there(guard):
    for path in ("/error/", "/error200/"):
        reply, _ = guarded(guard, path)
        assert reply.status == (404 if path == "/error/" else 500)  # a refusal that would be a 200 is none
        assert b"page.html" not in reply.body
        reply, _ = guarded(guard, path, "AT")
        assert reply.status == (404 if path == "/error/" else 200) and reply.body == b"page.html"


def test_error_page_of_a_refusal_keeps_status_and_challenge(guard):
    reply, passed = guarded(guard, "/own/")
    assert reply.status == 401 and reply.body == b"login.html" and reply.header("WWW-Authenticate") == 'Bearer realm="api"' and passed == []
    reply, _ = guarded(guard, "/own/", "dead")
    assert reply.status == 401 and 'error="invalid_token"' in reply.header("WWW-Authenticate")
    guard.peer.answers["trouble"] = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
    reply, passed = guarded(guard, "/own/", "trouble")
    assert reply.status == 503 and passed == ["/down"] and reply.header("Retry-After")
    assert guarded(guard, "/own200/")[0].status == 200  # the operator says so, and it is the login page


# A-GW-16
@pytest.mark.parametrize("path", ["/try/x", "/rewrite/x", "/accel/x", "/index/"])
def test_the_stricter_location_that_is_led_to_decides(guard, path):
    for token, status in ((None, 401), ("AT", 403), ("ADMIN", 200)):
        reply, passed = guarded(guard, path, token)
        assert reply.status == status, (token, reply.status)
        assert (any("strict" in t for t in passed) or b"secret" in reply.body) == (status == 200)


def test_two_locations_of_one_rule_ask_once(guard):
    guard.allow("once")
    with Guard(peer=guard.peer, backend=guard.backend, provider="max_age 0;", locations="""
        location /twice/ { assay_guard corp; try_files /nothing @same; }
        location @same { assay_guard corp; proxy_pass {backend}; add_header X-Status $assay_cache_status; }""") as live_one:
        before = guard.peer.count("once")
        reply = live_one.call("/twice/x", token="once")
        assert reply.status == 200 and reply.header("X-Status") == "MISS"
        assert guard.peer.count("once") == before + 1


# A-GW-14: the access phase does not run for subrequests
def test_subrequests_are_judged_by_the_clients_token(guard):
    reply, passed = guarded(guard, "/ssi/p.html")
    assert reply.status == 200 and passed == [] and b"back end" not in reply.body
    reply, passed = guarded(guard, "/ssi/p.html", "AT")
    assert passed == ["/api/part"] and reply.body.count(b"from the back end") == 1
    reply, passed = guarded(guard, "/ssi/p.html", "ADMIN")
    assert sorted(passed) == ["/api/part", "/strict/part"] and reply.body.count(b"from the back end") == 2


# A-GW-14
def test_what_is_added_to_a_page_is_judged(guard):
    reply, passed = guarded(guard, "/add/a.html")
    assert reply.status == 200 and passed == [] and reply.body.count(b"own text") == 1
    reply, passed = guarded(guard, "/add/a.html", "AT")
    assert passed == ["/api/part"] and b"own text" in reply.body and reply.body.count(b"from the back end") == 1
    reply, passed = guarded(guard, "/add/a.html", "ADMIN")
    assert passed == ["/api/part", "/strict/part"] and reply.body.count(b"from the back end") == 2


# A-GW-14: nginx asks for a slice at a time, by subrequests; they are one request, and one question
def test_slices_are_judged(guard):
    for token in (None, "dead"):
        reply, passed = guarded(guard, "/slice/x", token)
        assert reply.status == 401 and passed == []
    guard.allow("slices")
    reply, passed = guarded(guard, "/slice/x", "slices")
    assert reply.status == 200 and reply.body == BODY and passed == ["/slice/x"] * 3
    assert guard.peer.count("slices") == 1


def test_auth_request_into_a_guarded_location_is_judged(guard):
    assert guarded(guard, "/auth/x") [0].status == 401
    assert guarded(guard, "/auth/x", "dead")[0].status == 401
    assert guarded(guard, "/auth/x", "AT")[0].status == 200


# A-GW-18
def test_inner_locations_inherit_and_add(guard):
    for path in ("/outer/x", "/outer/inner/x"):
        assert [guarded(guard, path, t)[0].status for t in (None, "AT")] == [401, 200]
    assert guarded(guard, "/outer/off/x")[0].status == 200
    assert [guarded(guard, "/outer/more/x", t)[0].status for t in (None, "AT", "ADMIN")] == [401, 403, 200]
    assert [guarded(guard, "/limit/x", t)[0].status for t in (None, "AT")] == [401, 200]
    assert [guarded(guard, "/limit/x", t, method="POST")[0].status for t in (None, "AT", "ADMIN")] == [401, 403, 200]


def test_who_may_not_come_at_all_is_not_asked_about(guard):
    guard.allow("unasked")
    assert guarded(guard, "/deny/x", "unasked")[0].status == 403
    assert guarded(guard, "/basic/x", headers=[("Cookie", "t=unasked")])[0].status == 401
    assert guard.peer.count("unasked") == 0
    assert guarded(guard, "/basic/x", headers=[("Cookie", "t=unasked"), ("Authorization", "Basic dTpw")])[0].status == 200
    assert guard.peer.count("unasked") == 1


# A-GW-17
def test_satisfy_any_where_it_is_spelled_out(guard):
    assert guarded(guard, "/any/x")[0].status == 401
    assert guarded(guard, "/any/x", "AT")[0].status == 200
    assert guarded(guard, "/any-open/x")[0].status == 200


# A-GW-27
def test_conditions_and_ranges_serve_nothing_without_a_check(guard):
    etag = guarded(guard, "/static/s.html", "AT")[0].header("ETag")
    for header in (("If-None-Match", etag), ("Range", "bytes=0-3"), ("If-Modified-Since", "Thu, 01 Jan 2099 00:00:00 GMT")):
        reply, _ = guarded(guard, "/static/s.html", headers=[header])
        assert reply.status == 401 and b"static" not in reply.body
    assert guarded(guard, "/static/s.html", "AT", headers=[("If-None-Match", etag)])[0].status == 304
    assert guarded(guard, "/static/s.html", "AT", headers=[("Range", "bytes=0-3")])[0].status == 206


# A-GW-27
def test_a_cache_serves_only_who_passes_and_stores_no_refusal(guard):
    with Guard(peer=guard.peer, backend=guard.backend, http="proxy_cache_path {dir}/pc keys_zone=pc:1m;", locations="""
        location / { assay_guard corp; proxy_cache pc; proxy_cache_valid any 10m; add_header X-PC $upstream_cache_status; proxy_pass {backend}; }""") as cached:
        guard.peer.answers["down"] = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
        assert [cached.call("/c", token=t).status for t in (None, "dead", "down")] == [401, 401, 503]
        assert cached.call("/c", token="AT").header("X-PC") == "MISS"
        assert cached.call("/c", token="AT").header("X-PC") == "HIT"
        assert [cached.call("/c", token=t).status for t in (None, "dead")] == [401, 401]


# A-GW-10
def test_h2c_is_not_passed_on(guard):
    reply, passed = guarded(guard, "/api/x", "AT", headers=[("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")])
    assert reply.status == 200
    assert guard.backend.last.header("Upgrade") is None


# A-GW-26
@pytest.mark.parametrize("size", [1, 1000, 70000, 3000000])
@pytest.mark.parametrize("buffering", ["on", "off"])
def test_a_body_arrives_whole_while_the_guard_waits(guard, size, buffering):
    guard.peer.delay = 0.05
    try:
        with Guard(peer=guard.peer, backend=guard.backend, provider="max_age 0;", http="client_max_body_size 0;", locations=f"""
            location / {{ assay_guard corp; proxy_request_buffering {buffering}; proxy_http_version 1.1; proxy_pass {{backend}}; }}""") as waiting:
            body = bytes(i * 31 % 251 for i in range(size))
            assert waiting.request("POST", "/x", body, auth="Bearer AT").status == 200
            assert guard.backend.last.body == body
    finally:
        guard.peer.delay = 0


