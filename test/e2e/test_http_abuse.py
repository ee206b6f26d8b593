"""Requests that no client means well by, byte for byte."""

import contextlib
import gzip
import json
import os
import socket
import time

import hostile
import pytest
from harness import FORM, INACTIVE, SANITIZED, Server, World, basic, parse_reply, wait_until
from hostile import INTROSPECT, chunked, head, post

ENDPOINTS = [INTROSPECT, "/oauth2/revoke", "/oauth2/token"]


@pytest.fixture(scope="module")
def live(world):
    return world.at()["access_token"]


@pytest.fixture(scope="module")
def alone(lone):
    """A live token of the server whose look-ups are counted."""
    return lone.at()["access_token"]


def ask(world, body, **kwargs):
    return world.server.post(INTROSPECT, body, auth=world.rs1, **kwargs)


def read_all(s):
    got = b""
    try:
        while part := s.recv(65536):
            got += part
    except OSError:
        pass
    return got


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "FROB"])
def test_only_post(world, live, path, method):
    """A-HTTP-01 A-HTTP-02 P-7662-3 R7662-4-13 R6749-3.2-2 R7009-2.3-2"""
    reply = world.server.request(method, f"{path}?token={live}&callback=x", auth=world.rs1)
    assert reply.status == 405 and reply.header("Allow") == "POST"
    assert method != "HEAD" or reply.body == b""
    assert live not in world.server.access_log() + world.server.log() and world.active(live)


@pytest.mark.parametrize("line,status", [("TRACE /oauth2/introspect HTTP/1.1", 405), ("CONNECT a:1 HTTP/1.1", 400), ("CONNECT /oauth2/introspect HTTP/1.1", 405),
                                         ("post /oauth2/introspect HTTP/1.1", 400), ("POST /oauth2/introspect HTTP/2.0", 505),
                                         ("POST /oauth2/introspect HTTP/1.1x", 400), ("POST  HTTP/1.1", 400), ("", 400)])
