"""The command against a server: what it sends, and what it takes for an answer. The server here is a
scripted one, so that it can misbehave."""

import base64
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import threading

import pytest

BUILD = pathlib.Path(
    os.environ.get("ASSAY_BUILD_DIR", pathlib.Path(__file__).resolve().parents[2] / "build")
)
ASSAY = str(BUILD / "assay")
SECRET = "CANARY" + "s" * 40


class Scripted(http.server.ThreadingHTTPServer):
    """Answers every POST with `answer` (status, headers, body) and keeps what came."""

    def __init__(self, cert, key):
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen = []
        self.answer = (200, {"Content-Type": "application/json"}, b"{}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # a client that refuses our certificate


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, dict(self.headers), body))
        status, headers, answer = self.server.answer
        if callable(answer):
            answer = answer(json.loads(body))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        try:
            self.wfile.write(answer)
        except OSError:
            pass

    do_GET = do_POST

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )
    scripted = Scripted(cert, key)
    scripted.cert = cert
    scripted.secret = tmp_path / "secret"
    scripted.secret.write_text(SECRET + "\n")
    scripted.secret.chmod(0o600)
    yield scripted
    scripted.shutdown()
    scripted.server_close()


def run(server, *args, url=None, cacert=True, stdin=None, **kwargs):
    command = [ASSAY, "--server", url or server.url, "--client", "ops", "--secret-file",
               str(server.secret)]
    if cacert:
        command += ["--cacert", str(server.cert)]
    done = subprocess.run(
        command + list(args), input=stdin, capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"]}, **kwargs,
    )
    assert "CANARY" not in done.stdout + done.stderr
    return done


def test_request_is_a_json_post_with_basic_credentials(server):
    server.answer = (200, {}, b'{"active":true,"sub":"alice"}')
    done = run(server, "token", "introspect", "-", stdin="assay_at_x\n")
    assert done.returncode == 0 and "alice" in done.stdout
    (path, headers, body), = server.seen
    assert path == "/admin/token/introspect"
    assert headers["Content-Type"] == "application/json"
    assert base64.b64decode(headers["Authorization"].split()[1]).decode() == "ops:" + SECRET
    assert json.loads(body) == {"token": "assay_at_x"}
    assert "Expect" not in headers


def test_client_of_the_command_and_client_of_the_server_stand_on_one_line(server):
    server.answer = (200, {}, b'{"access_token":"t"}')
    run(server, "token", "issue", "--client", "robot", "--audience", "urn:a urn:b", "--audience",
        "urn:c", "--ttl", "1h", "--refresh")
    assert json.loads(server.seen[0][2]) == {
        "client_id": "robot", "audience": ["urn:a", "urn:b", "urn:c"], "lifetime": 3600,
        "refresh": True,
    }


def test_trailing_slash_of_the_url_makes_no_other_path(server):
    run(server, "client", "show", "x", url=server.url + "//")
    assert server.seen[0][0] == "/admin/client/show"


def test_certificate_that_is_not_trusted_gets_no_credentials(server):
    done = run(server, "client", "list", cacert=False)
    assert done.returncode == 1 and server.seen == []


def test_certificate_of_another_name_gets_no_credentials(server):
    done = run(server, "client", "list", url=server.url.replace("localhost", "127.0.0.1"))
    assert done.returncode == 1 and server.seen == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(server, status):
    server.answer = (status, {"Location": server.url + "/elsewhere"}, b"")
    done = run(server, "client", "list")
    assert done.returncode == 1 and len(server.seen) == 1 and done.stdout == ""


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"{", b'{"clients":[]}x', b'{"a":1,"a":2}', b"\xff", b'"x"'],
)
def test_answer_that_is_no_json_object_is_no_answer(server, answer):
    server.answer = (200, {"Content-Type": "application/json"}, answer)
    done = run(server, "client", "show", "x")
    assert done.returncode == 1 and done.stdout == "" and done.stderr


def test_answer_too_long_is_refused(server):
    server.answer = (200, {}, b'{"a":"' + b"x" * 200000 + b'"}')
    done = run(server, "client", "show", "x")
    assert done.returncode == 1 and "too long" in done.stderr


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_refusal_is_shown_escaped_and_ends_in_1(server, status):
    """A-CLI-02: what a server says cannot move the cursor either."""
    server.answer = (status, {}, json.dumps(
        {"error": "x", "error_description": "no\x1b[2J\nway\u202e"}).encode())
    done = run(server, "client", "show", "x")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "assay: no\\x1B[2J\\nway\\u202E\n"


def test_pages_become_one_listing(server):
    def answer(body):
        start = int(body.get("after", "0"))
        page = {"clients": [{"client_id": str(start + 1)}]}
        if start < 4:
            page["next"] = str(start + 1)
        return json.dumps(page).encode()

    server.answer = (200, {}, answer)
    done = run(server, "client", "list", "--json")
    assert [c["client_id"] for c in json.loads(done.stdout)["clients"]] == list("12345")
    assert len(server.seen) == 5
    assert run(server, "client", "list").stdout.count("client_id") == 1


def test_pages_without_end_are_cut_off(server):
    server.answer = (200, {}, b'{"clients":[],"next":"same"}')
    done = run(server, "client", "list")
    assert done.returncode == 1 and len(server.seen) <= 3


def test_secret_file_open_to_others_is_refused_before_anything_is_sent(server):
    """A-CLI-05"""
    server.secret.chmod(0o640)
    done = run(server, "client", "list")
    assert done.returncode == 1 and "chmod 600" in done.stderr and server.seen == []


def test_secret_stands_in_no_process_list(server):
    """A-CLI-04"""
    def answer(_):
        found = []
        for pid in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if b"assay" in (pid / "cmdline").read_bytes():
                    found.append((pid / "cmdline").read_bytes() + (pid / "environ").read_bytes())
            except OSError:
                pass
        server.process_list = found
        return b"{}"

    server.answer = (200, {}, answer)
    run(server, "client", "show", "x")
    assert server.process_list and not any(b"CANARY" in entry for entry in server.process_list)


def test_server_that_is_not_there_is_an_error(server):
    server.shutdown()
    server.server_close()
    done = run(server, "client", "list")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
