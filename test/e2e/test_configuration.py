"""The nginx directives: what is wrong names file, line, what was found and what would be right; what is right does as it says."""
import contextlib
import json
import os
import re
import subprocess

import proc
import pytest

from harness import ASSAY, NGINX, Server, World, basic, free_port, wait_until

ISSUER = "issuer=https://auth.example.com"


@pytest.fixture(scope="module")
def server():
    with Server(start=False) as made:
        yield made


def check(server, http="", location="", store="assay_store @store;", user="root"):
    """nginx -t of a small configuration: (exit code, what it printed). Line 20 is that of `location`, 10 that of `store`."""
    def fill(text):
        return text.replace("@store", str(server.store)).replace("@dir", str(server.dir))

    text = "\n".join([
        f"load_module {server.conf().split('load_module ')[1].split(';')[0]};",          # 1
        f"user {user};" if os.geteuid() == 0 else "",                                     # 2
        "",                                                                               # 3
        f"pid {server.dir}/t.pid; error_log stderr; daemon off;",                         # 4
        "events { }",                                                                     # 5
        "http {",                                                                         # 6
        f"access_log off; client_body_temp_path {server.dir}/b; proxy_temp_path {server.dir}/p;",  # 7
        f"fastcgi_temp_path {server.dir}/f; uwsgi_temp_path {server.dir}/u; scgi_temp_path {server.dir}/s;",  # 8
        "",                                                                               # 9
        fill(store),                                 # 10
        fill(http),                                  # 11
        "server {",                                                                       # 12
        f"listen 127.0.0.1:{server.port};",                                               # 13
        "", "", "", "", "", "",                                                           # 19
        fill(location),                              # 20
        "}", "}"])
    file = server.dir / "t.conf"
    file.write_text(text)
    done = subprocess.run([NGINX, "-t", "-p", str(server.dir), "-c", str(file), "-e", "stderr"], capture_output=True, text=True,
                          env=server.nginx()["env"])
    return done.returncode, done.stdout + done.stderr


def serves(options):
    return "location / { assay_server " + options + "; }"


SERVER = [  # options of assay_server, what was found, what would be right
    ("", "assay_server", "invalid number of arguments"),
    ("token_prefix=a", "assay_server", "needs issuer=, as in issuer=https://auth.example.com"),
    ("issuer", "issuer", "there are issuer= token_prefix="),
    ("issuer=", "issuer=", "an https URL is wanted"),
    ("isuer=https://a.example", "isuer=https://a.example", "there are issuer="),
    ("issuer=auth.example.com", "auth.example.com", "an https URL is wanted"),
    ("issuer=ftp://auth.example.com", "ftp://auth.example.com", "an https URL is wanted"),
    ("issuer=http://auth.example.com", "http://auth.example.com", "http is for this machine alone"),
    ("issuer=http://localhost.example.com", "http://localhost.example.com", "http is for this machine alone"),
    ("issuer=https://", "https://", "HOST or HOST:PORT is wanted"),
    ("issuer=https://a.example:0", "https://a.example:0", "HOST or HOST:PORT is wanted"),
    ("issuer=https://a.example:70000", "https://a.example:70000", "HOST or HOST:PORT is wanted"),
    ("issuer=https://user@a.example", "https://user@a.example", "HOST or HOST:PORT is wanted"),
    ("issuer=https://a.example?x=1", "https://a.example?x=1", "no query and no fragment"),
    ("issuer=https://a.example#x", "https://a.example#x", "no query and no fragment"),
    ("issuer=https://a.example/a//b", "https://a.example/a//b", "plain segments are wanted"),
    ("issuer=https://a.example/../b", "https://a.example/../b", "plain segments are wanted"),
    ("issuer=https://a.example/%61", "https://a.example/%61", "plain segments are wanted"),
    (f"issuer=https://a.example/{'x' * 600}", "xxx", "too long"),
    (f"{ISSUER} {ISSUER}", ISSUER, "stands twice"),
    (f"{ISSUER} token_prefix=Assay", "token_prefix=Assay", "1 to 16 characters of a-z and 0-9"),
    (f"{ISSUER} token_prefix=", "token_prefix=", "1 to 16 characters of a-z and 0-9"),
    (f"{ISSUER} access_lifetime=3600", "access_lifetime=3600", "a time with its unit is wanted"),
    (f"{ISSUER} access_lifetime=0s", "access_lifetime=0s", "a time with its unit is wanted"),
    (f"{ISSUER} access_lifetime=-1h", "access_lifetime=-1h", "a time with its unit is wanted"),
    (f"{ISSUER} refresh_lifetime=3651d", "refresh_lifetime=3651d", "1s to 3650d"),
    (f"{ISSUER} refresh_lifetime=99999999999999999999d", "refresh_lifetime=", "1s to 3650d"),
    (f"{ISSUER} refresh_window=301s", "refresh_window=301s", "0s to 300s"),
    (f"{ISSUER} refresh_window=1x", "refresh_window=1x", "0s to 300s"),
    (f"{ISSUER} revoke_access_ends_grant=yes", "revoke_access_ends_grant=yes", "it is on or off"),
    (f"{ISSUER} allow_cleartext=on", "allow_cleartext=on", "allow_cleartext=yes"),
    (f"{ISSUER} allow_cleartext", "allow_cleartext", "there are issuer="),
    (f"{ISSUER} open_metrics=on", "open_metrics=on", "open_metrics=yes"),
    (f"{ISSUER} nonsense", "nonsense", "there are issuer="),
    (f"{ISSUER}; assay_server {ISSUER}", "assay_server", "is duplicate"),
    (f"{ISSUER}; proxy_pass http://127.0.0.1:1", "assay_server", "another directive answers the requests of this location"),
]


