"""What others in the guard's place cost: Apache's mod_auth_openidc and mod_oauth2 from Debian, each held against the same Apache
unguarded, as guard_hit_vs_open holds the guard against the same nginx."""
import os
import pathlib
import shutil
import subprocess

from measure import NGINX, SERVER_CORE, Load, children, compare, free_port, wait_port
from guard import write_tokens

MODULES = pathlib.Path("/usr/lib/apache2/modules")
APACHE = shutil.which("apache2", path=os.environ.get("PATH", "") + ":/usr/sbin")
ANSWER = ('{"active":true,"scope":"read write","client_id":"robot","sub":"alice","aud":"https://api.example.com",'
          '"exp":4102444800,"token_type":"Bearer"}')

# Each module with the shortest configuration that does what the guard does in `make bench`: introspect, keep the answer in shared
# memory, require an audience.
GUARDS = {
    "mod_auth_openidc": ("auth_openidc", """
        OIDCCryptoPassphrase bench0bench0bench0
        OIDCOAuthIntrospectionEndpoint https://127.0.0.1:{server}/introspect
        OIDCOAuthSSLValidateServer Off
        OIDCOAuthClientID gateway
        OIDCOAuthClientSecret bench0secret
        OIDCOAuthTokenExpiryClaim exp absolute mandatory
        OIDCOAuthRemoteUserClaim sub
        <Location /guarded>
            AuthType oauth20
            Require claim aud:https://api.example.com
        </Location>"""),
    "mod_oauth2": ("oauth2", """
        OAuth2TokenVerify introspect https://127.0.0.1:{server}/introspect introspect.ssl_verify=false&introspect.auth=client_secret_basic&client_id=gateway&client_secret=bench0secret
        <Location /guarded>
            AuthType oauth2
            Require oauth2_claim aud:https://api.example.com
        </Location>"""),
}


class Apache:
    """One Apache process of 64 threads in front of the back end that the guard's nginx has, all on one core."""

    def __init__(self, workdir, module, guarded):
        self.dir = pathlib.Path(workdir)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.port, self.back, self.server = free_port(), free_port(), free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        self.dir / "key.pem", "-out", self.dir / "cert.pem", "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True)
        temp = "".join(f"{n}_temp_path {self.dir}/{n}; " for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;" if os.geteuid() == 0 else ""
        (self.dir / "back.conf").write_text(f"""{user} worker_processes 1; daemon off; error_log {self.dir}/error.log warn; pid {self.dir}/back.pid;
worker_cpu_affinity 01; events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; {temp} default_type application/json;
    server {{ listen 127.0.0.1:{self.back} backlog=4096; location / {{ return 200 '{{"hello":"world"}}'; }} }}
    server {{ listen 127.0.0.1:{self.server} ssl; ssl_certificate {self.dir}/cert.pem; ssl_certificate_key {self.dir}/key.pem;
        location / {{ return 200 '{ANSWER}'; }} }} }}""")
        needed = ["mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", module]
        load = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in needed)
        become = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        (self.dir / "apache.conf").write_text(f"""
            ServerRoot {self.dir}
            ServerName localhost
            PidFile {self.dir}/apache.pid
            ErrorLog {self.dir}/apache.log
            DefaultRuntimeDir {self.dir}
            {load}
            {become}
            ServerLimit 1
            StartServers 1
            ThreadsPerChild 64
            MaxRequestWorkers 64
            MinSpareThreads 64
            MaxSpareThreads 64
            MaxKeepAliveRequests 0
            KeepAliveTimeout 60
            Listen 127.0.0.1:{self.port}
            ProxyPass / http://127.0.0.1:{self.back}/ keepalive=On max=64
            {guarded.format(server=self.server)}
            """)
        self.dir.chmod(0o755)
        self.processes = [subprocess.Popen([NGINX, "-p", self.dir, "-c", self.dir / "back.conf", "-e", self.dir / "error.log"]),
                          subprocess.Popen(["taskset", "-c", SERVER_CORE, APACHE, "-D", "FOREGROUND", "-f", self.dir / "apache.conf"])]
        for port, process in ((self.back, self.processes[0]), (self.port, self.processes[1])):
            wait_port(port, process)
        self.worker = children(self.processes[1].pid)[0]

    def load(self, path, tokens, **kwargs):
        return Load(self.port, path, tokens=tokens, expect="hello", bearer=True, **kwargs)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.wait(20)


def bench_guard_apache(o):
    """A cached token against the same location unguarded, in Apache: one token, and 300, for which both caches have room as they come (500 and 1,000)."""
    if APACHE is None:
        raise SystemExit("bench: apache2 is missing; tools/install-deps bench installs it")
    for name, (module, guarded) in GUARDS.items():
        workdir = pathlib.Path(o.workdir) / name
        workdir.mkdir(parents=True, exist_ok=True)
        one, many = write_tokens(workdir / "one.txt", 1), write_tokens(workdir / "many.txt", 300)
        with Apache(workdir / "apache", module, guarded) as apache:
            opened = apache.load("/open", one)
            for label, tokens in (("", one), ("_300", many)):
                hit = apache.load("/guarded", tokens)
                hit.run(apache.worker, 60, 1, "--once")
                compare(f"guard_vs_apache_{name}{label}", opened, apache.worker, hit, apache.worker, None, o.rounds, o.seconds,
                        f"{name} of Debian over the same Apache unguarded, {'one token' if label == '' else '300 tokens'}")
