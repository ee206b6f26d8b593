"""A real nginx with our module on loopback, a store made by our command, and bytes on a socket."""

import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import urllib.parse

import proc

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ASSAY_BUILD_DIR", ROOT / "build"))
ASSAY = str(BUILD / "assay")
MODULE = BUILD / "modules" / "ngx_http_assay_server_module.so"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
API1, API2 = "https://api1.example.com/", "https://api2.example.com/"
SANITIZED = "ASSAY_LD_PRELOAD" in os.environ  # memory and time tell nothing then
FORM = "application/x-www-form-urlencoded"
INACTIVE = b'{"active":false}'

canaries = set()  # every secret and token handed out: none may show up in a log


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(condition, seconds=10, what="condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds} s")


def basic(user, password, encode=True):
    quote = (lambda s: urllib.parse.quote_plus(s)) if encode else (lambda s: s)
    return "Basic " + base64.b64encode(f"{quote(user)}:{quote(password)}".encode()).decode()


def check_reply(path, reply):
    """N5: no cache keeps an answer; an error says its word and at most one constant sentence."""
    if not path.startswith(("/oauth2/", "/admin/")) or reply.header("Content-Type") != "application/json":
        return
    assert reply.header("Cache-Control") == "no-store", (path, reply.headers)
    if reply.status >= 400 and reply.body:
        assert "error" in reply.json and set(reply.json) <= {"error", "error_description"}, (path, reply.body)


def spellings(secret):
    """The bytes that would betray a token or secret: its text, and what a token's text encodes."""
    text = secret[9:] if secret.startswith(("assay_at_", "assay_rt_")) else secret
    yield text.encode()
    if text != secret:
        yield base64.urlsafe_b64decode(text)[16:38]


