"""A configuration that would leave a location open, or cannot work, does not start, and says where and what would be right."""

import os
import re
import subprocess

import pytest

from guard import CONTROL, Guard, wait_until
from harness import ASSAY, ROOT, canaries
from peer import Peer


@pytest.fixture
def guard():
    with Guard(start=False) as guard:
        yield guard


def said(guard, **parts):
    """nginx -t of the configuration with these parts: (whether it would start, what it says)."""
    for name, text in parts.items():
        setattr(guard, name, text)
    done = guard.test_conf()
    assert not any(c in done.stderr for c in guard.canaries)
    return done.returncode == 0, done.stderr


GOOD = "introspection_endpoint http://127.0.0.1:1/i; client_id g; client_secret_file {dir}/secret;"


def provider_says(guard, lines, *words):
    started, text = said(guard, corp=lines)
    assert not started and re.search(r"nginx\.conf:\d+", text), text
    assert all(word in text for word in words), text


# A-GW-19 F-10
@pytest.mark.parametrize("lines,words", [
    ("client_id g; client_secret_file {dir}/secret;", ["introspection_endpoint", "issuer"]),
    ("introspection_endpoint http://127.0.0.1:1/i; client_secret_file {dir}/secret;", ["client_id"]),
    ("introspection_endpoint http://127.0.0.1:1/i; client_id g;", ["client_secret_file"]),
    ("introspection_endpoint http://127.0.0.1:1/i; client_id g; client_secret_file {dir}/nothing;", ["nothing", "cannot be read"]),
    ("introspection_endpoint http://127.0.0.1:1/i; client_id g; client_secret_file {dir}/empty;", ["is empty"]),
    ("introspection_endpoint http://127.0.0.1:1/i; client_id g; client_secret_file {dir}/lines;", ["one line"]),
    ("introspection_endpoint http://127.0.0.1:1/i; client_id ''; client_secret_file {dir}/secret;", ["client id"]),
    ("introspection_endpoint http://as.example.com/i; client_id g; client_secret_file {dir}/secret;", ["https", "allow_cleartext"]),
    ("introspection_endpoint ftp://as.example.com/i; client_id g; client_secret_file {dir}/secret;", ["https"]),
    ("introspection_endpoint http://localhost.example.com/i; client_id g; client_secret_file {dir}/secret;", ["https"]),
    ("issuer http://as.example.com; client_id g; client_secret_file {dir}/secret;", ["issuer", "https"]),
    ("issuer https://as.example.com?x; client_id g; client_secret_file {dir}/secret;", ["issuer"]),
    (GOOD + "max_age 5;", ["max_age", "unit"]), (GOOD + "max_age -1s;", ["max_age"]), (GOOD + "timeout 0;", ["timeout"]),
    (GOOD + "max_age 5s; staleness 1s;", ["staleness", "max_age"]), (GOOD + "connect_timeout 5s; timeout 1s;", ["connect_timeout"]),
    (GOOD + "client_auth private;", ["client_secret_basic"]), (GOOD + "client_auth bearer;", ["bearer_token_file"]),
    (GOOD + "bearer_token_file {dir}/secret;", ["two kinds"]), (GOOD + "retries x;", ["retries", "number"]), (GOOD + "retries 99;", ["number"]),
    ("introspection_endpoint http://127.0.0.1:1/" + 2100 * "i" + "; client_id g; client_secret_file {dir}/secret;", ["2047"]),
    (GOOD + "mode fast;", ["opaque, jwt or auto"]), (GOOD + "mode auto;", ["issuer"]), (GOOD + "jwks_uri http://127.0.0.1:1/k;", ["mode auto"]),
    (GOOD + "issuer http://127.0.0.1:1; mode auto; jwks_uri http://as.example.com/k;", ["https"]), (GOOD + "jwt_algorithms HS256;", ["public key"]),
    (GOOD + "jwt_algorithms none;", ["public key"]), (GOOD + "max_asking 8 9;", ["number"]), (GOOD + "unknown 1;", ["unknown", "there are", "introspection_endpoint"]),
    (GOOD + "client_id h;", ["twice"]), (GOOD + "max_age 1s 2s;", ["max_age"]), (GOOD + "ca_file {dir}/nothing;", ["nothing"]),
    (GOOD + "allow_cleartext maybe;", ["allow_cleartext"]), (GOOD + "leeway 1h;", ["leeway"]), (GOOD + "token_parameter '';", ["token_parameter"])])
