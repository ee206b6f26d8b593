"""The guard with neighbours that nobody here wrote: authorization servers behind it, other proxies that ask its judge endpoint."""

import base64
import contextlib
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request

import pytest
from authlib.jose import JsonWebKey

from guard import API, Guard, wait_until
from harness import ROOT, Server, basic, free_port
from peer import Backend, Request

PROVIDER_SECRET = "s3cret-of-the-provider-0123456789"


@contextlib.contextmanager
def running(command, port, **kwargs):
    """A process in a session of its own, ended by its group."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, start_new_session=True, **kwargs)
    try:
        def listens():
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        wait_until(listens, seconds=60, what=f"{command[0]} listens")
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def post_form(url, form, user=None):
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), {"Authorization": basic(*user)} if user else {})
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.loads(reply.read() or b"{}")


# --- authorization servers ---


def test_in_front_of_assays_own_server():
    """The real case: a call passes, the token is revoked, the next call that asks is refused. The server tells the guard what it
    needs to keep an answer (DESIGN section 5), and nobody else."""
    with Server(workers=1) as own:
        gateway = own.add_client("gateway", "--resource-server", "--audience", API)
        own.add_client("robot", "--grant", "client_credentials", "--scope", "read write", "--audience", API)
        token = own.issue("--client", "robot", "--subject", "alice", "--scope", "read")["access_token"]
        seen = own.introspect(token, ("gateway", gateway["client_secret"]))
        assert "assay" not in seen.json
        asked = own.introspect(token, ("gateway", gateway["client_secret"]), headers=[("Assay-Guard", "1")]).json
        assert asked.pop("assay").keys() == {"log", "as_of", "keys"} and asked == seen.json
        corp = f"issuer {own.issuer}; client_id gateway; client_secret_file {{dir}}/gateway.secret; ca_file {own.dir}/cert.pem;"
        with Guard(corp=corp, start=False) as guard:
            (guard.dir / "gateway.secret").write_text(gateway["client_secret"] + "\n")
            guard.locations = """
                location /api/ { assay_guard corp; assay_require scope read audience https://api.example.com; assay_set_header X-User $assay_sub;
                    proxy_pass {backend}; }
                location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }
                location /write/ { assay_guard corp; assay_require scope write; proxy_pass {backend}; }
                location = /control { assay_guard_control secret_file={dir}/control; }"""
            guard.start()
            assert guard.call("/api/x", token=token).status == 200 and guard.backend.last.header("X-User") == "alice"
            assert guard.call("/write/x", token=token).status == 403
            assert guard.call("/live/x", token=token).status == 200
            own.cli("token", "revoke", "-", stdin=token)
            assert guard.call("/live/x", token=token).status == 401
            assert guard.call("/api/x", token=token).status == 401
            assert guard.call("/api/x", token=token[:-1] + ("A" if token[-1] != "A" else "B")).status == 401
            guard.check_floor()
        own.check_floor()


def test_two_receivers_are_told_different_keys():
    with Server(workers=1) as own:
        secrets = {name: own.add_client(name, "--resource-server", "--audience", API)["client_secret"] for name in ("rs1", "rs2")}
        own.add_client("robot", "--grant", "client_credentials", "--scope", "read", "--audience", API)
        tokens = [own.issue("--client", "robot", "--subject", sub, "--scope", "read")["access_token"] for sub in ("alice", "alice", "bob")]
        told = {(name, i): own.introspect(token, (name, secrets[name]), headers=[("Assay-Guard", "1")]).json["assay"]
                for name in secrets for i, token in enumerate(tokens)}
        for i in range(3):
            assert not set(told["rs1", i]["keys"]) & set(told["rs2", i]["keys"]) - {None}
            assert told["rs1", i]["log"] == told["rs2", i]["log"]
        token_key, grant, session, subject, client, key = range(6)
        assert told["rs1", 0]["keys"][subject] == told["rs1", 1]["keys"][subject] != told["rs1", 2]["keys"][subject]
        assert told["rs1", 0]["keys"][client] == told["rs1", 2]["keys"][client]
        assert told["rs1", 0]["keys"][token_key] != told["rs1", 1]["keys"][token_key]
        assert told["rs1", 0]["keys"][session] is told["rs1", 0]["keys"][key] is None
        before = int(told["rs1", 0]["as_of"])
        own.issue("--client", "robot", "--subject", "carol", "--scope", "read")
        assert int(own.introspect(tokens[0], ("rs1", secrets["rs1"]), headers=[("Assay-Guard", "1")]).json["assay"]["as_of"]) > before
        identity = own.cli_json("store", "stat").get("log", "")
        assert identity == "" or told["rs1", 0]["log"] not in identity


def private_keys(path, *algs):
    """A new key for each of them, in a file for the provider; the key ids."""
    kinds = {"RS256": ("RSA", 2048), "PS256": ("RSA", 2048), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
    keys = []
    for alg in algs:
        key = JsonWebKey.generate_key(*kinds[alg], is_private=True)
        keys.append({**key.as_dict(is_private=True), "kid": f"{alg}-{os.urandom(4).hex()}", "alg": alg, "use": "sig"})
    return keys


def test_signed_tokens_of_oidc_provider_and_its_new_keys(tmp_path):
    """JWT access tokens of its own making, judged here; with new keys before the old ones, what either signed passes; then without the old ones."""
    port, algs = free_port(), ("RS256", "PS256", "ES256", "EdDSA")
    old, new = private_keys(tmp_path, *algs), private_keys(tmp_path, *algs)
    url, me, keys = f"http://localhost:{port}", ("basic", PROVIDER_SECRET), tmp_path / "keys.json"
    command = ["node", ROOT / "test" / "clients" / "oidc-provider.mjs", port, PROVIDER_SECRET, keys]
    corp = f"issuer {url}; mode jwt; max_age 0;"
    locations = "".join(f"location /{alg}/ {{ assay_guard corp; assay_require scope read audience https://api.example.com/{alg}; proxy_pass {{backend}}; }}" for alg in algs)

    def issue(alg):
        form = {"grant_type": "client_credentials", "scope": "read write", "resource": f"https://api.example.com/{alg}"}
        return wait_until(lambda: post_form(f"{url}/token", form, me), what="a token")["access_token"]

    def serves(some):
        keys.write_text(json.dumps({"keys": some}))
        return running(command, port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    with serves(old):
        tokens = {alg: issue(alg) for alg in algs}
        guard = Guard(corp=corp, locations=locations)
        assert guard.call("/ES256/x", token=tokens["ES256"]).status == 200
    with guard:
        for alg in algs:
            assert guard.call(f"/{alg}/x", token=tokens[alg]).status == 200  # the provider is away, and its keys are known
            assert guard.call(f"/{alg}/x").status == 401
            assert guard.call(f"/{alg}/x", token=tokens[next(a for a in algs if a != alg)]).status == 401  # made for another API
        with serves(new + old):
            fresh = {alg: issue(alg) for alg in algs}
            assert json.loads(base64.urlsafe_b64decode(fresh["ES256"].split(".")[0] + "=="))["kid"] == new[2]["kid"]
            with Guard(corp=corp, locations=locations) as later:  # one that has seen neither
                for alg in algs:
                    assert later.call(f"/{alg}/x", token=fresh[alg]).status == later.call(f"/{alg}/x", token=tokens[alg]).status == 200
                later.check_floor()


@pytest.mark.parametrize("how", ["basic", "post"])
def test_in_front_of_oidc_provider(how):
    port = free_port()
    with running(["node", ROOT / "test" / "clients" / "oidc-provider.mjs", port, PROVIDER_SECRET], port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        url, me = f"http://localhost:{port}", ("basic", PROVIDER_SECRET)
        token = wait_until(lambda: post_form(f"{url}/token", {"grant_type": "client_credentials", "scope": "read write"}, me), what="a token")["access_token"]
        corp = f"issuer {url}; client_id {how}; client_auth client_secret_{how}; client_secret_file {{dir}}/provider.secret;"
        with Guard(corp=corp, start=False) as guard:
            (guard.dir / "provider.secret").write_text(PROVIDER_SECRET + "\n")
            guard.locations = """
                location /api/ { assay_guard corp; assay_require scope "read write"; assay_set_header X-Client $assay_client_id; proxy_pass {backend}; }
                location /admin/ { assay_guard corp; assay_require scope admin; proxy_pass {backend}; }
                location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }"""
            guard.start()
            assert guard.call("/api/x", token=token).status == 200, guard.log()
            assert guard.backend.last.header("X-Client") == "basic"
            assert guard.call("/admin/x", token=token).status == 403
            assert guard.call("/api/x", token="unknown").status == 401
            post_form(f"{url}/token/revocation", {"token": token}, me)
            assert guard.call("/live/x", token=token).status == 401
            guard.check_floor()


class Glewlwyd:
    """Set up over its own API, as its administrator would in a browser."""

    def __init__(self, place, port):
        self.url, self.cookies = f"http://127.0.0.1:{port}/api", urllib.request.HTTPCookieProcessor()
        self.opener = urllib.request.build_opener(self.cookies)
        script = gzip.decompress(pathlib.Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz").read_bytes())
        subprocess.run(["sqlite3", place / "db"], input=script, check=True)
        conf = pathlib.Path("/etc/glewlwyd/glewlwyd.conf").read_text()
        conf = re.sub(r"^port=.*", f'port={port}\nbind_address="127.0.0.1"', conf, flags=re.M)
        conf = re.sub(r'^log_file=.*', f'log_file="{place}/log"', conf, flags=re.M)
        conf = re.sub(r'^@include .*db.*$', "", conf, flags=re.M) + f'\ndatabase =\n{{\n  type = "sqlite3"\n  path = "{place}/db"\n}};\n'
        (place / "conf").write_text(conf)

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        self.opener.open(request, timeout=20).read()

    def fill(self):
        self.post("/auth/", {"username": "admin", "password": "password"})
        self.post("/scope/", {"name": "read", "display_name": "read", "description": "read", "password_required": False, "scheme": {}})
        on = {f"auth-type-{kind}-enabled": True for kind in ("code", "implicit", "password", "client", "refresh")}
        self.post("/mod/plugin/", {"module": "oauth2-glewlwyd", "name": "glwd", "display_name": "glwd", "parameters": {
            **on, "url": self.url + "/glwd", "jwt-type": "sha", "jwt-key-size": "256", "key": "0123456789abcdef0123456789abcdef",
            "access-token-duration": 3600, "refresh-token-duration": 3600, "code-duration": 600, "refresh-token-rolling": True, "scope": [],
            "introspection-revocation-allowed": True, "introspection-revocation-auth-scope": [], "introspection-revocation-allow-target-client": True}})
        self.post("/client?source=database", {"client_id": "robot", "name": "robot", "enabled": True, "confidential": True, "password": PROVIDER_SECRET,
                                              "authorization_type": ["client_credentials"], "redirect_uri": [], "scope": ["read"]})


@pytest.mark.skipif(not os.access("/etc/glewlwyd/glewlwyd.conf", os.R_OK), reason="Debian's glewlwyd is not installed, or its configuration is root's alone")
def test_in_front_of_glewlwyd(tmp_path):
    port = free_port()
    glewlwyd = Glewlwyd(tmp_path, port)
    with running(["glewlwyd", f"--config-file={tmp_path}/conf"], port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        glewlwyd.fill()
        me = ("robot", PROVIDER_SECRET)
        token = post_form(f"{glewlwyd.url}/glwd/token", {"grant_type": "client_credentials", "scope": "read"}, me)["access_token"]
        corp = f"introspection_endpoint {glewlwyd.url}/glwd/introspect; client_id robot; client_secret_file {{dir}}/provider.secret;"
        with Guard(corp=corp, start=False) as guard:
            (guard.dir / "provider.secret").write_text(PROVIDER_SECRET + "\n")
            guard.locations = """
                location /api/ { assay_guard corp; assay_require scope read; proxy_pass {backend}; }
                location /admin/ { assay_guard corp; assay_require scope admin; proxy_pass {backend}; }
                location /live/ { assay_guard corp max_age=0; proxy_pass {backend}; }"""
            guard.start()
            assert guard.call("/api/x", token=token).status == 200, guard.log()
            assert guard.call("/admin/x", token=token).status == 403
            assert guard.call("/api/x", token="unknown").status == 401
            with contextlib.suppress(json.JSONDecodeError):
                post_form(f"{glewlwyd.url}/glwd/revoke", {"token": token}, me)
            assert guard.call("/live/x", token=token).status == 401
            guard.check_floor()


# --- other proxies that ask the judge ---


@pytest.fixture(scope="module")
def judge():
    with Guard(locations="""
        location /check { assay_check corp; assay_require scope read; assay_set_header X-User $assay_sub; }
        location /strangers { assay_check corp from=192.0.2.0/24; }
        location /anyone { assay_check corp from=all; }
    """) as guard:
        guard.allow("AT")
        guard.allow("WEAK", scope="other")
        guard.peer.answers["DOWN"] = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
        yield guard
        guard.check_floor()


def ask(port, token=None, path="/x", headers=(), method="GET"):
    """Status, headers and body of a request to a proxy."""
    with socket.create_connection(("127.0.0.1", port), timeout=15) as s:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *(f"{k}: {v}" for k, v in headers)]
        if token:
            lines.append(f"Authorization: Bearer {token}")
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        data = b""
        while part := s.recv(65536):
            data += part
    head, _, body = data.partition(b"\r\n\r\n")
    reply = Request(b"x x " + head, body)
    reply.status = int(head.split()[1])
    return reply


def judged_rightly(port, backend, trouble=(503,), challenged=(401, 403)):
    before = len(backend.requests)
    for token, status in ((None, 401), ("dead", 401), ("WEAK", 403), ("a b", 401)):
        reply = ask(port, token)
        assert reply.status == status, (token, reply.status)
        assert status not in challenged or reply.header("WWW-Authenticate").startswith("Bearer "), (token, reply.headers)
    assert ask(port, "DOWN").status in trouble
    assert len(backend.requests) == before
    for spelling in ("X-User", "x-user"):
        assert ask(port, "AT", headers=[(spelling, "root")]).status == 200
        assert backend.last.all("X-User") == ["alice"]


def test_the_judge_answers_without_a_body_and_keeps_the_connection(judge):
    with judge.connect() as s:
        rest = b""
        for token, status in (("AT", 204), ("dead", 401), ("WEAK", 403), ("AT", 204), ("DOWN", 503), ("AT", 204)):
            s.sendall(f"POST /check/some/path?a=b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 5\r\n\r\nhello".encode())
            while b"\r\n\r\n" not in rest:
                rest += s.recv(65536)
            head, _, rest = rest.partition(b"\r\n\r\n")
            assert int(head.split()[1]) == status and rest == b"", head
            assert b"Content-Length: 0" in head or status == 204
            assert b"connection: close" not in head.lower()


# A-GW-31: who may ask, whatever a header says
def test_strangers_may_not_ask(judge):
    forged = [("X-Original-URL", "/"), ("X-Forwarded-For", "192.0.2.1"), ("X-Real-IP", "192.0.2.1"), ("X-Forwarded-Uri", "/")]
    assert judge.call("/strangers", token="AT", headers=forged).status == 403
    assert judge.call("/anyone", token="AT", headers=forged).status == 204
    assert judge.call("/check", token="WEAK", headers=forged).status == 403
    assert judge.call("/check", headers=forged).status == 401


def test_asked_by_plain_nginx(judge, tmp_path):
    """`auth_request`, which knows 401 and 403 alone, and passes a challenge on with 401 alone: trouble is its 500."""
    port = free_port()
    with Backend() as backend:
        conf = tmp_path / "nginx.conf"
        conf.write_text(f"""{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{ }}
        http {{ access_log off; client_body_temp_path {tmp_path}/a; proxy_temp_path {tmp_path}/b; fastcgi_temp_path {tmp_path}/c; uwsgi_temp_path {tmp_path}/d;
          scgi_temp_path {tmp_path}/e;
          upstream judge {{ server 127.0.0.1:{judge.port}; keepalive 8; }}
          server {{ listen 127.0.0.1:{port};
            location / {{ auth_request /judge; auth_request_set $user $upstream_http_x_user; proxy_set_header X-User $user;
                          proxy_pass http://127.0.0.1:{backend.port}; }}
            location = /judge {{ internal; proxy_pass http://judge/check; proxy_pass_request_body off; proxy_set_header Content-Length "";
                          proxy_http_version 1.1; proxy_set_header Connection ""; }} }} }}""")
        with running([shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-c", conf, "-p", tmp_path, "-e", tmp_path / "error.log"], port,
                     stderr=subprocess.DEVNULL):
            judged_rightly(port, backend, trouble=(500,), challenged=(401,))


def test_asked_by_caddy(judge, tmp_path):
    port = free_port()
    with Backend() as backend:
        text = (ROOT / "examples" / "caddy" / "Caddyfile").read_text()
        for ours, here in (("127.0.0.1:8081", f"127.0.0.1:{judge.port}"), ("127.0.0.1:9000", f"127.0.0.1:{backend.port}"), (":8080", f":{port}")):
            text = text.replace(ours, here)
        (tmp_path / "Caddyfile").write_text(text)
        with running(["caddy", "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"], port, cwd=tmp_path,
                     env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            judged_rightly(port, backend)


def test_asked_by_haproxy(judge, tmp_path):
    """By a small Lua action, since HAProxy has no forward-auth of its own."""
    port = free_port()
    with Backend() as backend:
        (tmp_path / "judge.lua").write_text((ROOT / "examples" / "haproxy" / "judge.lua").read_text())
        text = (ROOT / "examples" / "haproxy" / "haproxy.cfg").read_text()
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("127.0.0.1:9000", f"127.0.0.1:{backend.port}")
        text = text.replace("http://127.0.0.1:8081/check", f"http://127.0.0.1:{judge.port}/check").replace("/etc/haproxy/judge.lua", f"{tmp_path}/judge.lua")
        (tmp_path / "haproxy.cfg").write_text(text)
        haproxy = shutil.which("haproxy", path=os.environ["PATH"] + ":/usr/sbin")
        with running([haproxy, "-db", "-f", tmp_path / "haproxy.cfg"], port, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            judged_rightly(port, backend)


def test_asked_as_envoy_and_traefik_do(judge):
    """Envoy's HTTP ext_authz sends the request's own method and path behind a prefix, without the body; Traefik's ForwardAuth a GET with
    X-Forwarded fields. Both let pass on 2xx alone, copy named fields from it, and pass anything else on."""
    for method, path, headers in (("POST", "/check/api/things?id=1", [("Content-Length", "0"), ("x-envoy-internal", "true"), ("X-Forwarded-Proto", "https")]),
                                  ("DELETE", "/check/", [("Content-Length", "0")]),
                                  ("GET", "/check", [("X-Forwarded-Method", "POST"), ("X-Forwarded-Uri", "/api?x=1"), ("X-Forwarded-Host", "api.example.com"),
                                                     ("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https")])):
        for token, status in (("AT", 204), (None, 401), ("dead", 401), ("WEAK", 403), ("DOWN", 503)):
            reply = ask(judge.port, token, path, headers + [("X-User", "root")], method)
            assert reply.status == status
            assert reply.all("X-User") == (["alice"] if status == 204 else [])