@pytest.mark.parametrize("options,found,right", SERVER)
def test_a_wrong_assay_server_names_its_line_what_was_found_and_what_is_right(server, options, found, right):
    """A-TOK-22 (lifetimes), F-10, A-GW-19: nginx does not start, and says where, what, and the cure."""
    code, said = check(server, location=serves(options))
    assert code != 0
    assert found in said and right in said, said
    assert f"{server.dir}/t.conf:20" in said, said


STORE = [
    ("assay_store;", "assay_store", "invalid number of arguments"),
    ("assay_store @dir/nothing;", "@dir/nothing", "assay store create"),
    ("assay_store @dir/cert.pem;", "@dir/cert.pem", "not a directory"),
    ("assay_store @dir;", "@dir", "assay store create"),
    ("assay_store @store; assay_store @store;", "assay_store", "is duplicate"),
    ("assay_store @store max_size=1;", "max_size=1", "at least 1m"),
    ("assay_store @store max_size=lots;", "max_size=lots", "at least 1m"),
    ("assay_store @store max_size=-1g;", "max_size=-1g", "at least 1m"),
    ("assay_store @store map_size=12;", "map_size=12", "at least 1m"),
    ("assay_store @store max_size=2g map_size=1g;", "2048m", "raise map_size"),
    ("assay_store @store sweep=never;", "sweep=never", "on or off"),
    ("assay_store @store max_siz=1g;", "max_siz=1g", "there are max_size= map_size= sweep="),
    ("assay_store @store sweep=on sweep=off;", "sweep=off", "stands twice"),
]


@pytest.mark.parametrize("store,found,right", STORE)
def test_a_wrong_assay_store_names_its_line_what_was_found_and_what_is_right(server, store, found, right):
    """F-10, F-27."""
    code, said = check(server, store=store, location=serves(ISSUER))
    assert code != 0
    assert found.replace("@dir", str(server.dir)) in said and right in said, said
    assert f"{server.dir}/t.conf:10" in said, said


def test_the_directives_stand_where_they_belong(server):
    """A server without a store, one in the wrong place, one store with two meanings."""
    code, said = check(server, store="", location=serves(ISSUER))
    assert code != 0 and "a store is wanted" in said and "assay store create" in said and "t.conf:20" in said
    code, said = check(server, http=f"assay_server {ISSUER};")
    assert code != 0 and '"assay_server" directive is not allowed here' in said and "t.conf:11" in said
    code, said = check(server, location="location / { assay_store @store max_size=1g; assay_server " + ISSUER + "; }")
    assert code != 0 and "has other options than where it stands first" in said and "t.conf:20" in said