def test_a_provider_that_cannot_work_does_not_start(guard, lines, words):
    (guard.dir / "empty").write_text("\n")
    (guard.dir / "lines").write_text("one\ntwo\n")
    provider_says(guard, lines, *words)


# A-GW-17 A-GW-18 A-GW-19
@pytest.mark.parametrize("lines,words", [
    ("location / { assay_guard nobody; }", ["no provider", "nobody", "assay_provider"]),
    ("location / { assay_guard corp; satisfy any; }", ["satisfy any", "satisfy_any=yes"]),
    ("satisfy any; location / { assay_guard corp; }", ["satisfy any"]),
    ("location / { assay_guard corp satisfy_any=no; }", ["satisfy_any=yes"]),
    ("location / { assay_guard corp; assay_require auth_age 5; }", ["auth_age 5", "5m"]),
    ("location / { assay_guard corp; assay_require acr 'a  b'; }", ["acr", "single spaces"]),
    ("location / { assay_guard corp satisfy_any=yes; }", ["satisfy any"]),
    ("location / { satisfy any; location /x { satisfy all; assay_guard corp satisfy_any=yes; } }", ["satisfy any"]),
    ("location / { assay_guard corp; assay_realm " + 257 * "r" + "; }", ["assay_realm", "256"]),
    ("location / { assay_guard corp; assay_require scope " + 600 * "a" + "; location /x { assay_require scope " + 600 * "b" + "; } }", ["scopes", "1024"]),
    ("location / { assay_guard corp optional satisfy_any=yes; }", ["everyone"]),
    ("location / { assay_require scope read; }", ["assay_require", "assay_guard"]),
    ("assay_require scope read; location / { }", ["assay_require", "assay_guard"]),
    ("location / { assay_guard corp; assay_require; }", ["assay_require"]),
    ("location / { assay_guard corp; assay_require scope; }", ["scope"]),
    ("location / { assay_guard corp; assay_require scope ''; }", ["empty"]),
    ("location / { assay_guard corp; assay_require scope 'a  b'; }", ["scope", "spaces"]),
    ("location / { assay_guard corp; assay_require read; }", ["scope, audience, claim, acr or auth_age"]),
    ("location / { assay_guard corp; assay_require claim role; }", ["NAME=VALUE"]),
    ("location / { assay_guard corp; assay_require claim =x; }", ["NAME=VALUE"]),
    ("location / { assay_guard corp; assay_require claim /a~2=x; }", ["pointer"]),
    ("location / { assay_guard corp; assay_require scope read error=500; }", ["401 or 403"]),
    ("location / { assay_guard corp; assay_require scope read; assay_require none; }", ["none", "before"]),
    ("location / { assay_guard corp; assay_guard corp; }", ["duplicate"]),
    ("location / { assay_guard off now; }", ["off", "now"]),
    ("location / { assay_guard corp max_age=5; }", ["unit"]), ("location / { assay_guard corp nonsense; }", ["nonsense", "there are"]),
    ("location / { assay_guard corp token_cookie=; }", ["cookie"]), ("location / { assay_guard corp allow_preflight=on; }", ["allow_preflight=yes"]),
    ("location / { assay_check corp; assay_guard corp; }", ["duplicate"]), ("location / { assay_guard corp; assay_check corp; }", ["assay_check"]),
    ("location / { assay_check corp from=nowhere; }", ["from=", "network"]), ("location / { assay_check; }", ["assay_check"]),
    ("location / { assay_set_header 'X User' a; }", ["name of a header"]), ("location / { assay_set_header Host a; }", ["nginx itself"]),
    ("location / { assay_set_header authorization a; }", ["nginx itself"]),
    ("location / { assay_forward yes; }", ["token or none"]), ("location / { assay_guard_control secret_file={dir}/short; }", ["32"]),
    ("location / { assay_guard_control secret_file={dir}/nothing; }", ["nothing"]), ("location / { assay_guard_control x; }", ["secret_file="])])