class Reply:
    def __init__(self, status, headers, body, raw=b""):
        self.status, self.headers, self.body, self.raw = status, headers, body, raw

    def header(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def parse_reply(data, head_only=False):
    """One response off the front of `data`: (Reply, rest), or None while it is incomplete."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
    length = next((int(v) for k, v in headers if k.lower() == "content-length"), None)
    if length is None or head_only:
        return Reply(int(lines[0].split()[1]), headers, rest, data), b""
    if len(rest) < length:
        return None
    return Reply(int(lines[0].split()[1]), headers, rest[:length], head + b"\r\n\r\n" + rest[:length]), rest[length:]


class Server:
    """Owns a directory, a store, and an nginx. `with` it, or stop() it."""

    def __init__(self, workers=2, options="", store_options="", http="", main="", inside="", start=True, env=None, log_level="info",
                 connections=512):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="assay-e2e-"))
        self.dir.chmod(0o755)
        self.store = self.dir / "store"
        self.workers, self.options, self.store_options, self.http, self.main = workers, options, store_options, http, main
        self.inside = inside  # more of the first server block
        self.env = dict(env or {})
        self.log_level, self.connections = log_level, connections
        # The far ones take the PROXY protocol: behind them a request may come from anywhere.
        self.port, self.clear_port, self.far_port, self.far_clear_port = (free_port() for _ in range(4))
        self.issuer = f"https://localhost:{self.port}"
        self.process = None
        self.canaries = set()  # the secrets and tokens of this server
        self.refusals = []  # what was answered to requests that failed: none of the above may show up there
        self.cli("store", "create", self.store, store=None)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        self.dir / "key.pem", "-out", self.dir / "cert.pem", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        self.tls = ssl.create_default_context(cafile=self.dir / "cert.pem")
        if start:
            self.start()

    # -- the command

    def cli(self, *args, stdin=None, store="own", check=True):
        where = ["--store", str(self.store)] if store == "own" else []
        done = subprocess.run([ASSAY, *map(str, args), *where], input=stdin, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    def cli_json(self, *args, **kwargs):
        return json.loads(self.cli(*args, "--json", **kwargs).stdout)

    def add_client(self, *args, **kwargs):
        client = self.cli_json("client", "add", *args, **kwargs)
        if "client_secret" in client:
            self.remember(client["client_secret"])
        return client

    def issue(self, *args):
        token = self.cli_json("token", "issue", *args)
        self.remember(*(token[k] for k in ("access_token", "refresh_token") if k in token))
        return token

    def remember(self, *secrets):
        self.canaries.update(secrets)
        canaries.update(secrets)

    # -- nginx

    def conf(self):
        temp = "\n".join(f"    {n}_temp_path {self.dir}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""
load_module {MODULE};
{"user root;" if os.geteuid() == 0 else ""}
{self.main}
worker_processes {self.workers};
worker_shutdown_timeout 10s;
daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log {self.log_level};
events {{ worker_connections {self.connections}; }}
http {{
{temp}
    log_format assay '$remote_addr [$time_iso8601] "$request_method $uri" $status';
    access_log {self.dir}/access.log assay;
    server_tokens off;
    client_header_timeout 3s;
    client_body_timeout 3s;
    {self.http}
    assay_store {self.store} {self.store_options};
    server {{
        listen 127.0.0.1:{self.port} ssl http2;
        listen 127.0.0.1:{self.clear_port};
        ssl_certificate {self.dir}/cert.pem;
        ssl_certificate_key {self.dir}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ assay_server issuer={self.issuer} {self.options}; }}
        {self.inside}
    }}
    server {{
        listen 127.0.0.1:{self.far_port} ssl http2 proxy_protocol;
        listen 127.0.0.1:{self.far_clear_port} proxy_protocol;
        set_real_ip_from 127.0.0.1;
        real_ip_header proxy_protocol;
        ssl_certificate {self.dir}/cert.pem;
        ssl_certificate_key {self.dir}/key.pem;
        location / {{ assay_server issuer={self.issuer} {self.options}; }}
    }}
}}
"""

    def nginx(self, *args):
        env = {**os.environ, **self.env}
        if os.environ.get("ASSAY_LD_PRELOAD"):
            env["LD_PRELOAD"] = " ".join(filter(None, [os.environ["ASSAY_LD_PRELOAD"], env.get("LD_PRELOAD")]))
        # A session of its own: the kernel hangs up a process group that is orphaned with a stopped member, and tests stop workers.
        return dict(args=[NGINX, "-p", str(self.dir), "-c", str(self.dir / "nginx.conf"), "-e", str(self.dir / "error.log"), *args],
                    env=env, start_new_session=True)

    def test_conf(self, text=None):
        (self.dir / "nginx.conf").write_text(text or self.conf())
        return subprocess.run(**self.nginx("-t"), capture_output=True, text=True)

    def start(self):
        (self.dir / "nginx.conf").write_text(self.conf())
        with open(self.dir / "stderr", "ab") as stderr:  # where an assert or a sanitizer says what was wrong
            self.process = subprocess.Popen(**self.nginx(), stdout=subprocess.DEVNULL, stderr=stderr)
        wait_until(self.answers, what="nginx listens", seconds=30)

    def answers(self):
        assert self.process.poll() is None, self.log()
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        with contextlib.suppress(OSError, AttributeError, TypeError):
            return self.get("/healthz").status == 200
        return False

    def worker_pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(p) for p in children.read_text().split()]

    def metric(self, name):
        """A number of /metrics. A series of a family that is there but has not been counted yet is 0."""
        text = self.get("/metrics").body.decode()
        for line in text.splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
        family = name.partition("{")[0].removesuffix("_count")
        assert f"# TYPE {family} " in text, f"there is no metric {family}"
        return 0.0

    def requests(self, endpoint):
        """How often the handler of an endpoint ran to its reply, whatever that was."""
        return self.metric(f'assay_request_duration_seconds_count{{endpoint="{endpoint}"}}')

    def lookups(self):
        """How often the store was searched for a token."""
        return self.metric("assay_token_lookups_total")

    def seq(self):
        return self.cli_json("store", "stat")["seq"]

    def busy_readers(self):
        """Reader slots inside a snapshot: (snapshot, pid, thread) in 64 bytes each, behind the two halves of the lock file's head."""
        table = (self.store / "data-lock").read_bytes()[128:]
        slots = [struct.unpack_from("=QiQ", table, at) for at in range(0, len(table) - 63, 64)]
        return [slot for slot in slots if slot[1] != 0 and slot[0] != 2**64 - 1]

    def level(self):
        """N6: open descriptors and private memory (KiB) of the workers, and reader slots in use."""
        descriptors = memory = 0
        for pid in self.worker_pids():
            descriptors += len(proc.open_files(pid))
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            memory += int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1])
        return {"descriptors": descriptors, "memory": memory, "readers": len(self.busy_readers())}

    def signal(self, number):
        os.kill(self.process.pid, number)

    def reload(self):
        before = set(self.worker_pids())
        self.signal(signal.SIGHUP)
        wait_until(lambda: not before & set(self.worker_pids()), seconds=30, what="old workers leave")

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def kill_all(self):
        pids = self.worker_pids()
        self.process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(pathlib.Path(f"/proc/{p}").exists() and "Z" not in pathlib.Path(f"/proc/{p}/stat").read_text().split()[2]
                                   for p in pids), what="workers are gone")

    def log(self):
        file = self.dir / "error.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def access_log(self):
        return (self.dir / "access.log").read_text(errors="replace")

    def check_floor(self, allow=()):
        """N1: the workers live, nothing alarming was logged."""
        assert self.process.poll() is None, self.log()[-2000:]
        bad = [line for line in self.log().splitlines()
               if any(w in line for w in ("[alert]", "[emerg]", "[crit]", "Sanitizer", "runtime error"))
               and not any(a in line for a in allow)]
        assert not bad, (bad[:5], (self.dir / "stderr").read_text(errors="replace")[-2000:])

    def check_canaries(self):
        """N2: no token and no secret in any log, in any refusal, in the metrics, in the store, or in a body that went to disk."""
        text = self.log() + self.access_log() + self.get("/metrics").body.decode()
        assert not [line[:300] for line in text.splitlines() if any(c in line for c in canaries)]
        assert "buffered to a temporary file" not in text
        refused = b"\0".join(self.refusals)
        stored = b"\0".join(f.read_bytes() for f in sorted(self.store.iterdir()) if f.name != "ballast")
        for secret in self.canaries:
            assert secret.encode() not in refused
            assert not any(spelling in stored for spelling in spellings(secret))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # -- requests

    def connect(self, clear=False, timeout=15, source=None):
        """`source`: the address to come from; outside 127.0.0.0/8 it is claimed by the PROXY protocol."""
        far = source is not None and not source.startswith("127.")
        port = {(0, 0): self.port, (0, 1): self.clear_port, (1, 0): self.far_port, (1, 1): self.far_clear_port}[far, bool(clear)]
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0) if source and not far else None)
        if far:
            family = "TCP6" if ":" in source else "TCP4"
            raw.sendall(f"PROXY {family} {source} {source} 40000 443\r\n".encode())
        return raw if clear else self.tls.wrap_socket(raw, server_hostname="localhost")

    def raw(self, data, clear=False, count=1, timeout=15, source=None):
        """Sends bytes, returns up to `count` replies; fewer when the connection ends."""
        replies, got = [], b""
        with self.connect(clear, timeout, source) as s:
            s.sendall(data)
            while len(replies) < count:
                parsed = parse_reply(got, data.startswith(b"HEAD "))
                if parsed:
                    replies.append(parsed[0])
                    got = parsed[1]
                    continue
                try:
                    part = s.recv(65536)
                except (ConnectionResetError, ssl.SSLError):
                    part = b""
                if not part:
                    break
                got += part
        self.refusals += [r.raw for r in replies if r.status >= 400]
        path = data.split(b" ", 2)[1].decode("latin-1") if data.count(b" ") > 1 else ""
        for reply in replies:
            check_reply(path, reply)
        return replies

    def request(self, method, path, body=b"", headers=(), clear=False, auth=None, type=FORM, source=None):
        body = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
        if auth:
            lines.append("Authorization: " + (basic(*auth) if isinstance(auth, tuple) else auth))
        if type and method not in ("GET", "HEAD"):
            lines.append(f"Content-Type: {type}")
        if body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{k}: {v}" for k, v in headers]
        data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        replies = self.raw(data, clear, source=source)
        return replies[0] if replies else None

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def metrics(self):
        """Name and labels of every series, and its value."""
        lines = self.get("/metrics").body.decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def post(self, path, body="", **kwargs):
        if isinstance(body, (dict, list)):
            body = urllib.parse.urlencode(body)
        return self.request("POST", path, body, **kwargs)

    def introspect(self, token, auth, **kwargs):
        return self.post("/oauth2/introspect", {"token": token}, auth=auth, **kwargs)

    def revoke(self, token, auth, **kwargs):
        return self.post("/oauth2/revoke", {"token": token}, auth=auth, **kwargs)

    def token(self, form, auth=None, **kwargs):
        reply = self.post("/oauth2/token", form, auth=auth, **kwargs)
        if reply is not None and reply.status == 200:
            self.remember(*(reply.json[k] for k in ("access_token", "refresh_token") if k in reply.json))
        return reply


