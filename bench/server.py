"""The numbers of DESIGN section 8 that concern the server."""
import base64
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import urllib.request

from measure import BUILD, LOAD_CORE, Load, NGINX, NODE, ROOT, SERVER_CORE, children, compare, free_port, report, wait_port


class Nginx:
    """One worker on one core, serving the endpoints and a constant location of the same bytes."""

    def __init__(self, store, constant, workdir, env=None):
        self.dir = pathlib.Path(workdir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port, self.tls_port = free_port(), free_port()
        if not (self.dir / "cert.pem").exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem", "-days", "2",
                            "-subj", "/CN=localhost"], check=True, capture_output=True)
        escaped = constant.replace("\\", "\\\\").replace("'", "\\'")
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self.dir / "nginx.conf").write_text(f"""
load_module {BUILD}/modules/ngx_http_assay_server_module.so;
{user}worker_processes 1;
worker_cpu_affinity 01;
daemon off;
pid {self.dir}/nginx.pid;
error_log {self.dir}/error.log warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
    assay_store {store};
    server {{
        listen 127.0.0.1:{self.port};
        listen 127.0.0.1:{self.tls_port} ssl;
        ssl_certificate {self.dir}/cert.pem;
        ssl_certificate_key {self.dir}/key.pem;
        ssl_protocols TLSv1.3;
        location = /static {{ default_type application/json; add_header Cache-Control no-store; add_header Pragma no-cache; return 200 '{escaped}'; }}
        location / {{ assay_server issuer=https://localhost:{self.tls_port}; }}
    }}
}}
""")
        self.process = subprocess.Popen([NGINX, "-p", self.dir, "-c", self.dir / "nginx.conf", "-e", self.dir / "error.log"],
                                        env={**os.environ, **(env or {})})
        wait_port(self.port, self.process)
        self.worker = children(self.process.pid)[0]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def assay(*args, stdin=None):
    return json.loads(subprocess.run([BUILD / "assay", *map(str, args), "--json"], check=True, capture_output=True,
                                     text=True, input=stdin).stdout)


def fill(workdir, tokens, sample):
    """A store with that many live tokens, the texts of some, and who may ask about them."""
    place = pathlib.Path(workdir) / f"store-{tokens}"
    answer = place / "fill.json"
    if not answer.exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        out = subprocess.run([BUILD / "bench" / "store_fill", place / "store", str(tokens), place / "tokens.txt", str(sample)],
                             check=True, capture_output=True, text=True)
        answer.write_text(out.stdout)
    filled = json.loads(answer.read_text())
    return place, filled


def one_answer(store, place, filled, workdir):
    """The bytes that introspection of one of these tokens answers: what the constant location returns."""
    token = (place / "tokens.txt").open().readline().strip()
    with Nginx(store, "x", pathlib.Path(workdir) / "probe") as server:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}/oauth2/introspect", data=f"token={token}".encode(),
                                         headers={"Authorization": "Basic " + base64.b64encode(filled["caller"].encode()).decode()})
        body = urllib.request.urlopen(request).read().decode()
    assert '"active":true' in body, body
    return body


def bench_introspect(o):
    place, filled = fill(o.workdir, o.tokens, o.sample)
    store = place / "store"
    body = one_answer(store, place, filled, o.workdir)
    with Nginx(store, body, pathlib.Path(o.workdir) / "introspect") as server:
        warm = Load(server.port, "/oauth2/introspect", filled["caller"], place / "tokens.txt", expect='"active":true')
        warm.run(server.worker, 10, 5)
        for tls, name, reach in ((False, "introspect_vs_static", 0.80), (True, "introspect_tls_vs_static", 0.85)):
            port = server.tls_port if tls else server.port
            static = Load(port, "/static", filled["caller"], place / "tokens.txt", expect='"active":true', tls=tls)
            ours = Load(port, "/oauth2/introspect", filled["caller"], place / "tokens.txt", expect='"active":true', tls=tls)
            compare(name, static, server.worker, ours, server.worker, reach, o.rounds, o.seconds,
                    f"{o.tokens} live tokens chosen at random, Basic auth, 32 connections")


def bench_growth(o):
    small_place, small = fill(o.workdir, 100_000, 100_000)
    big_place, big = fill(o.workdir, o.growth_tokens, o.sample)
    with Nginx(small_place / "store", "x", pathlib.Path(o.workdir) / "growth-small") as a, \
            Nginx(big_place / "store", "x", pathlib.Path(o.workdir) / "growth-big") as b:
        compare("introspect_growth",
                Load(a.port, "/oauth2/introspect", small["caller"], small_place / "tokens.txt", expect='"active":true'), a.worker,
                Load(b.port, "/oauth2/introspect", big["caller"], big_place / "tokens.txt", expect='"active":true'), b.worker,
                0.75, o.rounds, o.seconds, f"{o.growth_tokens} tokens over 100000")