def test_what_nginx_refuses_itself(world, line, status):
    """A-HTTP-03"""
    replies = world.server.raw(f"{line}\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    assert replies and replies[0].status == status
    assert b"active" not in replies[0].body


@pytest.mark.parametrize("line", ["GET {path}?token={live}", "GET {path}", "POST {path}", "HEAD {path}", "token"])
def test_http_0_9_gets_no_answer_about_a_token(world, live, line):
    """A-HTTP-04: what nginx takes for HTTP/0.9 is a GET, and gets the body of a 405."""
    with world.server.connect() as s:
        s.sendall(line.format(path=INTROSPECT, live=live).encode() + b"\r\n")
        got = read_all(s)
    assert b"active" not in got
    if line.startswith("GET"):
        assert json.loads(got)["error"] == "invalid_request"
    else:
        assert b"400 Bad Request" in got


def test_http_1_0_is_served_like_1_1(world, live):
    """A-HTTP-05"""
    body = f"token={live}"
    data = f"POST {INTROSPECT} HTTP/1.0\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    assert world.server.raw(data.encode())[0].json["active"] is True


@pytest.mark.parametrize("type", ["application/json", "multipart/form-data; boundary=x", "text/plain", "", FORM + "X", FORM + "/x", "x" + FORM])
def test_only_forms(world, live, type):
    """A-HTTP-06 P-6749-2 P-7662-3"""
    reply = ask(world, f"token={live}", type=type)
    assert reply.status == 415 and reply.error == "invalid_request"


@pytest.mark.parametrize("type", [FORM.upper(), FORM + "; charset=utf-8", FORM + " ; charset=UTF-8", FORM + ";"])
def test_the_media_type_may_be_dressed_up(world, live, type):
    """A-HTTP-07 R7662-2.1-2"""
    assert ask(world, f"token={live}", type=type).json["active"] is True


@pytest.mark.parametrize("second", [FORM, "application/json"])
def test_two_content_types(world, live, second):
    """A-HTTP-08"""
    reply = ask(world, f"token={live}", headers=[("Content-Type", second)])
    assert reply.status == 400 and reply.error == "invalid_request"


def test_a_compressed_body_is_never_inflated(world, live):
    """A-HTTP-09"""
    import gzip
    reply = ask(world, gzip.compress(f"token={live}".encode()), headers=[("Content-Encoding", "gzip")])
    assert reply.status == 415


@pytest.mark.parametrize("body", hostile.MALFORMED, ids=lambda body: body[:40].encode("unicode-escape").decode())
def test_malformed_forms_are_refused(lone, alone, untouched, body):
    """A-HTTP-10 A-HTTP-11 A-HTTP-12 A-HTTP-13 A-HTTP-14 A-HTTP-15 A-HTTP-16 A-HTTP-19 P-7662-5 REL-17
    R7662-1.1-1 R7662-2.1-3 R7662-2.1-4 R6749-3.2-5 R7009-2.1-1 R7009-2.2.1-1 P-7009-1: and no tree is searched for any of them."""
    data = body.replace("{live}", alone).encode("latin-1")
    before = lone.server.lookups()
    for path, auth in ((INTROSPECT, lone.rs1), ("/oauth2/revoke", lone.cl1)):
        reply = lone.server.post(path, data, auth=auth)
        assert reply.status == 400 and reply.error == "invalid_request", (path, reply.body)
        assert reply.header("Content-Type") == "application/json" and reply.header("Cache-Control") == "no-store"
        assert set(reply.json) <= {"error", "error_description"}
    assert lone.server.lookups() == before
    assert lone.active(alone)


@pytest.mark.parametrize("text", ['"{live}"', "%22{live}%22", "{live}x", "{live}%2B"])
def test_nothing_is_trimmed_or_unquoted(world, live, text):
    """A-HTTP-15"""
    assert ask(world, "token=" + text.replace("{live}", live)).body == INACTIVE


@pytest.mark.parametrize("body", ["&token={live}&&x=&", "token={live}&", "token={live}&=&==", "%74oken={live}"])
def test_odd_but_right_forms_are_read(world, live, body):
    """A-HTTP-17 R6749-3.2-3 R6749-B-1"""
    assert ask(world, body.replace("{live}", live)).json["active"] is True


def test_the_query_is_never_read(world, live):
    """A-HTTP-18 P-7662-2"""
    path = f"{INTROSPECT}?token={live}"
    assert world.server.post(path, "", auth=world.rs1).status == 400
    assert world.server.post(path, "token=random", auth=world.rs1).body == INACTIVE
    assert live not in world.server.access_log() + world.server.log()


def test_thirty_two_parameters_and_a_token_of_8_kib_are_within_bounds(world, live):
    """A-HTTP-19"""
    assert ask(world, "&".join(f"a{i}=1" for i in range(31)) + f"&token={live}").json["active"] is True
    assert ask(world, "token=" + "A" * 8192).body == INACTIVE


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_body_over_the_limit(lone, alone, untouched, path):
    """A-HTTP-20 A-HTTP-25: by length, chunked, and with Expect: no 100 before the 413. What was announced is not waited for."""
    server, auth = lone.server, basic(*lone.cl1)
    before = server.lookups()
    for size in (16385, 32768, 32769, 10**6):
        data = b"token=" + alone.encode() + b"&x=" + b"a" * size
        assert server.raw(post(data[:size], path=path, auth=auth))[0].status == 413
        chunks = b"".join(b"%x\r\n" % len(part) + part + b"\r\n" for part in (data[:9], data[9:size])) + b"0\r\n\r\n"
        assert server.raw(chunked(chunks, path=path, auth=auth))[0].status == 413
    for length in (16385, 10**10):
        assert server.raw(post("token=", path=path, auth=auth, length=length))[0].status == 413
        assert server.raw(post("", "Expect: 100-continue", path=path, auth=auth, length=length))[0].status == 413
    assert server.lookups() == before
    assert server.post(path, "a" * 16384, auth=lone.cl1).status == 400


@pytest.mark.parametrize("query", ["token={live}", "client_id=rs1&client_secret={secret}"])
@pytest.mark.parametrize("length", [16385, 40000, 10**10])
def test_a_query_in_front_of_too_large_a_body_is_not_logged(world, live, query, length):
    """A-HTTP-20 A-HTTP-01 A-AUTH-12 REL-18: nginx complains of the length before any handler runs, and quotes the request."""
    query = query.format(live=live, secret=world.rs1[1])
    for path in (*ENDPOINTS, "/oauth2/introspect/", "/oauth2/other"):
        assert world.server.raw(post("", path=f"{path}?{query}", length=length))[0].status in (404, 413)
    assert query.rsplit("=", 1)[1] not in world.server.log() + world.server.access_log()


@pytest.mark.parametrize("ending", ["close", "half-close", "silence"])
def test_a_body_that_never_ends_gets_no_answer(lone, alone, untouched, ending):
    """A-HTTP-21"""
    body = f"token={alone}"
    auth = basic(*lone.rs1)
    datas = [post(body, auth=auth, length=len(body) + short) for short in range(1, 10)]
    datas.append(chunked(f"{len(body):x}\r\n{body}\r\n".encode(), auth=auth))
    before = lone.server.lookups()
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(lone.server.connect(clear=True)) for _ in datas]
        for s, data in zip(sockets, datas):
            s.sendall(data)
            if ending == "half-close":
                s.shutdown(socket.SHUT_WR)
        for got in (read_all(s) for s in sockets if ending != "close"):
            assert b"active" not in got and (got == b"" or parse_reply(got)[0].status in (400, 408))
    assert lone.server.lookups() == before


