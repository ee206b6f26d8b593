"""Requests that no client means well by, byte for byte."""

import json

import pytest
from harness import FORM, INACTIVE, basic

INTROSPECT = "/oauth2/introspect"


@pytest.fixture(scope="module")
def live(world):
    return world.at()["access_token"]


def ask(world, body, **kwargs):
    return world.server.post(INTROSPECT, body, auth=world.rs1, **kwargs)


@pytest.mark.parametrize("path", [INTROSPECT, "/oauth2/revoke", "/oauth2/token"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "FROB"])
def test_only_post(world, live, path, method):
    """A-HTTP-01 A-HTTP-02 P-7662-3 R7662-4-13 R6749-3.2-2 R7009-2.3-2"""
    reply = world.server.request(method, f"{path}?token={live}", auth=world.rs1)
    assert reply.status == 405 and reply.header("Allow") == "POST"
    assert method != "HEAD" or reply.body == b""
    assert live not in world.server.access_log() and world.active(live)


@pytest.mark.parametrize("line,status", [("TRACE /oauth2/introspect HTTP/1.1", 405), ("CONNECT a:1 HTTP/1.1", (400, 405)),
                                         ("post /oauth2/introspect HTTP/1.1", 400), ("POST /oauth2/introspect HTTP/2.0", (400, 505))])
