"""Where tokens and secrets must not be: in core files, in shared memory, in a worker's memory once a request is over, in the store's
pages; and key files that somebody else could read."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import tempfile

import pytest
from harness import ASSAY, Server, World, base64, free_port, spellings, wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a process that cannot be dumped")


@contextlib.contextmanager
def core_files_allowed():
    """As in a system that wants core files: what is started meanwhile may write them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        yield hard != 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.no_asan  # the sanitizer takes the signal for itself
def test_a_crashed_worker_leaves_no_core_file():
    """A-SEC-01: though the system, the master and the configuration ask for one."""
    with core_files_allowed() as possible, Server(workers=1, start=False) as server:
        crash = server.dir / "crash"
        crash.mkdir()
        crash.chmod(0o777)
        server.main = f"worker_rlimit_core 500m; working_directory {crash};" if possible else f"working_directory {crash};"
        server.start()
        world = World(server)
        token = world.at()["access_token"]
        assert world.active(token)
        worker, = server.worker_pids()
        limits = pathlib.Path(f"/proc/{worker}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), limits
        os.kill(worker, signal.SIGSEGV)
        wait_until(lambda: server.worker_pids() not in ([], [worker]), what="another worker")
        wait_until(lambda: f"{worker} exited on signal 11" in server.log(), what="the crash is logged")
        assert "core dumped" not in server.log() and not list(crash.iterdir())
        assert world.active(token)  # REL-06


def regions(pid):
    """(line of the map, bytes) of what a process can read."""
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        start, end = (int(n, 16) for n in line.split()[0].split("-"))
        if line.split()[1][0] != "r" or line.endswith(("[vvar]", "[vvar_vclock]", "[vsyscall]", "/data")):
            continue
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            memory.seek(start)
            with contextlib.suppress(OSError):
                data = memory.read(end - start)
                yield line, b"".join(part for part in (data[at:at + 65536] for at in range(0, len(data), 65536)) if part.count(0) != len(part))


def looked_for(server):
    """Every spelling of every token and secret of this server, Basic credentials with them included."""
    for secret in server.canaries:
        yield from ((secret, spelling) for spelling in (secret.encode(), *spellings(secret)))
        for id in ("rs1", "cl1", "cl2", "ops"):
            yield secret, base64.b64encode(f"{id}:{secret}".encode()).rstrip(b"=")[:-1]


def busy(server):
    """Tokens and secrets through every endpoint: right, wrong, refused, in the query; then much else, so that freed memory is used again."""
    world = World(server)
    ops = server.add_client("ops", "--admin")["client_secret"]
    for _ in range(5):
        grant = world.grant()
        next_one = world.refresh(grant["refresh_token"]).json
        world.refresh(grant["refresh_token"])
        for token in (grant["access_token"], next_one["access_token"], next_one["refresh_token"]):
            server.introspect(token, world.rs1)
            server.introspect(token, ("rs1", "wrong"))
            server.introspect(token, world.cl2)
            server.post(f"/oauth2/introspect?token={token}", "", auth=world.rs1)
        server.token({"grant_type": "client_credentials"}, world.cl1)
        server.revoke(next_one["access_token"], world.cl1)
        made = server.post("/admin/client/add", "{}", auth=("ops", ops), type="application/json").json
        server.remember(made["client_secret"])
        server.post("/admin/client/rotate-secret", json.dumps({"client_id": made["client_id"]}), auth=("ops", made["client_secret"]), type="application/json")
    for _ in range(100):  # small ones: an arena is not overwritten by them, only what nginx itself has used
        server.get("/healthz")
        server.post("/oauth2/introspect", {"token": "x" * 60}, auth=("nobody", "x" * 60))
    assert server.introspect("x", world.rs1).status == 200  # whose credentials are wiped where nginx read them


@pytest.mark.no_asan  # whose shadow of all memory is too much to read
@needs_root
def test_shared_memory_and_a_workers_own_hold_no_secret():
    """A-SEC-02 A-SEC-03: once the requests are over, neither the zone that workers share nor any memory of a worker holds one; hashes only."""
    with Server(workers=1) as server:
        busy(server)
        worker, = server.worker_pids()
        seen = list(regions(worker))
        zones = [data for line, data in seen if line.split()[1].startswith("rw-s") and "/dev/zero" in line]
        assert sum(map(len, zones)) > 10000  # the zone is among what was read
        found = {(line[:60], secret[:12]) for line, data in seen for secret, spelling in looked_for(server) if spelling in data}
        assert not found
        server.check_floor()


@needs_root
def test_the_memory_of_requests_is_kept_out_of_dumps():
    """A-SEC-01: the pages that arenas are cut from carry the flag."""
    with Server(workers=1) as server:
        world = World(server)
        world.active(world.at()["access_token"])
        worker, = server.worker_pids()
        maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{worker}/smaps").read_text(), flags=re.M)
        ours = [m for m in maps if " rw-p " in m.split("\n", 1)[0] and re.search(r"^VmFlags:.* dd", m, re.M)]
        assert sum(int(re.search(r"^Size: +(\d+) kB", m, re.M).group(1)) for m in ours) >= 128


def test_no_page_of_the_store_holds_a_token_or_a_secret():
    """A-SEC-02 R6749-10.3-1 P-7662-6: neither of records that are there nor of what was removed, expired or rotated; nor of our heap."""
    with Server() as server:
        busy(server)
        world = World.__new__(World)
        world.server = server
        for client in ("cl1", "cl2", "rs2"):
            server.cli("client", "rotate-secret", client, "--overlap", "0")
            server.cli("client", "remove", client)
        stores = [server.store, pathlib.Path(tempfile.mkdtemp(dir=server.dir))]
        for verb in ("backup", "compact"):
            server.cli("store", verb, stores[1] / verb)
        files = [f for place in stores for f in place.iterdir() if f.name != "ballast"]
        assert len(files) >= 5
        found = {(f.name, secret[:12]) for f in files for secret, spelling in looked_for(server) if spelling in f.read_bytes()}
        assert not found


# --- key files


def make_pair(place, *algorithm):
    subprocess.run(["openssl", "req", "-x509", "-newkey", *algorithm, "-nodes", "-keyout", place / "key", "-out", place / "crt", "-days", "2", "-subj", "/CN=localhost"],
                   check=True, capture_output=True)
    (place / "key").chmod(0o600)


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


def spoil(place, how):
    key = place / "key"
    good = key.read_bytes()
    if how == "passphrase":
        openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", place / "new")
        (place / "new").replace(key)
    elif how == "public key":
        openssl("pkey", "-in", key, "-pubout", "-out", place / "new")
        (place / "new").replace(key)
    elif how == "another key":
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
    elif how == "another kind of key":
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    elif how in ("empty", "junk", "huge", "cut"):
        key.write_bytes({"empty": b"", "junk": b"junk\n", "huge": good + b"#" * 10**6, "cut": good[:len(good) // 2]}[how])
    elif how in ("directory", "FIFO", "missing"):
        key.unlink()
        {"directory": os.mkdir, "FIFO": os.mkfifo, "missing": lambda _: None}[how](key)
    elif how == "certificate that is none":
        (place / "crt").write_text("junk")
    elif how == "no certificate":
        (place / "crt").unlink()
    if key.is_file():
        key.chmod(0o604 if how == "readable by all" else 0o602 if how == "writable by all" else 0o600)


def serve(place, seconds=30):
    env = {"PATH": os.environ["PATH"], "HOME": str(place), "XDG_RUNTIME_DIR": str(place)}
    return subprocess.run([ASSAY, "serve", "--listen", f"127.0.0.1:{free_port()}", "--store", str(place / "store"), "--cert", str(place / "crt"), "--key", str(place / "key")],
                          capture_output=True, text=True, timeout=seconds, env=env, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("how", ["readable by all", "writable by all", "passphrase", "public key", "another key", "another kind of key", "empty", "junk", "huge", "cut",
                                 "directory", "FIFO", "missing", "certificate that is none", "no certificate", "RSA 1024", "P-192"])
def test_a_key_that_cannot_be_served_with_is_refused_at_start(tmp_path, how):
    """A-SEC-04: in one line that names the file; nothing is listened on, nothing made, nobody asked for a passphrase."""
    algorithm = {"RSA 1024": ["rsa:1024"], "P-192": ["ec", "-pkeyopt", "ec_paramgen_curve:P-192"]}.get(how, ["rsa:2048"])
    make_pair(tmp_path, *algorithm)
    subprocess.run([ASSAY, "store", "create", str(tmp_path / "store")], check=True, capture_output=True)
    spoil(tmp_path, how)
    done = serve(tmp_path)
    assert done.returncode == 1 and done.stdout == "", (done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) == 1 and str(tmp_path) in done.stderr
    assert not [f for f in tmp_path.iterdir() if f.name not in ("key", "crt", "store")]
    assert "PRIVATE" not in done.stderr