def bench_oidc_provider(o):
    where = ROOT / "bench" / "oidc-provider"
    if NODE is None or not (where / "node_modules").is_dir():
        print("introspect_vs_oidc_provider skipped: run `npm ci` in bench/oidc-provider first")
        return
    place, filled = fill(o.workdir, o.tokens, o.sample)
    port = free_port()
    node = subprocess.Popen(["taskset", "-c", SERVER_CORE, NODE, where / "server.mjs", str(port)],
                            stdout=subprocess.PIPE, text=True, env={**os.environ, "NODE_ENV": "production"})
    try:
        ready = json.loads(node.stdout.readline())
        with Nginx(place / "store", "x", pathlib.Path(o.workdir) / "oidc") as server:
            compare("introspect_vs_oidc_provider",
                    Load(port, ready["path"], ready["user"], body="token=" + ready["token"], expect='"active":true'), node.pid,
                    Load(server.port, "/oauth2/introspect", filled["caller"], place / "tokens.txt", expect='"active":true'),
                    server.worker, 15, max(3, o.rounds // 2), o.seconds, f"oidc-provider {ready['version']} on node {ready['node']}, in memory")
    finally:
        node.terminate()
        node.wait(10)


def slow_disk(flush_us):
    """What makes each flush of a process take that much longer."""
    return {"LD_PRELOAD": str(BUILD / "bench" / "slow_disk.so"), "SLOW_DISK_US": str(flush_us)} if flush_us else {}


def synced_commits(directory, seconds, flush_us):
    out = subprocess.run([BUILD / "bench" / "synced_commits", directory, str(seconds)], check=True, capture_output=True, text=True,
                         env={**os.environ, **slow_disk(flush_us)})
    return json.loads(out.stdout)["per_second"]


def bench_durable(o):
    workdir = pathlib.Path(o.workdir) / "durable"
    shutil.rmtree(workdir, ignore_errors=True)
    workdir.mkdir(parents=True)
    store = workdir / "store"
    subprocess.run([BUILD / "assay", "store", "create", store], check=True, capture_output=True)
    robot = assay("client", "add", "robot", "--grant", "client_credentials", "--scope", "read write",
                  "--audience", "https://api.example.com", "--store", store)
    user = f"{robot['client_id']}:{robot['client_secret']}"
    issue, revoke = [], []
    with Nginx(store, "x", workdir / "nginx", slow_disk(o.flush_us)) as server:
        load = Load(server.port, "/oauth2/token", user, body="grant_type=client_credentials", expect="access_token", connections=64)
        load.run(server.worker, 1, 1)
        for i in range(o.rounds):
            base = synced_commits(workdir, 2, o.flush_us)
            result = load.run(server.worker, o.seconds, i)
            issue.append((result["rps"] / base, result["rps"], base))
        for i in range(o.rounds):
            tokens = workdir / f"revoke-{i}.txt"
            subprocess.run([BUILD / "bench" / "store_fill", "--more", store, "20000", tokens, "20000", robot["client_id"]],
                           check=True, capture_output=True)
            base = synced_commits(workdir, 2, o.flush_us)
            out = subprocess.run(["taskset", "-c", LOAD_CORE, BUILD / "bench" / "load", "--port", str(server.port), "--path",
                                  "/oauth2/revoke", "--user", user, "--tokens", tokens, "--once", "--connections", "64",
                                  "--seconds", "30"], check=True, capture_output=True, text=True)
            rps = json.loads(out.stdout)["rps"]
            revoke.append((rps / base, rps, base))
    for name, rows, reach in (("issue_durable", issue, 20), ("revoke_durable", revoke, None)):
        report(name + (f"_flush_{o.flush_us}us" if o.flush_us else ""), statistics.median(r[0] for r in rows), reach,
               {"per_second": round(statistics.median(r[1] for r in rows), 1),
                "synced_commits_per_second": round(statistics.median(r[2] for r in rows), 1), "rounds": len(rows),
                "note": "64 clients over HTTP, each answer after its commit is on disk"})


def bench_bytes(o):
    workdir = pathlib.Path(o.workdir) / "churn"
    shutil.rmtree(workdir, ignore_errors=True)
    workdir.mkdir(parents=True)
    out = subprocess.run([BUILD / "bench" / "store_churn", workdir / "store", str(o.churn_tokens)], check=True,
                         capture_output=True, text=True)
    raw = json.loads(out.stdout)
    report("bytes_per_token", raw["bytes_used"] / raw["live_tokens"], 256, raw)