def test_a_location_that_would_be_open_or_nonsense_does_not_start(guard, lines, words):
    (guard.dir / "short").write_text("short\n")
    started, text = said(guard, locations=lines)
    assert not started and re.search(r"nginx\.conf:\d+", text), text
    assert all(word in text for word in words), text


@pytest.mark.parametrize("lines,words", [("assay_cache zone=x:1k;", ["1m"]), ("assay_cache zone=x;", ["zone=NAME:SIZE"]), ("assay_cache x:8m;", ["zone="]),
                                         ("assay_cache zone=x:8m; assay_cache zone=y:8m;", ["duplicate"]), ("assay_cache zone=:8m;", ["zone=NAME:SIZE"])])
def test_a_zone_that_is_too_small_or_nonsense_does_not_start(guard, lines, words):
    started, text = said(guard, cache=lines)
    assert not started and all(word in text for word in words), text


@pytest.mark.parametrize("lines", ["assay_claim_set roles a;", "assay_claim_set $r /a~3;", "assay_claim_set $assay_sub x;", "assay_provider corp { }", "assay_provider off { }",
                                   "assay_guard corp; assay_guard off;", "assay_provider x { issuer { } }"])
def test_nonsense_in_http_does_not_start(guard, lines):
    started, text = said(guard, http=lines)
    assert not started and "[emerg]" in text, text


def test_more_claims_than_are_kept_do_not_start(guard):
    started, text = said(guard, http="".join(f"assay_claim_set $c{i} claim{i};" for i in range(70)))
    assert not started and "64 claims" in text


def test_what_is_right_starts_without_a_word(guard):
    started, text = said(guard, locations="""
        assay_guard corp; assay_require scope read; assay_realm x;
        location /a { assay_require audience 'https://a https://b' claim role=admin claim /x/y=z error=403; proxy_pass {backend}; }
        location /b { assay_require none; assay_require scope write; proxy_pass {backend}; }
        location /c { assay_guard off; proxy_pass {backend}; }
        location /d { limit_except GET { assay_require scope write; } proxy_pass {backend}; }
        location /e { satisfy any; assay_guard corp satisfy_any=yes max_age=0; proxy_pass {backend}; }
        location /f { assay_guard corp optional token_cookie=a token_query=b max_age=1s allow_preflight=yes; assay_forward token; proxy_pass {backend}; }
        location /g { assay_check corp from=10.0.0.0/8 from=::1 max_age=0; }""")
    assert started and "[warn]" not in text and "[emerg]" not in text, text


