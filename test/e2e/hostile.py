"""Requests that no client means well by, as bytes: one or more for each row of the plan that is a request. What each must be
answered is asked in the tests of its row; here they are for the tests that need them all."""

import base64
import gzip

from harness import FORM, basic

INTROSPECT = "/oauth2/introspect"


def head(path=INTROSPECT, *lines, method="POST", version="HTTP/1.1"):
    return "\r\n".join([f"{method} {path} {version}", "Host: localhost", *lines]) + "\r\n"


def post(body, *lines, path=INTROSPECT, auth=None, type=FORM, length=None):
    """A whole request; `length` when it lies about its body."""
    body = body.encode("latin-1") if isinstance(body, str) else body
    lines = [*([f"Authorization: {auth}"] if auth else []), *([f"Content-Type: {type}"] if type else []),
             f"Content-Length: {len(body) if length is None else length}", *lines]
    return head(path, "Connection: close", *lines).encode("latin-1") + b"\r\n" + body


def chunked(payload, *lines, auth=None, path=INTROSPECT):
    lines = [*([f"Authorization: {auth}"] if auth else []), f"Content-Type: {FORM}", "Transfer-Encoding: chunked", *lines]
    return head(path, "Connection: close", *lines).encode("latin-1") + b"\r\n" + payload


# What is malformed whatever the token: 400 invalid_request. {live} is a live token.
MALFORMED = ["", "token=", "&&&", "=x", "token", "foo=bar", "Token={live}", "TOKEN={live}", "token={live}&token={live}",
             "token={live}&to%6ben={live}", "token={live}&token=", "token={live}&token_type_hint=a&token_type_hint=b",
             "token={live}&client_id=rs1&client_id=rs1", "token={live}&scope=a&scope=a", "token={live}&grant_type=a&grant_type=a",
             "token=%zz", "token=%4", "token=%", "token={live}%", "token={live}%4", "token={live}&%=x", "token={live}&a=%g0", "tok%en={live}",
             "token={live}%00", "token={live}\x00", "token={live}%00x", "token={live}\x00x", "%00token={live}&token=",
             "token=a%00b", "token=a\x00b", "token=%01", "token=\x01", "token=%0d%0a", "token=%ff", "token=\xff", "token=%c0%af", "token=\xc0\xaf",
             "token=%C3%A9", "token=a%7Fb", "token={live}%20", "token=+{live}", "token={live}+", "token=%09{live}", "token=Bearer%20{live}",
             "token={live}%0A", "a=1;token={live}", "token%3D{live}",
             "&".join(f"a{i}=1" for i in range(33)), "a&" * 8000, "n" * 16000 + "=1", "n" * 65 + "=1", "token=" + "A" * 8193]

# Headers that nginx refuses by itself: (what is wrong, the line).
BAD_HEADERS = [("NUL", "X-A: a\x00b"), ("bare CR", "X-A: a\rb"), ("folded", "X-A: a\r\n b"), ("folded by a tab", "X-A: a\r\n\tb"),
               ("space before the colon", "X-A : b"), ("no name", ": b"), ("control byte in the name", "X\x01: b"),
               ("folded Authorization", "Authorization: Basic\r\n Og=="), ("one line of 9 KiB", "X-A: " + "a" * 9000),
               ("40 KiB", "\r\n".join(f"X-{i}: " + "a" * 7000 for i in range(6))), ("3,000 lines", "\r\n".join(f"X-{i}: a" for i in range(3000)))]

# Framing that two readers could take differently.
AMBIGUOUS = ["Content-Length: 10\r\nContent-Length: 10", "Content-Length: 10\r\nContent-Length: 5", "Content-Length: +1", "Content-Length: -1",
             "Content-Length: 1,1", "Content-Length: 0x5", "Content-Length: 99999999999999999999", "Content-Length: ",
             "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: gzip",
             "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: xchunked",
             "Transfer-Encoding : chunked", "\x0bTransfer-Encoding: chunked"]
BAD_CHUNKS = [b"ZZ\r\na=b\r\n0\r\n\r\n", b"10000000000000003\r\na=b\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFF\r\na=b\r\n0\r\n\r\n", b"-3\r\na=b\r\n0\r\n\r\n",
              b"3\r\na=bXX\r\n0\r\n\r\n", b"\r\na=b\r\n0\r\n\r\n"]