def test_what_nginx_refuses_itself(world, line, status):
    """A-HTTP-03"""
    replies = world.server.raw(f"{line}\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
    assert replies and replies[0].status in (status if isinstance(status, tuple) else (status,))
    assert b"active" not in replies[0].body


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


@pytest.mark.parametrize("body", ["", "token=", "&&&", "=x", "token", "foo=bar", "Token={live}", "TOKEN={live}", "token={live}&token={live}",
                                  "token={live}&to%6ben={live}", "token={live}&token_type_hint=a&token_type_hint=b", "token=%zz", "token=%4",
                                  "token={live}&%=x", "tok%en={live}", "token=a%00b", "token=a\x00b", "token=%01", "token=\x01",
                                  "token=%ff", "token=\xff", "token=%c0%af", "token={live}%20", "token=+{live}", "token=Bearer%20{live}",
                                  "a=1;token={live}", "token=%C3%A9", "token=a%7Fb"])
def test_malformed_forms_are_refused(world, live, body):
    """A-HTTP-10 A-HTTP-11 A-HTTP-12 A-HTTP-13 A-HTTP-14 A-HTTP-15 A-HTTP-16 R7662-1.1-1 R7662-2.1-3 R7662-2.1-4 R6749-3.2-5 P-7009-1"""
    data = body.replace("{live}", live).encode("latin-1")
    for path, auth in ((INTROSPECT, world.rs1), ("/oauth2/revoke", world.cl1)):
        reply = world.server.post(path, data, auth=auth)
        assert reply.status == 400 and reply.error == "invalid_request", (path, reply.body)
        assert set(reply.json) <= {"error", "error_description"}
    assert world.active(live)


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


@pytest.mark.parametrize("body", ["&".join(f"a{i}=1" for i in range(33)), "a&" * 8000, "n" * 16000 + "=1", "n" * 65 + "=1", "token=" + "A" * 8193])
def test_counts_and_lengths_are_bounded(world, body):
    """A-HTTP-19 P-7662-5 REL-17"""
    reply = ask(world, body)
    assert reply.status == 400 and reply.error == "invalid_request"


def test_thirty_two_parameters_and_a_token_of_8_kib_are_within_bounds(world, live):
    """A-HTTP-19"""
    assert ask(world, "&".join(f"a{i}=1" for i in range(31)) + f"&token={live}").json["active"] is True
    assert ask(world, "token=" + "A" * 8192).body == INACTIVE


def test_a_body_over_the_limit(world):
    """A-HTTP-20 A-HTTP-25: by length, chunked, and with Expect: no 100 before the 413."""
    server = world.server
    assert ask(world, "a" * 16385).status == 413
    head = f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\n"
    replies = server.raw(f"{head}Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n".encode())
    assert replies[0].status == 413
    chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
    replies = server.raw(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 2 + b"1\r\na\r\n0\r\n\r\n")
    assert not replies or replies[0].status == 413
    assert ask(world, "a" * 16384).status == 400


def test_a_body_that_never_ends_gets_no_answer(world, live):
    """A-HTTP-21"""
    head = f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\n"
    body = f"token={live}".encode()
    for data in (f"{head}Content-Length: {len(body) + 5}\r\n\r\n".encode() + body,
                 f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n"):
        replies = world.server.raw(data, timeout=10)
        assert not replies or (replies[0].status == 408 and b"active" not in replies[0].body)


@pytest.mark.parametrize("headers", ["Content-Length: 10\r\nContent-Length: 10", "Content-Length: +1", "Content-Length: -1", "Content-Length: 1,1",
                                     "Content-Length: 99999999999999999999", "Content-Length: 5\r\nTransfer-Encoding: chunked",
                                     "Transfer-Encoding: gzip", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"])
def test_ambiguous_framing_is_refused_by_nginx(world, live, headers):
    """A-HTTP-22"""
    follow = f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\nContent-Length: 5\r\n\r\nhello"
    data = f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n{follow}".encode()
    replies = world.server.raw(data, count=2)
    assert len(replies) <= 1 and all(r.status in (400, 413, 501) for r in replies)


def test_a_trailer_is_no_parameter(world, live):
    """A-HTTP-23"""
    head = f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\nTransfer-Encoding: chunked\r\n\r\n"
    replies = world.server.raw(f"{head}3;x=y\r\na=b\r\n0\r\ntoken: {live}\r\n\r\n".encode())
    assert replies[0].status == 400


def test_pipelined_requests_are_answered_in_order(world, live):
    """A-HTTP-24"""
    def one(token, extra=""):
        body = f"token={token}"
        return (f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\n{extra}Authorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}")
    replies = world.server.raw((one(live) + one("random") + one(live)).encode(), count=3)
    assert [r.json["active"] for r in replies] == [True, False, True]
    replies = world.server.raw((one(live) + one(live, "bad header\r\n") + one(live)).encode(), count=3)
    assert replies[0].json["active"] is True and len(replies) <= 2 and all(r.status == 400 for r in replies[1:])


@pytest.mark.parametrize("path", ["/oauth2/introspect/", "//oauth2/introspect", "/oauth2/%69ntrospect", "/x/../oauth2/introspect",
                                  "/oauth2/introspect;x", "/OAUTH2/INTROSPECT", "/oauth2/introspect%00", "/oauth2/./introspect"])
def test_no_spelling_of_the_path_goes_around_authentication(world, live, path):
    """A-HTTP-30"""
    reply = world.server.post(path, {"token": live})
    assert reply.status in (400, 401, 404) and b"active" not in reply.body


def test_the_issuer_comes_from_configuration(world, live):
    """A-HTTP-31"""
    reply = world.server.raw((f"POST https://evil.example/oauth2/introspect HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n"
                              f"Connection: close\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\nContent-Length: {6 + len(live)}\r\n\r\ntoken={live}").encode())[0]
    assert reply.json["iss"] == world.server.issuer
    assert b"evil" not in world.server.get("/.well-known/oauth-authorization-server", headers=[("X-Forwarded-Host", "evil")]).body


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/token-introspection+jwtx", ";;;", "a" * 7000])
def test_accept_makes_no_other_representation(world, live, accept):
    """A-HTTP-32 A-TOK-11"""
    reply = ask(world, f"token={live}", headers=[("Accept", accept)])
    assert reply.header("Content-Type") == "application/json" and reply.json["active"] is True
    assert ask(world, "token=x", headers=[("Accept", accept)]).body == INACTIVE


def test_no_cors_and_no_cookies(world, live):
    """A-HTTP-36 R7009-2.3-1"""
    reply = ask(world, f"token={live}", headers=[("Origin", "https://evil.example"), ("Cookie", "a=b")])
    assert not [k for k, _ in reply.headers if k.lower().startswith("access-control") or k.lower() == "set-cookie"]


def test_http_2_streams_get_their_own_answers(world, live):
    """A-HTTP-35 (whole requests): many streams on one connection."""
    httpx = pytest.importorskip("httpx")
    import asyncio

    async def one(client, i):
        token = live if i % 2 else "random"
        r = await client.post(f"{world.server.issuer}{INTROSPECT}", data={"token": token}, auth=world.rs1)
        return r.http_version == "HTTP/2" and r.json()["active"] is bool(i % 2)

    async def all_at_once():
        async with httpx.AsyncClient(http2=True, verify=str(world.server.dir / "cert.pem")) as client:
            return await asyncio.gather(*(one(client, i) for i in range(200)))

    assert all(asyncio.run(all_at_once()))


def test_clients_that_leave_leave_nothing_behind(world, live):
    """A-HTTP-27 (short)"""
    server = world.server
    body = f"token={live}"
    data = (f"POST {INTROSPECT} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.rs1)}\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
    token = f"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*world.cl1)}\r\nContent-Type: {FORM}\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials".encode()
    for i in range(300):
        with server.connect(clear=True) as s:
            s.sendall(data if i % 2 else token)
    assert world.active(live)


@pytest.mark.parametrize("path", ["/admin/client/list", "/admin/x", "/admin/"])
def test_admin_is_closed_to_everybody_else(world, path):
    """A-HTTP-37"""
    for auth in (None, world.rs1, world.cl1, ("nobody", "x")):
        reply = world.server.post(path, "{}", auth=auth, type="application/json")
        assert reply.status in (401, 403, 404) and b"client_id" not in reply.body


def test_health_says_only_ok_and_metrics_name_nobody(world, live):
    """A-HTTP-37"""
    assert json.loads(world.server.get("/healthz").body) == {"status": "ok"}
    assert world.server.get("/readyz").json == {"ready": True, "reasons": []}
    text = world.server.get("/metrics").body.decode()
    assert "assay_requests_total" in text and not any(w in text for w in ("cl1", "rs1", "alice", live))
