"""What is written down of requests: one line each, whatever they hold, and never a token or a secret."""

import re
import subprocess

import hostile
import pytest
from harness import ASSAY, Server, World, wait_until
from hostile import head, post

ACCESS = re.compile(r'(\S+) \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d\d:\d\d\] "([^"\\]|\\.)*" \d{3}')
ERROR = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(emerg|alert|crit|error|warn|notice|info)\] \d+#\d+: .+")
NASTY = ['"', "\\", "\\n", "%n%s%x", "{}", "'", "\t", "\x7f", "\xff\xfe", "\xe2\x80\xae", "\x1b[2J", "a" * 7000]


def raw_lines(file):
    return file.read_bytes().split(b"\n")[:-1]


@pytest.fixture(scope="module")
def quiet():
    """At the log level we ship."""
    with Server(log_level="warn") as server:
        yield World(server)
        server.check_floor()
        server.check_canaries()


def requests(world):
    """A request with each nasty text in each place that a log may show; the path's as they may stand in a URL, raw and escaped."""
    for text in NASTY:
        escaped = "".join(f"%{b:02x}" for b in text.encode("latin-1"))[:6000]
        yield from (post("token=x", path=f"/{escaped}"), post("token=x", path=f"/oauth2/{escaped}?{escaped}"), head(f"/oauth2/introspect?{escaped}").encode() + b"\r\n")
        yield post(f"token=x&client_id={escaped}&{escaped}={escaped}")
        yield post("token=x", auth="Basic " + hostile.base64.b64encode(f"{escaped[:200]}:x".encode()).decode())
        if not set(text) & {"\t", "\x1b", "\x7f"}:
            yield post("token=x", path=f"/{text.replace(' ', '')}")
            yield post("token=x", f"User-Agent: {text}", f"X-Forwarded-For: {text}", f"Referer: {text}", f"Cookie: {text}", auth=text)
            yield head(method=text[:20]).encode("latin-1") + b"\r\n"
    yield post("token=x", "X-A: " + "\r\n ".join("a" * 100 for _ in range(3)))
    yield from (post("token=x", path=f"/%0d%0a{line}") for line in ("127.0.0.1 - - [x]", "2026/01/01 00:00:00 [alert] 1#1: forged"))


def test_each_request_leaves_one_line_that_parses(quiet):
    """A-LOG-01: CR, LF, ESC, quotes, bytes beyond ASCII and 7 KiB in path, query, headers, ids and method."""
    server = quiet.server
    access, errors = server.dir / "access.log", server.dir / "error.log"
    datas = list(requests(quiet))
    before = len(raw_lines(access))
    replies = [server.raw(data) for data in datas]
    answered = sum(1 for r in replies if r)
    assert answered == len(datas)
    wait_until(lambda: len(raw_lines(access)) >= before + answered)
    assert len(raw_lines(access)) == before + answered
    for line in raw_lines(access):
        text = line.decode("ascii")  # JSON escapes, so nothing beyond it
        assert ACCESS.fullmatch(text) and text.isprintable(), text[:200]
    for line in raw_lines(errors):
        assert ERROR.fullmatch(line.decode("latin-1")) and len(line) <= 2048, line[:200]
        assert not any(b < 0x20 or b == 0x7f for b in line), line[:200]
    assert not any(b"forged" in line and b"%0d" not in line for line in raw_lines(errors) if not line.count(b"request:"))


def test_no_level_of_ours_says_a_token_or_a_secret():
    """A-LOG-02 REL-18: issued, asked about, refreshed, revoked, refused, at the most talkative level that is not nginx's own debugging."""
    with Server(log_level="info") as server:
        world = World(server)
        grant = world.grant()
        next_one = world.refresh(grant["refresh_token"]).json
        for token in (grant["access_token"], next_one["refresh_token"], next_one["access_token"]):
            for auth in (world.rs1, world.cl1, world.cl2, ("nobody", world.rs1[1]), None, f"Bearer {token}"):
                server.introspect(token, auth)
                server.revoke(token, auth if auth != world.cl1 else world.cl2)
                server.post(f"/oauth2/introspect?token={token}", {"token": token}, auth=auth)
                world.refresh(token, auth) if auth != world.cl1 else None
        server.cli("token", "revoke", "-", stdin=next_one["refresh_token"])
        ops = server.add_client("ops", "--admin")["client_secret"]
        for body in ('{"client_id":"x"}', f'{{"token":"{next_one["access_token"]}"}}', f'{{"{ops}":1}}', f'{{"client_secret":"{ops}"}}', "{"):
            server.refusals.append(server.post("/admin/token/introspect", body, auth=("ops", ops), type="application/json").body if ops not in body else b"")
            server.post("/admin/client/add", body, auth=("ops", ops), type="application/json")
        server.reload()
        server.check_floor()
        server.check_canaries()


def test_the_configuration_we_ship_logs_neither_requests_nor_debugging(tmp_path):
    """A-LOG-02 A-LOG-03: nginx quotes what it reads at level info, and all of it at debug. The paths alone are logged, without a query."""
    conf = subprocess.run([ASSAY, "serve", "--print-config", "--store", str(tmp_path / "store")], capture_output=True, text=True, timeout=60).stdout
    level = re.search(r"error_log \S+ (\w+);", conf).group(1)
    assert level in ("warn", "error", "crit")
    format = re.search(r"log_format assay (.*?);", conf, re.S).group(1)
    assert not set(re.findall(r"\$(\w+)", format)) - {"remote_addr", "time_iso8601", "request_method", "uri", "status", "body_bytes_sent", "request_time"}


def test_a_log_that_would_hold_tokens_is_warned_of():
    """A-LOG-02: at info and debug nginx itself writes what it reads; who configures that is told."""
    for level, warned in (("warn", False), ("error", False), ("info", True), ("debug", True)):
        with Server(start=False, log_level=level) as server:
            done = server.test_conf()
            assert done.returncode == 0
            assert ("tokens and secrets" in done.stderr + server.log()) is warned, (level, done.stderr)


def test_dumps_of_the_configuration_hold_no_secret(quiet):
    """A-LOG-03: `nginx -T`, /readyz, /healthz, the metadata and the metrics."""
    server = quiet.server
    said = subprocess.run(**server.nginx("-T"), capture_output=True, text=True).stdout
    said += "".join(server.get(path).body.decode() for path in ("/readyz", "/healthz", "/metrics", "/.well-known/oauth-authorization-server"))
    assert "assay_store" in said and not any(secret in said for secret in server.canaries)
