"""Tokens that are bound to a client's certificate (RFC 8705 section 3): good on a connection that has shown it, and on no other."""

import base64
import hashlib
import json
import socket
import ssl

import httpx
import pytest
from guard import Guard
from harness import free_port
from peer import certificate
from test_guard_jwt import World


def thumbprint(pair):
    der = ssl.PEM_cert_to_DER_cert(pair[1].read_text())
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bound")
    return {name: certificate(folder, name, subject=f"/CN={name}") for name in ("localhost", "own", "other")}


def tls(pairs, port):
    return f"listen 127.0.0.1:{port} ssl http2; ssl_certificate {pairs['localhost'][1]}; ssl_certificate_key {pairs['localhost'][0]}; ssl_verify_client optional_no_ca;"


@pytest.fixture(scope="module")
def guard(pairs):
    port = free_port()
    with Guard(server=tls(pairs, port), locations="""
            location /api/ { assay_guard corp; assay_require scope read; proxy_pass {backend}; }
            location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }
            location = /check { assay_check corp; }""") as guard:
        guard.tls_port = port
        yield guard
        guard.check_floor()


@pytest.fixture(params=[False, True], ids=["http/1.1", "http/2"])
def client(request, guard, pairs):
    """get(path, token, name of the certificate that is shown)."""
    clients = []

    def get(path, token, shown=None, port=None):
        context = ssl.create_default_context(cafile=pairs["localhost"][1])
        if shown:
            context.load_cert_chain(pairs[shown][1], pairs[shown][0])
        one = httpx.Client(http2=request.param, verify=context, timeout=20)
        clients.append(one)
        guard.note(token)
        return one.get(f"https://localhost:{port or guard.tls_port}{path}", headers={"Authorization": f"Bearer {token}"})

    yield get
    for one in clients:
        one.close()


# R8705-3-2 R8705-6.2-1: also where the certificate is signed by itself, and on a hit as on a miss
@pytest.mark.parametrize("path", ["/api/x", "/live/x"])
def test_a_bound_token_is_good_with_its_certificate_alone(guard, client, pairs, path):
    token = guard.allow(f"bound-to-own-{path[1:4]}", cnf={"x5t#S256": thumbprint(pairs["own"])})
    for _ in range(2):
        assert client(path, token, "own").status_code == 200
        for shown in ("other", None):
            before = guard.passed()
            reply = client(path, token, shown)
            assert reply.status_code == 401 and 'error="invalid_token"' in reply.headers["WWW-Authenticate"] and guard.passed() == before
    assert guard.call(path, token=token).status == 401  # in the clear
    assert client(path, guard.allow("not-bound-at-all"), "own").status_code == 200


# P-8705-3 R8705-3-4: what else it is bound to is not checked here, so it is refused; nor is a thumbprint in another spelling one
@pytest.mark.parametrize("change", [lambda x: {"x5t#S256": x, "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, lambda x: {"jkt": x}, lambda x: {}, lambda x: {"x5t": x}, lambda x: {"x5t#S256": x + "="},
                                    lambda x: {"x5t#S256": [x]}, lambda x: {"x5t#S256": x.lower()}, lambda x: {"X5T#S256": x}, lambda x: {"x5t#S256": ""}, lambda x: {"x5t#S256": x, "unknown": 1}])
def test_other_bindings_are_refused(guard, client, pairs, change):
    cnf = change(thumbprint(pairs["own"]))
    token = guard.allow(f"bound-{abs(hash(json.dumps(cnf)))}", cnf=cnf)
    assert client("/api/x", token, "own").status_code == 401


# A-GW-31: where another proxy asks, the certificate is that proxy's
def test_the_judge_takes_no_proxy_for_its_client(guard, client, pairs):
    token = guard.allow("bound-asked-of-a-judge", cnf={"x5t#S256": thumbprint(pairs["own"])})
    assert client("/check", token, "own").status_code == 401
    assert client("/check", guard.allow("unbound-asked-of-a-judge"), "own").status_code == 204


# P-8705-2 A-GW-34: a resumed session has shown what its first handshake did
def test_a_resumed_session_keeps_the_certificate(guard, pairs):
    token = guard.allow("bound-and-resumed", cnf={"x5t#S256": thumbprint(pairs["own"])})
    context = ssl.create_default_context(cafile=pairs["localhost"][1])
    context.load_cert_chain(pairs["own"][1], pairs["own"][0])
    session, statuses = None, []
    for _ in range(3):
        with guard_socket(guard, context, session) as s:
            s.sendall(f"GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode())
            statuses.append((s.recv(65536)[9:12], s.session_reused))
            session = s.session
    assert [status for status, _ in statuses] == [b"200"] * 3 and statuses[-1][1]


def guard_socket(guard, context, session):
    raw = socket.create_connection(("127.0.0.1", guard.tls_port), timeout=20)
    return context.wrap_socket(raw, server_hostname="localhost", session=session)


def test_signed_tokens_that_are_bound(guard, client, pairs):
    port = free_port()
    with World("jwt", server=tls(pairs, port)) as world:
        token = world.token(cnf={"x5t#S256": thumbprint(pairs["own"])})
        for _ in range(2):
            assert [client("/api/x", token, shown, port).status_code for shown in ("own", "other", None)] == [200, 401, 401]
        assert world.call(token).status == 401