@pytest.mark.parametrize("framing", hostile.AMBIGUOUS, ids=repr)
def test_ambiguous_framing_is_refused_by_nginx(lone, alone, untouched, framing):
    """A-HTTP-22: and what stands behind it is no second request."""
    before = lone.server.requests("introspect")
    behind = post(f"token={alone}", auth=basic(*lone.rs1))
    replies = lone.server.raw(head(INTROSPECT, framing).encode("latin-1") + b"\r\n0\r\n\r\n" + behind, count=2)
    assert [r.status for r in replies] in ([400], [413], [501])
    assert lone.server.requests("introspect") == before


@pytest.mark.parametrize("payload", hostile.BAD_CHUNKS, ids=repr)
def test_broken_chunks_are_refused_by_nginx(lone, alone, untouched, payload):
    """A-HTTP-22: the request behind them is never seen as one."""
    before = lone.server.lookups()
    auth = basic(*lone.rs1)
    replies = lone.server.raw(chunked(payload + post(f"token={alone}", auth=auth), auth=auth), count=2)
    assert len(replies) == 1 and replies[0].status in (400, 413)
    assert lone.server.lookups() == before


@pytest.mark.parametrize("payload", [b"3;x=y\r\na=b\r\n0\r\ntoken: {live}\r\n\r\n", b"3;" + b"x" * 10240 + b"\r\na=b\r\n0\r\n\r\n",
                                     b"3\na=b\n0\ntoken: {live}\n\n", b"3\r\na=b\r\n0\r\n&token={live}\r\n\r\n"])
def test_only_what_the_chunks_say_is_the_body(world, live, untouched, payload):
    """A-HTTP-23: extensions, bare line feeds and trailers are taken by nginx; a trailer is never a parameter."""
    payload = payload.replace(b"{live}", live.encode())
    reply = world.server.raw(chunked(payload, auth=basic(*world.rs1)))[0]
    assert reply.status == 400 and b"active" not in reply.body
    whole = f"token={live}".encode()
    cut = b"".join(b"%x;%s\r\n" % (len(part), b"y" * 3000) + part + b"\r\n" for part in (whole[:1], whole[1:20], whole[20:])) + b"0\r\nX: y\r\n\r\n"
    assert world.server.raw(chunked(cut, auth=basic(*world.rs1)))[0].json["active"] is True


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_form_may_come_in_pieces(world, live, untouched, size):
    """A-HTTP-23: cut anywhere, it is the same form."""
    data = post(f"token={live}", auth=basic(*world.rs1))
    with world.server.connect(clear=True) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            s.sendall(data[at:at + size])
        assert parse_reply(read_all(s))[0].json["active"] is True


def test_pipelined_requests_are_answered_in_order(world, live, untouched):
    """A-HTTP-24"""
    def one(token, extra=""):
        return post(f"token={token}", *([extra] if extra else []), auth=basic(*world.rs1)).replace(b"Connection: close\r\n", b"")
    replies = world.server.raw(one(live) + one("random") + one(live), count=3)
    assert [r.json["active"] for r in replies] == [True, False, True]
    replies = world.server.raw(one(live) + one(live, "bad header") + one(live), count=3)
    assert [r.status for r in replies] == [200, 400] and replies[0].json["active"] is True
    assert b"active" not in replies[1].body


@pytest.mark.parametrize("line", [line for _, line in hostile.BAD_HEADERS], ids=[name for name, _ in hostile.BAD_HEADERS])
def test_headers_that_nginx_refuses(lone, alone, untouched, line):
    """A-HTTP-28 A-HTTP-29"""
    before = lone.server.requests("introspect")
    replies = lone.server.raw(post(f"token={alone}", line, auth=basic(*lone.rs1)), count=2)
    assert [r.status for r in replies] in ([400], [414], [431]) and b"active" not in replies[0].body
    assert lone.server.requests("introspect") == before


def test_a_url_of_9_kib_is_refused(world, untouched):
    """A-HTTP-29"""
    assert world.server.raw(head(f"{INTROSPECT}?{'a' * 9000}").encode() + b"\r\n")[0].status == 414