def test_a_store_that_workers_could_not_open_is_refused_before_they_start(server):
    """F-10: the user whom root's workers run as must own the store."""
    if os.geteuid() != 0:
        pytest.skip("only root changes whom its workers run as")
    assert check(server, location=serves(ISSUER))[0] == 0
    code, said = check(server, location=serves(ISSUER), user="www-data")
    assert code != 0
    assert "it belongs to user id 0" in said and "chown -R" in said and "t.conf:10" in said


def test_what_is_right_passes(server):
    """The whole of it, in every place where it may stand; a relative path is below the prefix."""
    whole = (ISSUER + " token_prefix=acme access_lifetime=10m refresh_lifetime=30d refresh_window=0s revoke_access_ends_grant=on"
             " allow_cleartext=yes")
    code, said = check(server, store="assay_store store max_size=1g map_size=8g sweep=off;", location=serves(whole))
    assert code == 0, said
    code, said = check(server, store="", location="assay_store @store; location / { assay_server " + ISSUER + "; }")
    assert code == 0, said
    code, said = check(server, store="", location="location / { assay_store @store; assay_server " + ISSUER + "; }")
    assert code == 0, said


# -- what it does

@contextlib.contextmanager
def with_conf(prepare):
    """A server whose configuration `prepare` completes before it starts."""
    with Server(start=False) as server:
        prepare(server)
        server.start()
        yield server
        server.check_floor()


