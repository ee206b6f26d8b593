"""The numbers of DESIGN section 8 that concern the guard."""
import base64
import json
import os
import pathlib
import statistics
import subprocess
import time
import urllib.request

from measure import BUILD, Load, NGINX, children, compare, free_port, report, wait_port

ACTIVE = '{"active":true,"scope":"read write","client_id":"robot","sub":"alice","aud":"https://api.example.com","token_type":"Bearer"}'


class Guarded:
    """A gateway of one worker, and its back end and an authorization server that answers the same to everything; all on one core, so
    that it is busy and the load is not what is waited for. What is counted is the gateway's own CPU time."""

    def __init__(self, workdir, zone="16m", provider="max_age 1h;"):
        self.dir = pathlib.Path(workdir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port, self.back, self.server = free_port(), free_port(), free_port()
        self.issuer = f"http://127.0.0.1:{self.server}"
        self.make_key()
        (self.dir / "secret").write_text("bench0secret0bench0secret0bench0secret0bench0\n")
        temp = "".join(f"{n}_temp_path {self.dir}/{n}; " for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        common = f"{user}worker_processes 1; daemon off; error_log {self.dir}/error.log warn; events {{ worker_connections 4096; }}\n"
        http = f"access_log off; keepalive_requests 100000000; {temp}"
        proxied = "proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection '';"
        (self.dir / "gateway.conf").write_text(f"""
load_module {BUILD}/modules/ngx_http_assay_guard_module.so;
{common} pid {self.dir}/gateway.pid; worker_cpu_affinity 01;
http {{ {http}
    upstream back {{ server 127.0.0.1:{self.back}; keepalive 64; }}
    upstream judge {{ server 127.0.0.1:{self.server}; keepalive 64; }}
    assay_cache zone=tokens:{zone};
    assay_provider corp {{ introspection_endpoint http://127.0.0.1:{self.server}/introspect; client_id gateway; client_secret_file {self.dir}/secret;
        max_asking 256 256; {provider} }}
    assay_provider signer {{ issuer {self.issuer}; mode jwt; jwks_uri {self.issuer}/jwks; {provider} }}
    server {{ listen 127.0.0.1:{self.port};
        location /open {{ {proxied} }}
        location /guarded {{ assay_guard corp; assay_require scope read audience https://api.example.com; {proxied} }}
        location /signed {{ assay_guard signer; assay_require scope read audience https://api.example.com; {proxied} }}
        location /asked {{ auth_request /judge; {proxied} }}
        location = /judge {{ internal; proxy_pass http://judge/judge; proxy_http_version 1.1; proxy_set_header Connection '';
            proxy_pass_request_body off; proxy_set_header Content-Length ''; }}
        location = /control {{ assay_guard_control secret_file={self.dir}/secret; }}
        location = /introspect {{ proxy_pass http://judge; proxy_http_version 1.1; proxy_set_header Connection ''; }}
    }} }}""")
        (self.dir / "back.conf").write_text(f"""{common} pid {self.dir}/back.pid; worker_cpu_affinity 01;
http {{ {http}
    server {{ listen 127.0.0.1:{self.back} backlog=4096; location / {{ default_type application/json; return 200 '{{"hello":"world"}}'; }} }}
    server {{ listen 127.0.0.1:{self.server} backlog=4096; access_log {self.dir}/asked.log;
        location /introspect {{ default_type application/json; return 200 '{ACTIVE}'; }}
        location /jwks {{ root {self.dir}; access_log off; }}
        location /judge {{ access_log off; return 204; }} }} }}""")
        self.processes = [subprocess.Popen([NGINX, "-p", self.dir, "-c", self.dir / f"{name}.conf", "-e", self.dir / "error.log"])
                          for name in ("back", "gateway")]
        for port, process in ((self.back, self.processes[0]), (self.port, self.processes[1])):
            wait_port(port, process)
        self.worker = children(self.processes[1].pid)[0]

    def make_key(self):
        """An RSA key of 2048 bits, published as a key set; by openssl, so that the benchmark wants no more of Python."""
        def openssl(*arguments):
            return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout
        openssl("genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.dir / "key.pem")
        modulus = bytes.fromhex(openssl("rsa", "-in", self.dir / "key.pem", "-noout", "-modulus").decode().strip().split("=")[1])
        key = {"kty": "RSA", "n": encode(modulus), "e": "AQAB", "alg": "RS256", "use": "sig", "kid": "bench"}
        (self.dir / "jwks").write_text(json.dumps({"keys": [key]}))

    def sign(self, n):
        """The text of an access token (RFC 9068)."""
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "alice", "aud": "https://api.example.com", "client_id": "robot", "scope": "read write", "iat": now, "exp": now + 7200, "jti": f"t{n}"}
        text = ".".join(encode(json.dumps(part, separators=(",", ":")).encode()) for part in ({"alg": "RS256", "typ": "at+jwt", "kid": "bench"}, claims))
        done = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.dir / "key.pem"], input=text.encode(), check=True, capture_output=True)
        return f"{text}.{encode(done.stdout)}"

    def load(self, path, tokens, **kwargs):
        return Load(self.port, path, tokens=tokens, expect="hello", bearer=True, **kwargs)

    def asked(self):
        """How many introspections there were."""
        return (self.dir / "asked.log").read_text().count("/introspect")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait(10)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def write_tokens(file, count, prefix="assay_at_"):
    with open(file, "w") as out:
        for _ in range(count):
            out.write(prefix + base64.urlsafe_b64encode(os.urandom(42)).decode() + "\n")
    return file