def test_without_the_directives_the_module_does_nothing(guard):
    conf = guard.conf()
    start, end = conf.index("    log_format"), conf.index("    server {")
    text = conf[:start] + "    access_log off;\n" + conf[end:]
    text = re.sub(r"assay_\w+ [^;]*;", "", text)
    (guard.dir / "nginx.conf").write_text(text)
    done = subprocess.run(**guard.nginx("-t"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# F-10 F-11: a reload binds every request from then on; a bad one changes nothing
def test_a_reload_binds_and_a_bad_one_changes_nothing():
    with Guard(locations="location /api/ { assay_guard corp; proxy_pass {backend}; }", provider="max_age 1h;") as guard:
        guard.allow("AT")
        assert guard.call(token="AT").status == 200
        for bad in ("location / { assay_guard nobody; }", "location / { assay_guard corp; satisfy any; }"):
            good, guard.locations = guard.locations, bad
            (guard.dir / "nginx.conf").write_text(guard.conf())
            before = guard.worker_pids()
            assert subprocess.run(**guard.nginx("-s", "reload"), capture_output=True).returncode != 0
            assert guard.worker_pids() == before and guard.call(token="AT").status == 200
            guard.locations = good
        for stricter, status in (("assay_require audience https://other;", 401), ("assay_require scope admin;", 403), ("", 200)):
            guard.locations = f"location /api/ {{ assay_guard corp; {stricter} proxy_pass {{backend}}; }}"
            (guard.dir / "nginx.conf").write_text(guard.conf())
            guard.reload()
            assert guard.call(token="AT").status == status
        asked = guard.peer.count("AT")
        (guard.dir / "secret").write_text("another-secret-0123456789abcdefgh\n")
        canaries.add("another-secret-0123456789abcdefgh")
        guard.reload()
        assert guard.call(token="AT").status == 200 and guard.peer.count("AT") == asked + 1  # asked anew, by who it is now
        guard.cache = "assay_cache zone=tokens:6m;"
        (guard.dir / "nginx.conf").write_text(guard.conf())
        guard.reload()
        assert guard.call(token="AT").status == 200 and guard.peer.count("AT") == asked + 2
        guard.check_floor(allow=("[emerg]",))


# REL-16: what is known survives, old workers leave at once
def test_a_reload_keeps_what_is_known_and_logs_nothing_loud():
    with Guard(provider="max_age 1h;", workers=2) as guard:
        guard.allow("AT")
        assert guard.call(token="AT").status == 200
        for _ in range(3):
            guard.reload()
            assert guard.call(token="AT").status == 200
        assert guard.peer.count("AT") == 1
        loud = [line for line in guard.log().splitlines() if re.search(r"\[(warn|error|crit|alert|emerg)\]", line)]
        assert loud == []


# the administrator's flush
def test_a_flush_ends_what_it_names():
    with Guard(provider="max_age 1h; inactive_age 1h;", workers=2) as guard:
        for token, sub, client in (("A", "alice", "c1"), ("B", "bob", "c1"), ("C", "carol", "c2")):
            guard.allow(token, sub=sub, client_id=client)

        def asked_again(token):
            before = guard.peer.count(token)
            assert guard.call(token=token).status == 200
            return guard.peer.count(token) > before

        assert [asked_again(t) for t in "ABC"] == [True] * 3 and [asked_again(t) for t in "ABC"] == [False] * 3
        for form, ended, count in (({"token": "A"}, "A", 1), ({"subject": "bob"}, "B", 1), ({"client": "c1"}, "AB", 2), ({"everything": "1"}, "ABC", None)):
            reply = guard.flush(form)
            assert reply.status == 200 and (count is None or reply.json == {"flushed": count}), (form, reply.body)
            assert {t for t in "ABC" if asked_again(t)} == set(ended), form
            assert not any(asked_again(t) for t in "ABC")
        assert guard.flush({"subject": "nobody"}).json == {"flushed": 0}
        for form in ({}, {"token": "A", "subject": "b"}, {"everything": "yes"}, {"token": ""}, {"other": "x"}):
            assert guard.flush(form).status == 400
        for auth in (None, "Bearer x", "Basic x", f"Bearer {CONTROL}x"):
            reply = guard.request("POST", "/control", "everything=1", auth=auth)
            assert reply.status == 401
        assert not any(asked_again(t) for t in "ABC")
        counts = guard.request("GET", "/control", auth=f"Bearer {CONTROL}").json
        assert counts["flushed"] >= 4 and counts["room"] > 1000
        assert guard.request("PUT", "/control", auth=f"Bearer {CONTROL}").status == 405
        guard.check_floor()


# DESIGN 5: what was asked about before a flush is not used after it
def test_a_flush_reaches_what_is_in_flight():
    with Guard(provider="max_age 1h;") as guard:
        guard.peer.delay = 0.4
        guard.allow("T")
        s = guard.connect()
        s.sendall(b"GET /api/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer T\r\nConnection: close\r\n\r\n")
        wait_until(lambda: guard.peer.count("T") == 1, what="it is asked")
        guard.peer.answers["T"] = {"active": False}
        assert guard.flush({"everything": "1"}).status == 200
        s.settimeout(20)
        assert int(s.recv(4096).split()[1]) == 401
        assert guard.peer.count("T") == 2


def test_every_word_of_a_provider_is_documented():
    source = (ROOT / "src" / "host" / "nginx" / "ngx_assay_provider_conf.c").read_text()
    words = re.findall(r'^    \{"(\w+)", ', source, re.M)
    module = (ROOT / "src" / "host" / "nginx" / "ngx_http_assay_guard_module.c").read_text()
    directives = re.findall(r'ngx_string\("(assay_\w+)"\)', module)
    variables = re.findall(r'ngx_string\("(assay_\w+)"\)', (ROOT / "src" / "host" / "nginx" / "ngx_assay_variables.c").read_text())
    text = (ROOT / "docs" / "guard.md").read_text()
    assert len(words) > 15 and len(directives) > 8 and len(variables) > 6
    for word in words + directives:
        assert re.search(rf"(`| ){word}\b", text), word
    for variable in variables:
        assert f"`${variable}" in text or variable == "assay_claim_" and "`$assay_claim_NAME`" in text, variable




def command(guard, *args, stdin=None):
    done = subprocess.run([ASSAY, "guard", *args, "--url", f"http://127.0.0.1:{guard.port}/control", "--secret-file", guard.dir / "control"],
                          input=stdin, capture_output=True, text=True, timeout=60)
    assert not any(c in done.stdout + done.stderr for c in guard.canaries)
    return done


def test_the_command_flushes():
    with Guard(provider="max_age 1h;") as guard:
        (guard.dir / "control").chmod(0o600)
        for token, sub in (("A", "alice"), ("B", "bob")):
            guard.allow(token, sub=sub)
        for args, stdin, count in (((("flush", "-")), "A\n", 1), (("flush", "--subject", "bob"), None, 1), (("flush", "--client", "cl1"), None, 2),
                                   (("flush", "--everything"), None, 0)):
            assert guard.call(token="A").status == guard.call(token="B").status == 200
            done = command(guard, *args, "--json", stdin=stdin)
            assert done.returncode == 0 and done.stdout == f'{{"flushed":{count}}}\n', (args, done.stdout, done.stderr)
        shown = command(guard, "stat")
        assert shown.returncode == 0 and re.search(r"^stored +\d+$", shown.stdout, re.M), shown.stdout
        for args in (("flush",), ("flush", "--subject", "a", "--everything"), ("flush", "token-as-an-argument")):
            done = command(guard, *args, stdin="")
            assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("assay: "), (args, done.stderr)
        (guard.dir / "control").chmod(0o644)
        assert command(guard, "stat").returncode == 2  # open to others
        (guard.dir / "control").chmod(0o600)
        (guard.dir / "control").write_text("another secret, which the guard does not know\n")
        done = command(guard, "stat")
        assert done.returncode == 1 and "does not know that secret" in done.stderr
        guard.check_floor()


# no proxy and no credentials from the environment
def test_the_command_takes_nothing_from_the_environment(tmp_path):
    with Guard() as guard, Peer() as proxy:
        (guard.dir / "control").chmod(0o600)
        (tmp_path / ".netrc").write_text("default login a password b\n")
        names = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        env = {**os.environ, "HOME": str(tmp_path), "NETRC": str(tmp_path / ".netrc"), **{name: f"http://127.0.0.1:{proxy.port}" for name in names}}
        done = subprocess.run([ASSAY, "guard", "stat", "--url", f"http://127.0.0.1:{guard.port}/control", "--secret-file", guard.dir / "control"],
                              env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        done = subprocess.run([ASSAY, "guard", "stat", "--url", "https://nobody.invalid/control", "--secret-file", guard.dir / "control"],
                              env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert proxy.connections == 0