class Peer:
    """One connection that is kept."""

    def __init__(self, server, clear=False):
        self.server, self.socket, self.rest = server, server.connect(clear), b""

    def send(self, path, form, auth):
        body = urllib.parse.urlencode(form)
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic(*auth)}\r\nContent-Type: {FORM}\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def post(self, path, form, auth):
        self.send(path, form, auth)
        return self.reply()

    def reply(self):
        while not (parsed := parse_reply(self.rest)):
            part = self.socket.recv(65536)
            assert part, "the server closed the connection"
            self.rest += part
        reply, self.rest = parsed
        return reply

    def introspect(self, token, auth):
        return self.post("/oauth2/introspect", {"token": token}, auth)

    def active(self, token, auth):
        reply = self.introspect(token, auth)
        assert reply.status == 200, (reply.status, reply.body)
        return reply.json["active"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class World:
    """The population of standards/README: rs1, rs2, cl1, cl2, pub1."""

    def __init__(self, server):
        self.server = server
        both = "client_credentials refresh_token"
        add = server.add_client
        rs1 = add("rs1", "--resource-server", "--audience", API1)
        rs2 = add("rs2", "--resource-server", "--audience", API2)
        cl1 = add("cl1", "--grant", both, "--scope", "read write", "--audience", API1, "--audience", API2, "--default-audience", API1)
        cl2 = add("cl2", "--grant", both, "--scope", "read write", "--audience", API1)
        add("pub1", "--public", "--grant", "refresh_token", "--scope", "read write", "--audience", API1)
        self.rs1, self.rs2, self.cl1, self.cl2 = ((c["client_id"], c["client_secret"]) for c in (rs1, rs2, cl1, cl2))

    def at(self, *args, client="cl1"):
        return self.server.issue("--client", client, "--subject", "alice", "--username", "alice@example.com", "--scope", "read write",
                                 "--audience", API1, *args)

    def grant(self, client="cl1"):
        return self.at("--refresh", client=client)

    def active(self, token, auth=None):
        reply = self.server.introspect(token, auth or self.rs1)
        assert reply.status == 200, (reply.status, reply.body)
        return reply.json["active"]

    def refresh(self, token, auth=None, **more):
        return self.server.token({"grant_type": "refresh_token", "refresh_token": token, **more}, auth or self.cl1)
