"""`assay serve`: what a newcomer types, word for word."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request

import pytest

BUILD = pathlib.Path(
    os.environ.get("ASSAY_BUILD_DIR", pathlib.Path(__file__).resolve().parents[2] / "build")
)
ASSAY = str(BUILD / "assay")
MODULE = BUILD / "modules" / "ngx_http_assay_server_module.so"

pytestmark = pytest.mark.skipif(not MODULE.exists(), reason="the nginx module is not built")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Serving:
    """`assay serve` in a place of its own."""

    def __init__(self, *args):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="assay-serve-"))
        self.place.chmod(0o711)
        self.port = free_port()
        self.run_dir = (
            pathlib.Path(f"/run/assay-{self.port}") if os.geteuid() == 0
            else self.place / f"assay-{self.port}"
        )
        self.env = {"PATH": os.environ["PATH"], "HOME": str(self.place),
                    "XDG_DATA_HOME": str(self.place / "data"), "XDG_RUNTIME_DIR": str(self.place)}
        if "ASSAY_LD_PRELOAD" in os.environ:  # nginx itself is not built with the sanitizers
            self.env["LD_PRELOAD"] = os.environ["ASSAY_LD_PRELOAD"]
            self.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "detect_leaks=0")
        self.args = [ASSAY, "serve", "--listen", f"127.0.0.1:{self.port}", *args]
        self.process = None

    def start(self):
        self.out = open(self.place / "out", "w+")
        self.err = open(self.place / "err", "w+")
        self.process = subprocess.Popen(self.args, stdout=self.out, stderr=self.err, env=self.env,
                                        stdin=subprocess.DEVNULL)
        deadline = time.time() + 20
        while time.time() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if self.said():  # else that was the test of the configuration, which listens, too
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(self.said() + self.complained())

    def said(self):
        return (self.place / "out").read_text()

    def complained(self):
        return (self.place / "err").read_text()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        for path in (self.place, self.run_dir):
            shutil.rmtree(path, ignore_errors=True)

    def assay(self, *args, **kwargs):
        return subprocess.run([ASSAY, *map(str, args)], capture_output=True, text=True, timeout=60,
                              env=self.env, **kwargs)

    def commands(self):
        """The curl commands printed, whole, as a shell takes them."""
        joined = self.said().replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.startswith("curl ")]


@pytest.fixture
def serving(request):
    made = []

    def make(*args):
        made.append(Serving(*args))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def shell(command):
    done = subprocess.run(["bash", "-c", command.replace("curl ", "curl -s ", 1)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def test_demo_prints_commands_that_work_when_pasted(serving):
    demo = serving("--demo").start()
    introspect, call, revoke, token = demo.commands()
    seen = json.loads(shell(introspect))
    assert seen["active"] and seen["username"] == "alice@example.com"
    assert seen["scope"] == "read write" and seen["token_type"] == "Bearer"
    assert seen["iss"] == f"https://localhost:{demo.port}"
    # the mission's real case: a call passes, the token is revoked, the next call is refused
    assert json.loads(shell(call)) == {"hello": "alice"}
    assert shell(revoke) == ""
    assert json.loads(shell(call)) == {"error": "invalid_token"}
    assert shell(introspect) == '{"active":false}'
    got = json.loads(shell(token))
    assert got["scope"] == "read" and got["access_token"].startswith("assay_at_")
    assert "assay_at_" not in demo.complained()


def test_demo_can_be_run_again(serving):
    demo = serving("--demo").start()
    first = demo.commands()
    demo.process.send_signal(signal.SIGTERM)
    demo.process.wait(20)
    again = demo.start()
    assert again.commands() != first
    assert json.loads(shell(again.commands()[0]))["active"]


def test_default_store_is_made_told_of_and_used_by_the_command(serving):
    """The command line and the server share a store, while the server runs."""
    server = serving()
    if os.geteuid() == 0:
        server.args += ["--store", str(server.place / "store")]
        server.assay("store", "create", server.place / "store")
        server.env["ASSAY_STORE"] = str(server.place / "store")
    server.start()
    if os.geteuid() != 0:
        assert (server.place / "data" / "assay" / "store" / "data").exists()
        assert "made now" in server.said()
    gateway = json.loads(server.assay("client", "add", "gateway", "--resource-server", "--audience",
                                      "https://api.example.com", "--json").stdout)
    server.assay("client", "add", "robot", "--scope", "read")
    token = json.loads(server.assay("token", "issue", "--client", "robot", "--subject", "alice",
                                    "--json").stdout)
    assert f"{ASSAY} --store" in server.said()  # can be pasted, also in a build tree
    command = server.commands()[0].replace("ACCESS_TOKEN", token["access_token"]).replace(
        "client_id:client_secret", "gateway:" + gateway["client_secret"])
    assert json.loads(shell(command))["sub"] == "alice"
    assert server.assay("token", "revoke", token["jti"]).returncode == 0
    assert shell(command) == '{"active":false}'


def test_second_server_on_the_same_port_is_refused_and_the_first_lives(serving):
    first = serving("--demo").start()
    second = subprocess.run(first.args, capture_output=True, text=True, env=first.env, timeout=30)
    assert second.returncode == 1 and "another 'assay serve'" in second.stderr
    assert json.loads(shell(first.commands()[0]))["active"]


def refused(one, *args):
    done = subprocess.run([*one.args, *args], capture_output=True, text=True, timeout=60, env=one.env, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and done.stdout == "", done.stdout
    return done.stderr


def test_port_that_is_taken_is_said_before_anything_else(serving):
    one = serving()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", one.port))
        other.listen()
        said = refused(one, "--demo")
    assert f"cannot listen on 127.0.0.1:{one.port}: another program listens there" in said and said.count("\n") == 1
    assert not (one.run_dir / "demo-store").exists() and not (one.run_dir / "localhost.crt").exists()


def test_address_that_is_not_of_this_machine_is_said(serving):
    one = serving()
    one.args[3] = f"192.0.2.1:{one.port}"
    assert "this machine has no such address" in refused(one, "--demo")


@pytest.mark.parametrize("what", ["missing", "garbage", "another's key"])
def test_certificate_that_nginx_cannot_use_is_said_before_it_serves(serving, what):
    """A-SEC-04, F-10: the file is named."""
    one = serving()
    files = {}
    for name in ("a", "b"):
        files[name] = one.place / f"{name}.key", one.place / f"{name}.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        files[name][0], "-out", files[name][1], "-subj", "/CN=localhost"], check=True, capture_output=True)
    key, certificate = files["a"]
    if what == "missing":
        certificate = one.place / "none.crt"
    elif what == "garbage":
        certificate.write_text("garbage")
    else:
        key = files["b"][0]
    said = refused(one, "--demo", "--cert", str(certificate), "--key", str(key))
    assert str(certificate if what == "missing" else key) in said and "cannot use the" in said


def test_json_tells_programs_where_it_serves_and_what_the_demo_made(serving):
    one = serving("--demo", "--json").start()
    told = json.loads(one.said())
    assert told["issuer"] == f"https://localhost:{one.port}" and told["listen"] == f"127.0.0.1:{one.port}"
    curl = (f"curl --cacert {told['certificate']} {told['issuer']}/oauth2/introspect -d token={told['access_token']} "
            f"-u {told['gateway']['client_id']}:{told['gateway']['client_secret']}")
    assert json.loads(shell(curl))["active"] is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a store away")
def test_root_takes_no_store_from_a_third_user(serving):
    one = serving()
    store = one.place / "theirs"
    assert one.assay("store", "create", store).returncode == 0
    for path in (store, *store.iterdir()):
        os.chown(path, 1, 1)
    assert "it is another user's" in refused(one, "--store", str(store))
    assert {path.stat().st_uid for path in (store, *store.iterdir())} == {1}


def test_signals_stop_it_and_leave_no_process(serving):
    demo = serving("--demo").start()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(20) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", demo.port), 1)


def test_files_of_the_runtime_directory_are_private(serving):
    """A-CLI-10, A-LOG-03"""
    demo = serving("--demo").start()
    assert demo.run_dir.stat().st_mode & 0o077 == (0o011 if os.geteuid() == 0 else 0)
    assert (demo.run_dir / "localhost.key").stat().st_mode & 0o777 == 0o600
    conf = (demo.run_dir / "nginx.conf").read_text()
    for secret in re.findall(r'-u "[^:]+:([^"]+)"', demo.said()):
        assert secret not in conf


def test_administrator_does_the_same_over_the_network(serving):
    demo = serving("--demo").start()
    store = demo.run_dir / "demo-store"
    ops = json.loads(demo.assay("--store", store, "client", "add", "ops", "--admin", "--json").stdout)
    secret = demo.place / "ops.secret"
    secret.write_text(ops["client_secret"])
    secret.chmod(0o600)
    server = ["--server", f"https://localhost:{demo.port}", "--client", "ops", "--secret-file",
              secret, "--cacert", demo.run_dir / "localhost.crt"]

    def remote(*args, **kwargs):
        return demo.assay(*server, *args, **kwargs)

    done = remote("token", "issue", "--client", "robot", "--subject", "bob", "--refresh", "--json")
    assert done.returncode == 0, (done.stderr, demo.complained()[-3000:])
    made = json.loads(done.stdout)
    assert remote("token", "introspect", made["jti"]).returncode == 0
    assert remote("token", "introspect", "-", input=made["access_token"]).returncode == 0
    for listing in (("client", "list"), ("grant", "list", "--subject", "bob")):
        assert remote(*listing, "--json").stdout == demo.assay("--store", store, *listing,
                                                               "--json").stdout
    assert remote("subject", "end", "bob").returncode == 0
    assert remote("token", "introspect", made["jti"]).returncode == 1
    assert json.loads(remote("why", made["jti"], "--json").stdout)["revoked"] == "subject"
    assert remote("client", "show", "nobody").returncode == 1

    secret.write_text("x" * 43)
    wrong = remote("client", "list")
    assert wrong.returncode == 1 and wrong.stdout == "" and len(wrong.stderr.splitlines()) == 1


def test_commands_at_once_beside_the_server_lose_nothing(serving):
    """A-CLI-07: each token that a command printed exists, though one command was killed."""
    demo = serving("--demo").start()
    store = demo.run_dir / "demo-store"
    issue = [ASSAY, "--store", str(store), "token", "issue", "--client", "robot", "--subject", "a",
             "--json"]
    running = [subprocess.Popen(issue, stdout=subprocess.PIPE, text=True, env=demo.env)
               for _ in range(50)]
    running[25].kill()
    texts = []
    for i, process in enumerate(running):
        said = process.communicate(timeout=60)[0]
        if process.returncode == 0:
            texts.append(json.loads(said)["access_token"])
        else:
            assert i == 25
    introspect = demo.commands()[0]
    own = re.search(r"token=(\S+)\"", introspect).group(1)
    for text in texts:
        assert json.loads(shell(introspect.replace(own, text)))["active"]


def test_resource_server_is_no_administrator(serving):
    demo = serving("--demo").start()
    password = re.search(r'-u "gateway:([^"]+)"', demo.said()).group(1)
    context = ssl.create_default_context(cafile=str(demo.run_dir / "localhost.crt"))
    manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
    url = f"https://localhost:{demo.port}/admin/client/list"
    manager.add_password(None, url, "gateway", password, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager),
                                         urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request)
    assert refused.value.code == 403