def test_bare_line_feeds_mean_the_same(world, live, untouched):
    """A-HTTP-28: nginx takes them; the request is the same one, with the same rules."""
    for token, active in ((live, True), ("random", False)):
        data = post(f"token={token}", auth=basic(*world.rs1)).replace(b"\r\n", b"\n")
        assert world.server.raw(data)[0].json["active"] is active
    assert world.server.raw(post(f"token={live}").replace(b"\r\n", b"\n"))[0].status == 401


@pytest.mark.parametrize("path", ["/oauth2/introspect/", "//oauth2/introspect", "/oauth2/%69ntrospect", "/x/../oauth2/introspect", "/oauth2/introspect;x",
                                  "/OAUTH2/INTROSPECT", "/oauth2/introspect%00", "/oauth2/./introspect", "/oauth2/introspect%2f", "/oauth2%2fintrospect",
                                  "/oauth2/introspect%20", "/admin/../oauth2/introspect", "/oauth2/introspect?/healthz", "/healthz/../oauth2/introspect",
                                  "/admin", "//admin/client/list", "/admin/./client/list", "/%61dmin/client/list", "/ADMIN/client/list", "/admin/client/list/"])
def test_no_spelling_of_the_path_goes_around_authentication(world, live, untouched, path):
    """A-HTTP-30"""
    for body, type in ((f"token={live}", FORM), ("{}", "application/json")):
        reply = world.server.post(path, body, type=type)
        assert reply.status in (400, 401, 404, 415) and b'"active"' not in reply.body and b"client_id" not in reply.body


def test_the_issuer_comes_from_configuration(world, live):
    """A-HTTP-31"""
    reply = world.server.raw((f"POST https://evil.example/oauth2/introspect HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n"
                              f"Connection: close\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\nContent-Length: {6 + len(live)}\r\n\r\ntoken={live}").encode())[0]
    assert reply.json["iss"] == world.server.issuer
    assert b"evil" not in world.server.get("/.well-known/oauth-authorization-server", headers=[("X-Forwarded-Host", "evil")]).body


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/token-introspection+jwtx", ";;;", "a" * 8000, "application/json;q=0",
                                    "application/token-introspection+jwt;q=0", ",", "application/", '"'])
def test_accept_makes_no_other_representation(world, live, untouched, accept):
    """A-HTTP-32 A-TOK-11 R9701-4-1"""
    reply = ask(world, f"token={live}", headers=[("Accept", accept)])
    assert reply.header("Content-Type") == "application/json" and reply.json["active"] is True
    assert ask(world, "token=x", headers=[("Accept", accept)]).body == INACTIVE
    assert world.server.introspect(live, None, headers=[("Accept", accept)]).status == 401


@pytest.mark.parametrize("path,method", [(INTROSPECT, "POST"), ("/oauth2/token", "POST"), ("/oauth2/revoke", "POST"), (INTROSPECT, "OPTIONS"), ("/oauth2/token", "OPTIONS"),
                                         ("/.well-known/oauth-authorization-server", "GET"), ("/admin/client/list", "OPTIONS")])
