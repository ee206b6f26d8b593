"""Scripted peers on loopback: an authorization server that answers as it is told, well or badly, and a back end that keeps what
came, byte for byte."""

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse


class Request:
    def __init__(self, head, body):
        self.raw = head + body
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = (lines[0].split(" ") + ["", ""])[:3]
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if line]
        self.body = body

    def all(self, name):
        return [v for k, v in self.headers if k.lower() == name.lower()]

    def header(self, name):
        return (self.all(name) or [None])[0]

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))


def read_request(connection, buffered=b""):
    """(Request, rest), or None at the end of the connection."""
    data = buffered
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return None
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    request = Request(head, b"")
    if "chunked" in (request.header("Transfer-Encoding") or ""):
        while not rest.endswith(b"0\r\n\r\n"):
            rest += connection.recv(65536)
        return Request(head, rest), b""
    length = int(request.header("Content-Length") or 0)
    while len(rest) < length:
        part = connection.recv(65536)
        if not part:
            return None
        rest += part
    return Request(head, rest[:length]), rest[length:]


def response(body, status=200, type="application/json", *lines):
    body = json.dumps(body).encode() if not isinstance(body, bytes) else body
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *([f"Content-Type: {type}"] if type else []), *lines]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Peer:
    """Listens on a free port of 127.0.0.1 and serves each connection in a thread. `with` it."""

    def __init__(self, tls=None, port=0):
        self.tls = tls
        self.requests, self.connections, self.errors = [], 0, []
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.open = set()
        self.socket = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while not self.stopped.is_set():
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        self.open.add(connection)
        try:
            connection.settimeout(30)
            if self.tls:
                self.open.discard(connection)
                connection = self.tls.wrap_socket(connection, server_side=True)
                self.open.add(connection)
            rest = b""
            while (got := read_request(connection, rest)) is not None:
                request, rest = got
                with self.lock:
                    self.requests.append(request)
                if not self.answer(connection, request):
                    return
        except (OSError, ssl.SSLError) as error:
            self.errors.append(error)
        finally:
            self.open.discard(connection)
            with contextlib.suppress(OSError):
                connection.close()

    def stop(self):
        self.stopped.set()
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class AuthorizationServer(Peer):
    """Answers introspection: `answers[token]` is a dict, or bytes that are the whole response, or a function of (connection,
    request) that does what it likes and says whether the connection goes on. An unknown token is inactive."""

    def __init__(self, answers=None, tls=None, port=0, delay=0):
        self.answers, self.delay, self.misbehave, self.metadata = dict(answers or {}), delay, None, None
        self.documents = {}  # by path, what a GET gets: JSON, bytes that are the whole response, or a function as in `answers`
        super().__init__(tls, port)
        self.url = f"{'https' if tls else 'http'}://localhost:{self.port}/introspect"

    def answer(self, connection, request):
        if request.method == "GET" and request.target in self.documents:
            said = self.documents[request.target]
            if callable(said):
                return said(connection, request)
            connection.sendall(said if isinstance(said, bytes) else response(said))
            return True
        if request.method == "GET" and self.metadata is not None:
            connection.sendall(response(self.metadata) if request.target in self.metadata_at else response({}, 404))
            return True
        said = self.answers.get(request.form.get("token"), {"active": False})  # as it is when the question comes
        if self.delay:
            time.sleep(self.delay)
        if self.misbehave:
            return self.misbehave(connection, request)
        if callable(said):
            return said(connection, request)
        connection.sendall(said if isinstance(said, bytes) else response(said))
        return True

    metadata_at = ("/.well-known/oauth-authorization-server",)

    def fetched(self, path):
        """How often a document was."""
        with self.lock:
            return sum(1 for r in self.requests if r.method == "GET" and r.target == path)

    def count(self, token=None):
        with self.lock:
            return sum(1 for r in self.requests if r.method == "POST" and (token is None or r.form.get("token") == token))


class Backend(Peer):
    """Answers 200 with what it got; upgrades a WebSocket and echoes; `before` runs before each answer."""

    def __init__(self, before=None):
        self.before = before
        super().__init__()

    def answer(self, connection, request):
        if self.before and self.before(connection, request) is False:
            return False
        if (request.header("Upgrade") or "").lower() == "websocket":
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            while data := connection.recv(65536):
                connection.sendall(data)
            return False
        connection.sendall(response(b"from the back end", 200, "text/plain"))
        return "close" not in (request.header("Connection") or "")

    @property
    def last(self):
        return self.requests[-1]


def drip(connection, data, every=0.05):
    """A byte at a time, until the other side has had enough."""
    with contextlib.suppress(OSError):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(every)


def certificate(directory, name, *, subject="/CN=localhost", san="DNS:localhost,IP:127.0.0.1", days=2, ca=None, extra=()):
    """(key, certificate) files, self-signed or by `ca`, which is such a pair."""
    key, cert, request = (directory / f"{name}.{end}" for end in ("key", "pem", "csr"))
    ext = ["-addext", f"subjectAltName={san}"] if san else []
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", subject, *ext, *extra]
    if not ca:
        subprocess.run(["openssl", "req", "-x509", *new, "-days", str(days), "-out", cert], check=True, capture_output=True)
        return key, cert
    # `openssl x509` dates back what `openssl req` will not
    subprocess.run(["openssl", "req", "-new", *new, "-out", request], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", ca[1], "-CAkey", ca[0], "-CAcreateserial", "-copy_extensions", "copy",
                    "-days", str(days), "-out", cert], check=True, capture_output=True)
    return key, cert


def server_context(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair[1], pair[0])
    return context