BAD_BASIC = ["Basic !!!!", "Basic", "Basic ", "Basic bm9jb2xvbg==", "Basic YSV6ejpi", "Basic YTolZmY=", "Basic YSUwMGI6Yw==",
             "Basic czZCaGRSa3F0MzpnWDFmQmF0M2J", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW=", "Basic czZC aGRSa3F0MzpnWDFmQmF0M2JW",
             "Basic Og==", "Basic cnMxOg==", "Basic OnNlY3JldA==", "Digest x", "Bearer x", "xBasic YTpi", "Basic YTpi==x", "Basic YTpiCg-_",
             "Basic " + base64.b64encode(b"a:" + b"b" * 1100).decode(), "Basic " + base64.b64encode(b"a:" + b"b" * 5000).decode(),
             "Basic " + base64.b64encode(b"a" * 300 + b":b").decode(), "Basic " + base64.b64encode(b"\xff:\xff").decode()]


def all_of(world, live):
    """(row, bytes) of everything above and of what stands in other rows, against a live token and good credentials."""
    good = basic(*world.rs1)
    body = f"token={live}"
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "FROB", "TRACE", "post"):
        yield "A-HTTP-02", head(f"{INTROSPECT}?{body}", f"Authorization: {good}", "Connection: close", method=method).encode() + b"\r\n"
    yield "A-HTTP-03", head(version="HTTP/2.0").encode() + b"\r\n"
    yield "A-HTTP-04", f"GET {INTROSPECT}?{body}\r\n".encode()
    for type in ("application/json", "multipart/form-data; boundary=x", "", FORM + "X"):
        yield "A-HTTP-06", post(body, auth=good, type=type)
    yield "A-HTTP-08", post(body, f"Content-Type: {FORM}", auth=good)
    yield "A-HTTP-09", post(gzip.compress(body.encode()), "Content-Encoding: gzip", auth=good)
    for form in MALFORMED:
        yield "A-HTTP-10", post(form.replace("{live}", live), auth=good)
    yield "A-HTTP-18", post("", path=f"{INTROSPECT}?{body}", auth=good)
    for length in (16385, 20000, 40000):
        yield "A-HTTP-20", post("a" * length, path=f"{INTROSPECT}?{body}", auth=good)
        yield "A-HTTP-20", chunked(b"%x\r\n" % length + b"a" * length + b"\r\n0\r\n\r\n", path=f"{INTROSPECT}?{body}", auth=good)
    yield "A-HTTP-20", post("", path=f"{INTROSPECT}?{body}", auth=good, length=10**10)
    yield "A-HTTP-25", post("", "Expect: 100-continue", auth=good, length=100000)
    for framing in AMBIGUOUS:
        yield "A-HTTP-22", head(INTROSPECT, framing).encode("latin-1") + b"\r\n0\r\n\r\n" + post(body, auth=good)
    for payload in BAD_CHUNKS:
        yield "A-HTTP-22", chunked(payload + post(body, auth=good), auth=good)
    yield "A-HTTP-23", chunked(b"3;" + b"x" * 10240 + b"\r\na=b\r\n0\r\ntoken: " + live.encode() + b"\r\n\r\n", auth=good)
    for _, line in BAD_HEADERS:
        yield "A-HTTP-28", post(body, line, auth=good)
    yield "A-HTTP-29", head(f"{INTROSPECT}?{'a' * 9000}").encode() + b"\r\n"
    for path in ("//oauth2/introspect", "/oauth2/%69ntrospect", "/oauth2/introspect;x", "/OAUTH2/INTROSPECT", "/oauth2/nothing", "/admin/client/list"):
        yield "A-HTTP-30", post(body, path=path)
    for accept in ("a" * 7000, ";;;", "application/token-introspection+jwt"):
        yield "A-HTTP-32", post(body, f"Accept: {accept}")
    for value in (*BAD_BASIC, f"Bearer {live}", basic("nobody", "x"), basic("rs1", world.rs1[1] + "x")):
        yield "A-AUTH-05", post(body, auth=value)
    yield "A-AUTH-03", post(f"{body}&client_secret={world.rs1[1]}", auth=good)
    yield "A-AUTH-04", post(body, f"Authorization: {good}", auth=good)
    yield "A-AUTH-10", post(f"{body}&client_id=cl1", auth=good)
    yield "A-AUTH-12", post(body, path=f"{INTROSPECT}?client_id=rs1&client_secret={world.rs1[1]}")
    yield "A-AUTH-21", post(body, auth=basic(*world.cl1))
    for scope in ("admin", 'a"b', "a\\b", "%00", "%1b[2J", "a%20" * 4000):
        yield "A-TOK-20", post(f"grant_type=client_credentials&scope={scope}", path="/oauth2/token", auth=basic(*world.cl1))
    yield "A-TOK-13", post(body, path="/oauth2/revoke", auth=basic(*world.cl2))