def test_no_cors_and_no_cookies(world, live, path, method):
    """A-HTTP-36 R7009-2.3-1"""
    headers = [("Origin", "https://evil.example"), ("Cookie", "a=b"), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")]
    reply = world.server.request(method, path, f"token={live}x", headers=headers, auth=world.rs1)
    assert not [k for k, _ in reply.headers if k.lower().startswith("access-control") or k.lower() == "set-cookie"]


def leave(server, data, how):
    """Sends, and leaves: at once, or half, waiting for the answer."""
    with server.connect(clear=True) as s:
        s.sendall(data)
        if how == "half":
            s.shutdown(socket.SHUT_WR)
            return read_all(s)
    return b""


def test_clients_that_leave_leave_nothing_behind(lone):
    """A-HTTP-27 N6: 2,000 that ask, issue or revoke, and close at once or half."""
    server, rs, cl = lone.server, basic(*lone.rs1), basic(*lone.cl1)
    live = lone.at()["access_token"]
    kinds = [post(f"token={live}", auth=rs), post("grant_type=client_credentials", path="/oauth2/token", auth=cl), post("token=x", path="/oauth2/revoke", auth=cl),
             post(f"token={live}", auth=rs)[:-9]]
    for i in range(100):
        leave(server, kinds[i % 4], "at once")
    before = server.level()
    for i in range(2000):
        leave(server, kinds[i % 4], "half" if i % 7 == 0 else "at once")
    assert lone.active(live)
    wait_until(lambda: server.level()["descriptors"] <= before["descriptors"], what="descriptors are back")
    wait_until(lambda: not server.busy_readers(), what="no snapshot is held")


def test_a_revocation_left_alone_is_done_or_not(own):
    """A-HTTP-27 REL-02: never half: a grant's access token lives as long as its refresh token does."""
    grants = [own.grant() for _ in range(40)]
    for i, grant in enumerate(grants):
        data = post(f"token={grant['refresh_token']}", path="/oauth2/revoke", auth=basic(*own.cl1))
        leave(own.server, data[:-i] if 0 < i < 5 else data, "at once")
    other = own.at()["access_token"]
    assert own.server.revoke(other, own.cl1).status == 200  # behind all of them
    wait_until(lambda: own.server.level()["readers"] == 0)
    alive = [own.active(grant["access_token"]) for grant in grants]
    assert alive[1:5] == [True] * 4  # their bodies were never whole
    assert [own.refresh(grant["refresh_token"]).status == 200 for grant in grants] == alive
    assert alive == [own.active(grant["access_token"]) for grant in grants]
    assert own.server.cli_json("store", "stat")["cutoffs"] == alive.count(False) + 1


@pytest.mark.parametrize("path", ["/admin/client/list", "/admin/x", "/admin/", "/admin/client/add", "/admin/token/issue", "/admin/store/stat"])
@pytest.mark.parametrize("source", [None, "203.0.113.9"])
def test_admin_is_closed_to_everybody_else(world, untouched, path, source):
    """A-HTTP-37: from this very machine as from elsewhere."""
    for auth in (None, world.rs1, world.cl1, ("nobody", "x"), ("pub1", "")):
        reply = world.server.post(path, "{}", auth=auth, type="application/json", source=source)
        assert reply.status in (401, 403, 404) and b"client_id" not in reply.body and b"seq" not in reply.body


@pytest.mark.parametrize("source", ["203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9", "10.0.0.1"])
@pytest.mark.parametrize("clear", [False, True])
def test_metrics_are_for_this_machine(world, source, clear):
    """A-HTTP-37: what a client claims in a header changes nothing."""
    headers = [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"), ("Host", "127.0.0.1")][:3]
    for path in ("/metrics", "//metrics", "/metrics?x", "/%6detrics"):
        reply = world.server.get(path, source=source, clear=clear, headers=headers)
        assert reply.status in (403, 404) and b"assay_" not in reply.body


def test_health_says_only_ok_and_metrics_name_nobody(world, live):
    """A-HTTP-37"""
    for source in (None, "203.0.113.9"):
        assert json.loads(world.server.get("/healthz", source=source).body) == {"status": "ok"}
        assert world.server.get("/readyz", source=source).json == {"ready": True, "reasons": []}
    world.server.introspect(live, ("nobody-there", "x"))
    text = world.server.get("/metrics").body.decode()
    assert "assay_requests_total" in text
    assert not any(w in text for w in ("cl1", "rs1", "alice", "api1", "nobody-there", live, live[9:31]))


def test_nothing_of_it_leaves_a_trace():
    """N1 N2 N3 N4 N6 A-LOG-02: every hostile request, over and over, at the log level we ship: descriptors, reader slots and memory are
    back where they were, the store's number has not moved, no token and no secret is in any log or refusal."""
    times = 500 if os.environ.get("ASSAY_DEEP") else 10
    with Server(workers=1, log_level="warn") as server:
        world = World(server)
        live = world.at()["access_token"]
        cases = [data for _, data in hostile.all_of(world, live)]

        def storm(times):
            for data in cases:
                kept = data.replace(b"Connection: close\r\n", b"")
                for _ in range(times):
                    with server.connect(clear=True) as s:
                        with contextlib.suppress(OSError):
                            s.sendall(kept * 100 if len(data) < 2000 else kept)
                            s.shutdown(socket.SHUT_WR)
                        with contextlib.suppress(OSError):
                            assert b'"active":true' not in s.recv(65536)
                        s.settimeout(0.01)  # nginx may linger over a body that it has refused
                        assert b'"active":true' not in read_all(s)

        storm(times)  # once, so that the heap has been as large as this load makes it
        before, seq = server.level(), server.seq()
        storm(times)
        start = time.monotonic()
        assert world.active(live)
        assert time.monotonic() - start < 5
        wait_until(lambda: server.level()["descriptors"] <= before["descriptors"], what="descriptors are back")
        wait_until(lambda: not server.busy_readers(), what="no snapshot is held")
        after = server.level()
        assert server.seq() == seq
        assert SANITIZED or after["memory"] <= before["memory"] + 1024, (before, after)
        server.check_floor()
        server.check_canaries()