def test_two_issuers_with_paths_share_a_server_and_a_store():
    """R8414-3-1: the metadata path is inserted between host and path; every endpoint, /admin too, is below the issuer's path."""
    def prepare(server):
        server.inside = "\n".join(f"""
            location /{t}/ {{ assay_server issuer={server.issuer}/{t} token_prefix={t}; }}
            location /.well-known/oauth-authorization-server/{t} {{ assay_server issuer={server.issuer}/{t} token_prefix={t}; }}
            """ for t in ("one", "two"))

    with with_conf(prepare) as server:
        world = World(server)
        for tenant in ("one", "two"):
            metadata = server.get(f"/.well-known/oauth-authorization-server/{tenant}").json
            assert metadata["issuer"] == f"{server.issuer}/{tenant}"
            assert metadata["introspection_endpoint"] == f"{server.issuer}/{tenant}/oauth2/introspect"
            form = {"grant_type": "client_credentials"}
            token = server.post(f"/{tenant}/oauth2/token", form, auth=world.cl1).json["access_token"]
            server.remember(token)
            assert token.startswith(f"{tenant}_at_")
            answer = server.post(f"/{tenant}/oauth2/introspect", {"token": token}, auth=world.rs1).json
            assert answer["active"] and answer["iss"] == f"{server.issuer}/{tenant}"
            other = {"one": "two", "two": "one"}[tenant]
            assert server.post(f"/{other}/oauth2/introspect", {"token": token}, auth=world.rs1).body == b'{"active":false}'
        assert server.get("/.well-known/oauth-authorization-server").json["issuer"] == server.issuer
        assert server.get("/.well-known/oauth-authorization-server/three").status == 404
        # The command finds /admin below the issuer's path.
        ops = server.add_client("ops", "--admin")
        secret = server.dir / "ops.secret"
        secret.write_text(ops["client_secret"])
        secret.chmod(0o600)
        done = subprocess.run([ASSAY, "--server", f"{server.issuer}/one", "--client", "ops", "--secret-file", secret, "--cacert",
                               server.dir / "cert.pem", "client", "list", "--json"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        assert "cl1" in [c["client_id"] for c in json.loads(done.stdout)["clients"]]


def test_a_location_may_have_a_store_of_its_own():
    """Each worker opens each path once, the master none; clients, tokens and counters of one store are nothing to the other."""
    def prepare(server):
        server.cli("store", "create", server.dir / "other", store=None)
        server.other_port = free_port()
        server.http = f"""
            server {{
                listen 127.0.0.1:{server.other_port} ssl;
                ssl_certificate {server.dir}/cert.pem;
                ssl_certificate_key {server.dir}/key.pem;
                assay_store {server.dir}/other;
                location / {{ assay_server issuer=https://localhost:{server.other_port}; }}
                location /again/ {{ assay_store {server.dir}/other; assay_server issuer=https://localhost:{server.other_port}/again; }}
                location /first/ {{ assay_store {server.store}; assay_server issuer=https://localhost:{server.other_port}/first; }}
            }}"""

    with with_conf(prepare) as server:
        world = World(server)
        token = world.at()["access_token"]
        assert world.active(token)
        here, server.port = server.port, server.other_port
        try:
            assert server.introspect(token, world.rs1).status == 401  # no such client there
            assert server.post("/again/oauth2/introspect", {"token": token}, auth=world.rs1).status == 401
            assert server.post("/first/oauth2/introspect", {"token": token}, auth=world.rs1).json["active"]
            there = server.metrics()
        finally:
            server.port = here
        assert there["assay_store_clients"] == 0 and server.metrics()["assay_store_clients"] == 5
        failed = 'assay_requests_total{endpoint="introspect",caller="none",outcome="unauthenticated"}'
        assert there[failed] == 2 and failed not in server.metrics()
        maps = [proc.maps(pid) for pid in server.worker_pids()]
        for text in maps:
            for store in (server.store, server.dir / "other"):
                assert len(re.findall(rf"{store}/data\n", text)) == 1, text
        assert "/data\n" not in proc.maps(server.process.pid)


def test_metrics_are_open_where_the_operator_says_so():
    """A-HTTP-37: and nginx's own allow and deny go on counting."""
    def prepare(server):
        server.far = free_port()
        server.http = f"""
            server {{
                listen 127.0.0.1:{server.far} ssl proxy_protocol;
                set_real_ip_from 127.0.0.1; real_ip_header proxy_protocol;
                ssl_certificate {server.dir}/cert.pem; ssl_certificate_key {server.dir}/key.pem;
                location = /metrics {{ allow 192.0.2.0/24; deny all; assay_server issuer={server.issuer} open_metrics=yes; }}
            }}"""

    with with_conf(prepare) as server:
        server.far_port = server.far
        assert server.get("/metrics", source="192.0.2.7").status == 200
        assert server.get("/metrics", source="198.51.100.7").status == 403


def test_an_if_inside_the_location_is_the_same_location():
    """nginx makes a location of its own of every `if`; requests in it are not answered from files."""
    def prepare(server):
        server.inside = f"""location /x/ {{
            assay_server issuer={server.issuer}/x;
            if ($http_x_probe) {{ add_header X-Probe yes; }}
        }}"""

    with with_conf(prepare) as server:
        world = World(server)
        token = world.at()["access_token"]
        for headers in ((), (("X-Probe", "1"),)):
            reply = server.post("/x/oauth2/introspect", {"token": token}, auth=world.rs1, headers=headers)
            assert reply.status == 200 and reply.json["active"]


@pytest.mark.parametrize("http", ["client_body_in_file_only on;", "client_body_buffer_size 16; client_max_body_size 10m;",
                                  "client_body_in_single_buffer off; client_body_buffer_size 1k;"])
def test_no_setting_of_nginx_puts_a_body_on_the_disk(http):
    """A-LOG-02, A-SEC-02: a body holds tokens and secrets; what is set around the location does not change that."""
    with Server(start=False) as server:
        server.http = http
        server.start()
        world = World(server)
        token = world.at()["access_token"]
        body = f"token={token}&pad={'x' * 9000}"
        assert server.post("/oauth2/introspect", body, auth=world.rs1).json["active"]
        chunks = "".join(f"{len(body[i:i + 700]):x}\r\n{body[i:i + 700]}\r\n" for i in range(0, len(body), 700))
        request = ("POST /oauth2/introspect HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
                   "Content-Type: application/x-www-form-urlencoded\r\n"
                   f"Authorization: {basic(*world.rs1)}\r\n\r\n{chunks}0\r\n\r\n")
        assert server.raw(request.encode())[0].json["active"]
        assert not list((server.dir / "client_body").glob("*"))
        assert server.post("/oauth2/introspect", "a" * 20000, auth=world.rs1).status == 413
        server.check_floor()
        server.check_canaries()


def test_a_reload_brings_changed_options_into_force_and_keeps_what_was_counted():
    """REL-16, F-11 (the server's part): the next request after the old workers left is answered under the new options."""
    with Server() as server:
        world = World(server)
        grant = world.grant()
        for _ in range(3):
            assert server.introspect(grant["access_token"], ("rs1", "wrong")).status == 401
        before = server.metrics()
        server.options = "access_lifetime=77s token_prefix=fresh"
        server.store_options = "max_size=32m"
        (server.dir / "nginx.conf").write_text(server.conf())
        server.reload()
        token = server.token({"grant_type": "client_credentials"}, world.cl1).json
        assert token["expires_in"] == 77 and token["access_token"].startswith("fresh_at_")
        assert not server.introspect(grant["access_token"], world.rs1).json["active"]  # another prefix is another server's
        after = server.metrics()
        assert after["assay_store_max_bytes"] == 32 << 20
        failed = 'assay_requests_total{endpoint="introspect",caller="none",outcome="unauthenticated"}'
        assert before[failed] == after[failed] == 3
        server.check_floor()


def test_a_broken_configuration_leaves_the_old_one_in_force():
    """F-10: reload says file and line; who is served goes on being served."""
    with Server() as server:
        world = World(server)
        token = world.at()["access_token"]
        pids = set(server.worker_pids())
        for break_it in (lambda t: t.replace("issuer=https://", "issuer=http://far.example/"),
                         lambda t: t.replace(f"assay_store {server.store}", f"assay_store {server.dir}/gone"),
                         lambda t: t.replace("cert.pem", "missing.pem")):
            (server.dir / "nginx.conf").write_text(break_it(server.conf()))
            seen = server.log().count("[emerg]")
            server.signal(1)
            wait_until(lambda: server.log().count("[emerg]") > seen, what="the reload is refused")
            assert set(server.worker_pids()) == pids
            assert world.active(token)
        said = [line for line in server.log().splitlines() if "[emerg]" in line]
        assert all(re.search(r"nginx\.conf:\d+|missing\.pem", line) for line in said), said


def test_removing_the_store_from_the_configuration_closes_it():
    """A reload that takes the module's directives away leaves workers without a store, and one that brings them back opens it."""
    with Server() as server:
        world = World(server)
        token = world.at()["access_token"]
        whole = server.conf()
        bare = re.sub(r"assay_store [^;]*;", "", re.sub(r"assay_server [^;]*;", "return 204;", whole))
        (server.dir / "nginx.conf").write_text(bare)
        server.reload()
        assert server.get("/healthz").status == 204
        assert all("/data\n" not in proc.maps(pid) for pid in server.worker_pids())
        (server.dir / "nginx.conf").write_text(whole)
        server.reload()
        assert world.active(token)
        server.check_floor()


def test_the_module_goes_and_comes_while_writers_run():
    """F-13, REL-16: workers leave with writes in hand; each write was answered and is there, or was refused."""
    import threading
    with Server() as server:
        world = World(server)
        done, stop = [], threading.Event()

        def write():
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    reply = server.token({"grant_type": "client_credentials"}, world.cl1)
                    if reply is not None and reply.status == 200:
                        done.append(reply.json["access_token"])
        writers = [threading.Thread(target=write) for _ in range(4)]
        for w in writers:
            w.start()
        try:
            for _ in range(4):
                server.reload()
        finally:
            stop.set()
            for w in writers:
                w.join()
        assert len(done) > 4
        assert all(world.active(token) for token in done)
        server.check_floor()
        server.check_canaries()
