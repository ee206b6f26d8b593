"""A real nginx with the guard's module, a scripted authorization server and a back end."""

import os
import pathlib
import socket
import tempfile
import time

from harness import BUILD, Server, canaries, free_port, wait_until  # noqa: F401 (the last is for the tests)
from peer import AuthorizationServer, Backend

GUARD = BUILD / "modules" / "ngx_http_assay_guard_module.so"
SECRET = "guards-own-secret-0123456789abcdef"
CONTROL = "control-secret-0123456789abcdef0123456789"
API = "https://api.example.com"


def live(**claims):
    return {"active": True, "scope": "read write", "client_id": "cl1", "sub": "alice", "exp": int(time.time()) + 3600, "aud": API, **claims}


class Guard(Server):
    """`locations` stand in the one server block, `http` around it; `provider` are more lines of the provider "corp"."""

    def __init__(self, locations=None, provider="", http="", main="", workers=1, peer=None, backend=None, env=None, log_level="info",
                 connections=512, endpoint=None, server="", cache="assay_cache zone=tokens:4m;", start=True, corp=None, events=""):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="assay-e2e-"))
        self.dir.chmod(0o755)
        self.own_peer, self.own_backend = peer is None, backend is None
        self.peer = peer or AuthorizationServer()
        self.backend = backend or Backend()
        self.locations, self.provider, self.http, self.main, self.workers = locations, provider, http, main, workers
        self.server_lines, self.cache, self.corp, self.events = server, cache, corp, events
        self.endpoint = endpoint
        self.env, self.log_level, self.connections = dict(env or {}), log_level, connections
        self.port = self.clear_port = free_port()
        self.process, self.canaries, self.refusals = None, {SECRET, CONTROL}, []
        canaries.update(self.canaries)
        for name, secret in (("secret", SECRET), ("control", CONTROL)):
            (self.dir / name).write_text(secret + "\n")
        if start:
            self.start()

    def default_locations(self):
        return f"""
        location /api/ {{ assay_guard corp; assay_require scope read audience {API}; proxy_pass http://127.0.0.1:{self.backend.port}; }}
        location = /check {{ assay_check corp; }}
        location = /control {{ assay_guard_control secret_file={self.dir}/control; }}"""

    def text(self, locations):
        return (locations or "").replace("{backend}", f"http://127.0.0.1:{self.backend.port}").replace("{dir}", str(self.dir))

    def conf(self):
        temp = "\n".join(f"    {n}_temp_path {self.dir}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        corp = self.corp or f"""
        introspection_endpoint {self.endpoint or self.peer.url};
        client_id gateway;
        client_secret_file {self.dir}/secret;
        {self.text(self.provider)}"""
        return f"""
load_module {GUARD};
{"user root;" if os.geteuid() == 0 else ""}
{self.main}
worker_processes {self.workers};
daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log {self.log_level};
events {{ worker_connections {self.connections}; {self.events} }}
http {{
{temp}
    log_format guard '"$request" $status $assay_cache_status $assay_reason';
    access_log {self.dir}/access.log guard;
    {self.cache}
    assay_provider corp {{ {self.text(corp)} }}
    {self.text(self.http)}
    server {{
        listen 127.0.0.1:{self.port};
        {self.text(self.server_lines)}
        location = /alive {{ assay_guard off; return 204; }}
        {self.text(self.locations) or self.default_locations()}
    }}
}}
"""

    def answers(self):
        assert self.process.poll() is None, self.log()
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        reply = self.request("GET", "/alive")
        return reply is not None and reply.status == 204

    def connect(self, clear=False, timeout=15, source=None):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout, source_address=(source, 0) if source else None)

    def call(self, path="/api/x", token=None, headers=(), method="GET", **kwargs):
        self.note(token)
        return self.request(method, path, headers=headers, auth=f"Bearer {token}" if token is not None else None, **kwargs)

    def note(self, token):
        """From now on it may be in no log; a short one might be there by chance."""
        if token and len(token) >= 8 and token.isprintable():
            self.canaries.add(token)

    def allow(self, token, **claims):
        self.note(token)
        self.peer.answers[token] = live(**claims)
        return token

    def passed(self):
        """How many requests the back end has got."""
        return len(self.backend.requests)

    def flush(self, form, secret=CONTROL):
        return self.post("/control", form, auth=f"Bearer {secret}")

    def stop(self):
        super().stop()
        for peer, own in ((self.peer, self.own_peer), (self.backend, self.own_backend)):
            if own:
                peer.stop()

    def __exit__(self, failure, *_):
        try:
            if failure is None and self.process is not None:
                self.check_canaries()
        finally:
            self.stop()

    def check_canaries(self):
        """N2: no token and no secret in a log or a refusal."""
        text = self.log() + self.access_log()
        assert not [line[:300] for line in text.splitlines() if any(c in line for c in self.canaries)]
        refused = b"\0".join(self.refusals)
        assert not any(secret.encode() in refused for secret in self.canaries)

    def check_floor(self, allow=()):
        super().check_floor(allow)
        self.check_canaries()