def bench_guard(o):
    """A cached token against the same location unguarded, and against nginx's own way; one token, and a million."""
    workdir = pathlib.Path(o.workdir) / "guard"
    workdir.mkdir(parents=True, exist_ok=True)
    one = write_tokens(workdir / "one.txt", 1)
    many = write_tokens(workdir / "many.txt", o.guard_tokens)
    zone = f"{max(16, o.guard_tokens * 1300 >> 20)}m"  # twice the room: sets of eight fill unevenly
    with Guarded(workdir / "nginx", zone) as gateway:
        hit, opened = gateway.load("/guarded", one), gateway.load("/open", one)
        compare("guard_hit_vs_open", opened, gateway.worker, hit, gateway.worker, 0.95, o.rounds, o.seconds, "one cached token, proxied, 32 connections")
        compare("guard_hit_vs_auth_request", gateway.load("/asked", one), gateway.worker, hit, gateway.worker, None, o.rounds, o.seconds,
                "nginx auth_request with a proxied judge that answers 204 to everything")
        before = gateway.asked()
        gateway.load("/guarded", many).run(gateway.worker, 600, 1, "--once")
        learned = gateway.asked() - before
        compare("guard_hit_vs_open_many", gateway.load("/open", many), gateway.worker, gateway.load("/guarded", many), gateway.worker, 0.95,
                o.rounds, o.seconds, f"{o.guard_tokens} distinct cached tokens at random, each asked about once before ({learned} questions)")


def bench_guard_jwt(o):
    """Signed tokens: the first time over raw verification of OpenSSL's, all algorithms; and the same one again against the unguarded location."""
    for line in subprocess.run([BUILD / "bench" / "jose_verify"], check=True, capture_output=True, text=True).stdout.splitlines():
        name, alg, *nested, ratio, ours, _, _, raw, _ = line.replace("(", "").replace(")", "").split()
        report("_".join([name, alg, *nested]), float(ratio), 0.8, {"ours_us": float(ours), "raw_us": float(raw), "note": "a first-time verification, finding the key and judging the claims included, over EVP_DigestVerify on a context that stays"})
    workdir = pathlib.Path(o.workdir) / "guard_jwt"
    with Guarded(workdir / "nginx") as gateway:
        (workdir / "jwt.txt").write_text(gateway.sign(0) + "\n")
        hit, opened = gateway.load("/signed", workdir / "jwt.txt"), gateway.load("/open", workdir / "jwt.txt")
        compare("guard_jwt_hit_vs_open", opened, gateway.worker, hit, gateway.worker, 0.95, o.rounds, o.seconds, "one signed token that was judged before, RS256, proxied, 32 connections")


def bench_guard_miss(o):
    """What a first request with a token takes beyond the introspection itself, which goes the same way through the same nginx."""
    workdir = pathlib.Path(o.workdir) / "guard-miss"
    workdir.mkdir(parents=True, exist_ok=True)
    with Guarded(workdir / "nginx", "512m") as gateway:
        introspect = Load(gateway.port, "/introspect", body="token=x", expect="active", connections=1)
        opened = gateway.load("/open", write_tokens(workdir / "one.txt", 1), connections=1)
        introspect.run(gateway.worker, 1, 1)
        rows = []
        for i in range(o.rounds):
            tokens = write_tokens(workdir / "cold.txt", 5000)
            a, b = introspect.run(gateway.worker, 1, i), opened.run(gateway.worker, 1, i)
            c = gateway.load("/guarded", tokens, connections=1).run(gateway.worker, 60, i, "--once")
            rows.append({k: c[k] - a[k] - b[k] for k in ("p50_us", "p99_us")} | {"miss": c["p50_us"], "introspection": a["p50_us"], "open": b["p50_us"]})
        middle = {k: statistics.median(r[k] for r in rows) for k in rows[0]}
        report("guard_miss_added_us", middle["p50_us"], None, {**middle, "rounds": o.rounds,
               "note": "one connection; a miss, less an introspection through a proxy, less the same call unguarded, microseconds"})


def bench_guard_herd(o):
    """Introspections for 10,000 requests with one cold token at once."""
    workdir = pathlib.Path(o.workdir) / "guard-herd"
    workdir.mkdir(parents=True, exist_ok=True)
    with Guarded(workdir / "nginx") as gateway:
        counts = []
        for i in range(o.rounds):
            cold = write_tokens(workdir / "cold.txt", 1)
            before = gateway.asked()
            gateway.load("/guarded", cold, connections=1000).run(gateway.worker, 60, i, "--max", "10000")
            time.sleep(0.1)  # the log's last line
            counts.append(gateway.asked() - before)
        report("guard_herd", max(counts), 1, {"rounds": o.rounds, "note": "introspections per 10,000 requests, 1,000 at once, the most of all rounds"})


def bench_guard_memory(o):
    """Bytes of shared memory for each cached token: the whole zone over what it has room for."""
    with Guarded(pathlib.Path(o.workdir) / "guard-memory", "64m") as gateway:
        request = urllib.request.Request(f"http://127.0.0.1:{gateway.port}/control",
                                         headers={"Authorization": "Bearer " + (gateway.dir / "secret").read_text().strip()})
        room = json.loads(urllib.request.urlopen(request).read())["room"]
        report("guard_memory", (64 << 20) / room, None, {"room": room, "note": "bytes of a 64 MiB zone for each active answer it has room for"})
