"""The command on a local store: no server runs here."""

import concurrent.futures
import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import pytest

BUILD = pathlib.Path(
    os.environ.get("ASSAY_BUILD_DIR", pathlib.Path(__file__).resolve().parents[2] / "build")
)
ASSAY = str(BUILD / "assay")
AUDIENCE = "https://api.example.com"


def run(*args, stdin=None, env=None, store=None, **kwargs):
    command = [ASSAY]
    if store is not None:
        command += ["--store", str(store)]
    return subprocess.run(
        command + [str(a) for a in args],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=kwargs.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})},
        **kwargs,
    )


class Store:
    """A store with a resource server `gateway` and a client `robot`."""

    def __init__(self, path):
        self.path = path
        self.ok("store", "create", path)
        self.gateway = self.json(
            "client", "add", "gateway", "--resource-server", "--audience", AUDIENCE
        )
        self.robot = self.json(
            "client", "add", "robot", "--grant", "client_credentials refresh_token",
            "--scope", "read write",
        )

    def run(self, *args, **kwargs):
        return run(*args, store=None if args[:2] == ("store", "create") else self.path, **kwargs)

    def ok(self, *args, **kwargs):
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done

    def json(self, *args, **kwargs):
        return json.loads(self.ok(*args, "--json", **kwargs).stdout)

    def issue(self, *args):
        return self.json("token", "issue", "--client", "robot", "--subject", "alice", *args)

    def why(self, name, *args, **kwargs):
        return json.loads(self.run("why", name, "--json", *args, **kwargs).stdout)

    def active(self, jti):
        done = self.run("token", "introspect", jti, "--json")
        answer = json.loads(done.stdout)
        assert done.returncode == (0 if answer["active"] else 1)
        return answer["active"]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


# --- clients ---


def test_add_prints_an_id_and_a_secret_of_256_bits(store):
    made = store.json("client", "add")
    assert re.fullmatch(r"[A-Za-z0-9]{22}", made["client_id"])
    assert re.fullmatch(r"[A-Za-z0-9]{43,}", made["client_secret"])
    assert made["client_secret"] != store.robot["client_secret"]
    again = store.json("client", "show", made["client_id"])
    assert "client_secret" not in again


def test_add_twice_is_refused(store):
    done = store.run("client", "add", "robot")
    assert done.returncode == 1 and done.stdout == ""
    assert "there is a client of that id" in done.stderr


def test_client_without_audience_gets_that_of_the_only_resource_server(store):
    assert store.robot["audience"] == [AUDIENCE]
    store.ok("client", "add", "other", "--resource-server", "--audience", "https://b.example")
    lone = store.json("client", "add", "lone", "--scope", "read")
    assert lone["audience"] == []
    done = store.run("token", "issue", "--client", "lone", "--subject", "alice")
    assert done.returncode == 1 and "no audience" in done.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("client", "add", "-x"),
        ("client", "add", "--", "-x"),
        ("client", "add", "a b"),
        ("client", "add", "a/b"),
        ("client", "add", "a:b"),
        ("client", "add", "a\nb"),
        ("client", "add", "a\x1b[2J"),
        ("client", "add", "x" * 257),
        ("client", "add", "n", "--name", "x" * 129),
        ("client", "add", "n", "--name", "a\nb"),
        ("client", "add", "n", "--scope", 'a"b'),
        ("client", "add", "n", "--scope", "read", "--default-scope", "write"),
        ("client", "add", "n", "--audience", "no-uri"),
        ("client", "add", "n", "--audience", "https://x/#f"),
        ("client", "add", "n", "--resource-server"),
        ("client", "add", "n", "--grant", "password"),
        ("client", "add", "n", "--public", "--grant", "client_credentials"),
        ("client", "add", "n", "--public", "--admin"),
        ("client", "add", "n", "--auth-method", "plain"),
        ("client", "add", "n", "--show", "everything"),
    ],
)
def test_add_refuses_what_makes_no_sense(store, args):
    """A-CLI-02: names that could move a cursor are refused."""
    before = store.ok("client", "list", "--json").stdout
    done = store.run(*args)
    assert done.returncode in (1, 2) and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert store.ok("client", "list", "--json").stdout == before


def test_names_are_shown_escaped(store):
    """A-CLI-02: marks that change the direction of text are stored, and shown as \\u202E."""
    store.ok("client", "add", "rtl", "--name", "ab\u202ecd\u200b %n%s")
    for args in (("client", "list"), ("client", "show", "rtl")):
        shown = store.ok(*args).stdout
        assert "\u202e" not in shown and "\u200b" not in shown
        assert "ab\\u202Ecd\\u200B %n%s" in shown
    assert store.json("client", "show", "rtl")["name"] == "ab\u202ecd\u200b %n%s"


def test_long_ids_with_a_common_prefix_stay_distinct(store):
    """A-CLI-11"""
    a, b = "a" * 255 + "x", "a" * 255 + "y"
    store.ok("client", "add", a, "--name", "first")
    store.ok("client", "add", b, "--name", "second")
    assert store.json("client", "show", a)["name"] == "first"
    assert store.json("client", "show", b)["name"] == "second"


def test_list_has_every_client_also_beyond_a_page(store):
    for i in range(60):
        store.ok("client", "add", f"c{i:03}", "--scope", "s" * 900)
    ids = [c["client_id"] for c in store.json("client", "list")["clients"]]
    assert ids == sorted(["gateway", "robot"] + [f"c{i:03}" for i in range(60)])
    assert len(store.ok("client", "list").stdout.splitlines()) >= 63


def test_update_changes_what_is_named_and_nothing_else(store):
    store.ok("client", "update", "robot", "--scope", "read write admin", "--access-lifetime", "5m")
    now = store.json("client", "show", "robot")
    assert now["scope"] == "read write admin" and now["default_scope"] == "read write admin"
    assert now["access_lifetime"] == 300 and now["audience"] == [AUDIENCE]
    assert store.run("client", "update", "nobody", "--scope", "x").returncode == 1
    done = store.run("client", "update", "robot", "--admin", "--no-admin")
    assert done.returncode == 2 and "contradict" in done.stderr


def test_update_that_changes_nothing_writes_nothing(store):
    store.ok("client", "update", "robot", "--access-lifetime", "5m", "--name", "R2")
    seq = store.json("store", "stat")["seq"]
    for args in ((), ("--access-lifetime", "300s"), ("--name", "R2", "--scope", "read write"), ("--no-admin",)):
        assert store.json("client", "update", "robot", *args)["changed"] is False
    assert store.json("store", "stat")["seq"] == seq
    assert store.json("client", "update", "robot", "--name", "R3")["changed"] is True
    assert store.json("store", "stat")["seq"] != seq


def test_secrets_of_a_client_are_shown_to_people_as_words(store):
    store.ok("client", "rotate-secret", "robot", "--overlap", "1h")
    line = next(l for l in store.ok("client", "show", "robot").stdout.splitlines() if l.startswith("secrets"))
    assert re.fullmatch(r"secrets +form sha256, created_at [\d-]+ [\d:]+ UTC; form sha256, created_at [\d-]+ [\d:]+ UTC, "
                        r"expires_at [\d-]+ [\d:]+ UTC", line)


@pytest.mark.parametrize(
    "args,said",
    [
        (("client", "add", "x", "--grant", "foo"), "--grant foo: grant_types are client_credentials and refresh_token"),
        (("client", "add", "x", "--show", "foo bar"), "--show foo bar: introspection_members are scope, client_id"),
        (("client", "add", "x", "--auth-method", "jwt"), "--auth-method jwt: token_endpoint_auth_method is client_secret_basic"),
        (("client", "add", "x", "--public", "--admin"), "token_endpoint_auth_method is none"),
        (("client", "add", "x", "--scope", "a  b"), "--scope a  b: scope is no list"),
        (("client", "add", "x", "--audience", "api"), "--audience api: audience holds something other than absolute URIs"),
        (("token", "issue", "--client", "robot", "--scope", "root"), "--scope root: scope holds what the client"),
        (("token", "issue", "--client", "robot", "--audience", "https://x"), "--audience https://x: audience holds what"),
        (("grant", "end", "abc"), "grant is no number of a grant"),
    ],
)
def test_refusal_names_the_option_its_value_and_what_is_right(store, args, said):
    done = store.run(*args)
    assert done.returncode == 1 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("verbs", [("disable", "enable"), ("remove", "add")])
def test_shutting_a_client_out_ends_its_tokens_for_good(store, verbs):
    """REL-03: enabling or adding it again revives nothing."""
    old = store.issue()
    assert store.active(old["jti"])
    store.ok("client", verbs[0], "robot")
    assert not store.active(old["jti"])
    if verbs[0] == "disable":
        assert store.run("token", "issue", "--client", "robot").returncode == 1
        assert store.json("client", "disable", "robot")["changed"] is False
    else:
        assert store.run("client", "show", "robot").returncode == 1
    store.ok("client", verbs[1], "robot")
    assert not store.active(old["jti"])
    assert store.active(store.json("token", "issue", "--client", "robot", "--subject", "a",
                                   *(["--scope", "read"] if verbs[1] == "enable" else []))["jti"])


def test_rotated_secret_overlaps(store):
    first = store.json("client", "rotate-secret", "robot")
    assert [("expires_at" in s) for s in first["secrets"]] == [False, True]
    assert 86000 < first["secrets"][1]["expires_at"] - time.time() < 87000
    second = store.json("client", "rotate-secret", "robot", "--overlap", "0")
    assert len(second["secrets"]) == 1
    assert second["client_secret"] != first["client_secret"]
    third = store.json("client", "rotate-secret", "robot", "--overlap", "5m")
    assert len(third["secrets"]) == 2 and third["secrets"][1]["expires_at"] < time.time() + 301


def test_own_secret_comes_by_file_or_stdin_and_is_not_shown(store, tmp_path):
    """A-CLI-05"""
    path = tmp_path / "secret"
    path.write_text("correct horse battery\n")
    path.chmod(0o600)
    made = store.json("client", "add", "own", "--secret-file", path)
    assert "client_secret" not in made and made["secrets"][0]["form"] == "scrypt"
    made = store.json("client", "add", "own2", "--secret-file", "-", stdin="correct horse")
    assert made["secrets"][0]["form"] == "scrypt"
    path.chmod(0o644)
    done = store.run("client", "add", "own3", "--secret-file", path)
    assert done.returncode == 1 and "chmod 600" in done.stderr
    path.chmod(0o600)
    path.write_text("short")
    assert store.run("client", "add", "own3", "--secret-file", path).returncode == 1
    assert store.run("client", "show", "own3").returncode == 1


# --- tokens ---


def test_issue_is_shaped_like_a_token_response(store):
    made = store.issue("--scope", "read", "--refresh", "--ttl", "10m")
    assert made["token_type"] == "Bearer" and made["expires_in"] == 600
    assert made["scope"] == "read" and made["audience"] == [AUDIENCE]
    assert re.fullmatch(r"assay_at_[A-Za-z0-9_-]{56}", made["access_token"])
    assert re.fullmatch(r"assay_rt_[A-Za-z0-9_-]{56}", made["refresh_token"])
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", made["jti"])
    seen = store.json("token", "introspect", made["jti"])
    assert seen["active"] and seen["sub"] == "alice" and seen["client_id"] == "robot"
    assert seen["exp"] - seen["iat"] == 600


@pytest.mark.parametrize(
    "args",
    [
        ("--scope", "admin"),
        ("--audience", "https://other.example"),
        ("--ttl", "0"),
        ("--username", "x"),
        ("--refresh",),
    ],
)
def test_issue_refuses_what_the_client_is_not_registered_for(store, args):
    subject = () if args[0] in ("--username", "--refresh") else ("--subject", "alice")
    done = store.run("token", "issue", "--client", "robot", *subject, *args)
    assert done.returncode == 1 and done.stdout == ""


@pytest.mark.parametrize(
    "ttl", ["-1", "1e9", "0x10", " 5", "9" * 30, "", "5", "5x", "1.5h", "3651d", "-5s"]
)
def test_wrong_duration_is_a_usage_error_and_changes_nothing(store, ttl):
    """A-CLI-01"""
    before = store.json("store", "stat")["tokens"]
    assert 0 < store.json("store", "stat")["bytes_resident"] <= store.json("store", "stat")["bytes_file"]
    done = store.run("token", "issue", "--client", "robot", "--subject", "a", f"--ttl={ttl}")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "--ttl" in done.stderr and "30s" in done.stderr
    assert store.json("store", "stat")["tokens"] == before


def test_token_is_named_by_jti_or_comes_on_stdin(store):
    """A-CLI-04"""
    made = store.issue()
    for stdin in (made["access_token"], made["access_token"] + "\n", made["jti"] + "\n"):
        assert store.json("token", "introspect", "-", stdin=stdin)["active"]
    warned = store.run("token", "introspect", made["access_token"])
    assert warned.returncode == 0 and "warning" in warned.stderr
    assert "warning" not in store.run("token", "introspect", made["jti"]).stderr


@pytest.mark.parametrize("stdin", ["", "\n", "a\nb\n", "x" * 9000, "assay_at_" + "A" * 56])
def test_nonsense_on_stdin_is_no_live_token(store, stdin):
    assert store.run("token", "introspect", "-", stdin=stdin).returncode == 1


def test_forged_secret_behind_a_true_address_is_not_active(store):
    made = store.issue()
    other = store.issue()
    text, donor = made["access_token"], other["access_token"]
    forged = text[:31] + donor[31:]
    answer = json.loads(store.run("token", "introspect", "-", "--json", stdin=forged).stdout)
    assert answer == {"active": False}


def test_revoking_ends_a_token_and_doing_it_again_is_no_error(store):
    made, other = store.issue(), store.issue()
    assert store.json("token", "revoke", made["jti"])["changed"] is True
    assert not store.active(made["jti"]) and store.active(other["jti"])
    assert store.json("token", "revoke", made["jti"])["changed"] is False
    assert store.json("token", "revoke", "-", stdin=other["access_token"])["changed"] is True
    assert not store.active(other["jti"])
    done = store.run("token", "revoke", "A" * 22)
    assert done.returncode == 1 and "no such token" in done.stderr


def test_revoking_a_refresh_token_ends_its_grant(store):
    made = store.issue("--refresh")
    store.ok("token", "revoke", made["refresh_token_jti"])
    assert not store.active(made["jti"])


def test_grant_and_subject_end(store):
    a, b = store.issue("--refresh"), store.issue("--refresh")
    grants = store.json("grant", "list", "--subject", "alice")["grants"]
    assert [g["grant"] for g in grants] == [a["grant"], b["grant"]]
    assert not any(g["ended"] for g in grants)
    assert store.json("grant", "list", "--subject", "bob")["grants"] == []
    assert store.json("grant", "end", a["grant"])["changed"] is True
    assert not store.active(a["jti"]) and store.active(b["jti"])
    assert store.json("grant", "end", a["grant"])["changed"] is False
    for wrong in ("1", "0", "x", "9" * 19, "18446744073709551616"):
        assert store.run("grant", "end", wrong).returncode == 1
    store.ok("subject", "end", "alice")
    assert not store.active(b["jti"])
    assert all(g["ended"] for g in store.json("grant", "list", "--subject", "alice")["grants"])
    assert int(a["grant"]) > (time.time() - 3600) * 2**24  # numbers never go back
    assert store.active(store.issue()["jti"])


def test_why_tells_the_reason(store):
    made = store.issue("--refresh")
    assert store.why(made["jti"])["reason"] == "live"
    store.ok("subject", "end", "alice")
    told = store.why(made["jti"])
    assert (told["reason"], told["revoked"]) == ("revoked", "subject")
    assert told["revoked_by"] == "administrator" and told["sub"] == "alice"
    assert abs(told["revoked_at"] - time.time()) < 60

    short = store.issue("--ttl", "1s")
    deadline = time.time() + 10
    while store.why(short["jti"])["reason"] == "live" and time.time() < deadline:
        time.sleep(0.1)
    assert store.why(short["jti"])["reason"] == "expired"

    early = store.issue("--not-before", "1h")
    assert store.why(early["jti"])["reason"] == "not yet valid"
    assert not store.active(early["jti"])
    assert store.why("A" * 22)["reason"] == "unknown"
    assert store.why("-", stdin="no token at all")["reason"] == "malformed"

    live = store.issue()
    text = live["access_token"]
    assert store.why("-", stdin=text[:-1] + ("A" if text[-1] != "A" else "B"))["reason"] == "malformed"
    store.ok("client", "add", "other", "--resource-server", "--audience", "https://b.example")
    assert "audience" in store.why(live["jti"], "--for", "other")["explanation"]
    assert store.why(live["jti"], "--for", "gateway")["active"] is True
    assert "no resource server" in store.why(live["jti"], "--for", "robot")["explanation"]
    assert "no such" in store.why(live["jti"], "--for", "nobody")["explanation"]


def test_key_rotation_leaves_tokens_alive_until_the_fifth(store):
    made = store.issue()
    for _ in range(3):
        store.ok("key", "rotate")
        assert store.active(made["jti"])
    assert store.json("token", "introspect", "-", stdin=made["access_token"])["active"]
    store.ok("key", "rotate")
    assert not store.active(made["jti"])
    assert store.active(store.issue()["jti"])


# --- the store ---


def test_store_is_private_whatever_the_umask(tmp_path):
    """A-CLI-10"""
    path = tmp_path / "store"
    assert run("store", "create", path, preexec_fn=lambda: os.umask(0)).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    files = list(path.iterdir())
    assert files
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_store_is_not_made_among_the_files_of_others(tmp_path):
    """A-CLI-03: a mistyped path must not shut, say, a home directory."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    (home / "letter").write_text("dear")
    done = run("store", "create", home)
    assert done.returncode == 1 and "not empty" in done.stderr
    assert stat.S_IMODE(home.stat().st_mode) == 0o755 and len(list(home.iterdir())) == 1
    (home / "letter").unlink()
    (home / "data.new").write_text("left by a creation that did not end")
    assert run("store", "create", home).returncode == 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_store_path_that_is_no_directory_of_a_store_is_refused(tmp_path, store):
    """A-CLI-03"""
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(store.path)
    for name in ("file", "empty", "fifo", "link", "missing"):
        done = run("client", "list", store=tmp_path / name)
        assert done.returncode == 1 and done.stdout == "", name
        assert len(done.stderr.splitlines()) == 1
    assert run("client", "list", store="/dev/null").returncode == 1
    assert run("client", "list", store="../../etc").returncode == 1
    for name in ("file", "fifo", "link"):
        assert run("store", "create", tmp_path / name).returncode == 1, name
    assert run("store", "create", store.path).returncode == 1
    assert store.json("client", "show", "robot")["client_id"] == "robot"


def test_backup_is_a_store_and_overwrites_nothing(store, tmp_path):
    """A-CLI-08"""
    made = store.issue()
    copy = tmp_path / "copy"
    store.ok("store", "backup", copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    before = copy.read_bytes()
    assert store.run("store", "backup", copy).returncode == 1
    assert copy.read_bytes() == before
    assert store.run("store", "backup", store.path / "data").returncode == 1
    small = tmp_path / "small"
    store.ok("store", "compact", small)
    assert small.stat().st_size <= copy.stat().st_size
    assert store.active(made["jti"])


def test_backup_onto_a_full_disk_is_a_clean_error(store, tmp_path):
    """A-CLI-08: a limit on the size of files stands for the full disk."""
    copy = tmp_path / "copy"
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    for verb in ("backup", "compact"):
        done = store.run("store", verb, copy, preexec_fn=limit)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
        assert not copy.exists()
    assert store.active(store.issue()["jti"])


def test_backup_taken_while_others_write_is_consistent(store, tmp_path):
    """A-CLI-08: what was acknowledged before the copy began is in it."""
    before = [store.issue()["jti"] for _ in range(5)]
    copy = tmp_path / "copy"
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(store.issue) for _ in range(40)]
        store.ok("store", "backup", copy)
        during = [w.result()["jti"] for w in writing]
    store.ok("store", "restore", copy, "--keep-tokens")
    assert all(store.active(jti) for jti in before)
    known = [store.why(jti)["reason"] for jti in during]
    assert set(known) <= {"live", "unknown"}
    assert store.active(store.issue()["jti"])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as others")
def test_store_of_a_service_user_stays_that_users():
    """A-CLI-10"""
    with tempfile.TemporaryDirectory(prefix="assay-") as place:
        os.chmod(place, 0o711)
        command = shutil.copy(ASSAY, place)  # where it was built, others may not go
        check_store_of_a_service_user(Store(pathlib.Path(place) / "store"), command)


def check_store_of_a_service_user(store, command):
    user = pwd.getpwnam("www-data")
    other = pwd.getpwnam("nobody")
    for path in [store.path, *store.path.iterdir()]:
        os.chown(path, user.pw_uid, user.pw_gid)

    def become(who):
        def change():
            os.setgroups([])
            os.setgid(who.pw_gid)
            os.setuid(who.pw_uid)
        return change

    made = [store.issue()["jti"] for _ in range(3)]
    store.ok("client", "list")
    for path in store.path.iterdir():
        assert path.stat().st_uid == user.pw_uid, path
    done = store.run("token", "issue", "--client", "robot", "--subject", "a",
                     preexec_fn=become(user), executable=command)
    assert done.returncode == 0, done.stderr
    done = store.run("client", "list", preexec_fn=become(other), executable=command)
    assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert all(store.active(jti) for jti in made)


def test_restore_ends_every_token_unless_told_otherwise(store, tmp_path):
    """REL-03"""
    made, revoked = store.issue(), store.issue()
    copy = tmp_path / "copy"
    store.ok("store", "backup", copy)
    store.ok("token", "revoke", revoked["jti"])
    store.ok("store", "restore", copy)
    assert not store.active(made["jti"]) and not store.active(revoked["jti"])
    assert store.why(made["jti"])["revoked_by"] == "restore"
    assert store.active(store.issue()["jti"])
    kept = store.ok("store", "restore", copy, "--keep-tokens")
    assert "warning" in kept.stderr
    assert store.active(made["jti"])


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "empty"])
def test_restore_of_a_damaged_copy_leaves_the_store_alone(store, tmp_path, damage):
    """A-CLI-09"""
    made = store.issue()
    copy = tmp_path / "copy"
    store.ok("store", "backup", copy)
    data = bytearray(copy.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        where = data.index(b"robot")
        data[where] ^= 0x20
    elif damage == "foreign":
        data = bytearray(b"SQLite format 3\0" + bytes(20000))
    else:
        data = bytearray()
    copy.write_bytes(data)
    done = store.run("store", "restore", copy)
    assert done.returncode == 1, done.stdout
    assert store.active(made["jti"])


def test_many_at_once_all_exist(store):
    """A-CLI-07"""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: store.issue(), range(50)))
    assert len({m["jti"] for m in made}) == 50
    for m in made[::7]:
        assert store.active(m["jti"])


def test_killed_command_leaves_a_store_that_works(store):
    """A-CLI-07"""
    process = subprocess.Popen(
        [ASSAY, "--store", str(store.path), "token", "issue", "--client", "robot", "--subject", "a"],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.active(store.issue()["jti"])


# --- the command line itself ---


def test_help_is_on_stdout_and_usage_errors_are_not(store):
    for args in (["--help"], ["help"], ["client", "--help"], ["help", "client", "add"],
                 ["client", "add", "-h"], ["help", "--man"], ["completion", "bash"], ["--version"]):
        done = run(*args)
        assert done.returncode == 0 and done.stdout and not done.stderr, args
    for args in ([], ["client"], ["nosuch"], ["client", "nosuch"], ["client", "add", "--nosuch"],
                 ["token", "issue"], ["token", "revoke"], ["completion", "zsh"]):
        done = run(*args)
        assert done.returncode == 2 and not done.stdout and done.stderr, args
    assert "exit codes" in run("--help").stdout


def test_completion_is_a_script_that_bash_takes(tmp_path):
    script = tmp_path / "assay.bash"
    script.write_text(run("completion", "bash").stdout)
    asked = subprocess.run(
        ["bash", "-c", f"source {script}; COMP_WORDS=(assay client ''); COMP_CWORD=2; _assay; "
                       'echo "${COMPREPLY[*]}"'],
        capture_output=True, text=True, check=True,
    )
    assert "rotate-secret" in asked.stdout and "issue" not in asked.stdout


def test_mistyped_words_suggest_the_right_ones():
    assert "did you mean 'introspect'?" in run("token", "instrospect").stderr
    assert "did you mean '--scope'?" in run("client", "add", "--scpoe", "x").stderr


def test_secret_as_an_argument_is_refused_without_repeating_it():
    """A-CLI-04"""
    for args in (["client", "add", "x", "--secret", "CANARY-1234"],
                 ["client", "add", "x", "--client-secret=CANARY-1234"],
                 ["client", "add", "x", "CANARY-1234"]):
        done = run(*args)
        assert done.returncode == 2 and "CANARY" not in done.stdout + done.stderr


def test_output_that_does_not_arrive_is_an_error(store):
    """A-CLI-06"""
    with open("/dev/full", "w") as full:
        done = store.run("client", "list", stdout=full)
    assert done.returncode == 1 and "could not be printed" in done.stderr
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken:
        done = store.run("client", "list", stdout=broken)
    assert done.returncode == 1 and done.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_do_not_reach_the_store(store, closed):
    """F-16"""
    done = subprocess.run(
        ["bash", "-c", f'"$0" --store "$1" token issue --client robot --subject a {closed}', ASSAY,
         str(store.path)],
        capture_output=True, text=True, timeout=60,
    )
    assert (done.returncode == 0) == (">&-" not in closed.replace("2>&-", "")), done.stderr
    assert store.active(store.issue()["jti"])


def test_environment_names_the_store_and_an_option_wins(store, tmp_path):
    done = run("client", "list", "--json", env={"ASSAY_STORE": str(store.path)})
    assert done.returncode == 0
    done = run("client", "list", store=store.path, env={"ASSAY_STORE": str(tmp_path / "none"),
                                                        "ASSAY_SERVER": "https://127.0.0.1:1"})
    assert done.returncode == 0


def test_server_needs_https_and_a_credential(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x" * 43)
    secret.chmod(0o600)
    who = ["--client", "ops", "--secret-file", str(secret)]
    assert run("--server", "https://localhost:1", "client", "list").returncode == 2
    assert run("--server", "https://localhost:1", "--store", "x", *who, "client", "list").returncode == 2
    for url in ("http://auth.example.com", "ftp://localhost", "https://", "localhost",
                "https://localhost@evil.example", "http://127.0.0.1.evil.example"):
        done = run("--server", url, *who, "client", "list")
        assert done.returncode == 1 and "https" in done.stderr, url
    done = run("--server", "https://localhost:1", *who, "client", "list")
    assert done.returncode == 1 and done.stdout == ""


# --- serve ---


def test_print_config_writes_nothing_and_holds_no_secret(tmp_path):
    """A-LOG-03"""
    home = tmp_path / "home"
    home.mkdir()
    done = run("serve", "--print-config", "--store", tmp_path / "store",
               env={"HOME": str(home), "XDG_RUNTIME_DIR": str(tmp_path)})
    assert done.returncode == 0 and "assay_server" in done.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["home"] and not list(home.iterdir())


@pytest.mark.parametrize(
    "args",
    [
        ("--listen", "x"), ("--listen", "127.0.0.1"), ("--listen", "127.0.0.1:0"),
        ("--listen", "127.0.0.1:65536"), ("--listen", "127.0.0.1:1;"), ("--listen", "evil.example:1"),
        ("--cert", "a"), ("--key", "a"), ("--issuer", "ftp://x"), ("--issuer", "http://far.example"),
        ("--issuer", "https://x?y"), ("--issuer", "http://localhost:1"), ("--issuer", ""),
        ("--token-prefix", "Acme"), ("--token-prefix", ""), ("--cert", "a", "--key", "b", "--allow-cleartext"),
    ],
)
def test_serve_refuses_a_wrong_value_and_says_what_it_was_and_what_is_right(args):
    """A-CLI-01: one line, nothing done."""
    done = run("serve", "--print-config", *args)
    assert done.returncode == 2 and done.stdout == ""
    assert args[0] in done.stderr and done.stderr.count("\n") == 1
    if len(args) == 2 and args[0] not in ("--cert", "--key"):
        assert f"'{args[1]}'" in done.stderr and ("wanted" in done.stderr or "has no query" in done.stderr)


@pytest.mark.parametrize("command", [("serve",), ("store", "create", "x"), ("store", "backup", "x"), ("store", "restore", "x")])
@pytest.mark.parametrize("option", [("--server", "https://x"), ("--client", "ops"), ("--secret-file", "x"), ("--cacert", "x")])
def test_what_acts_on_this_machine_refuses_to_be_told_of_a_server(command, option, tmp_path):
    done = run(*option, *command, cwd=tmp_path)
    assert done.returncode == 2 and "acts on this machine" in done.stderr and option[0] in done.stderr
    assert not list(tmp_path.iterdir())


def test_serve_does_not_make_a_store_that_somebody_named(tmp_path):
    done = run("serve", "--store", tmp_path / "typo",
               env={"XDG_RUNTIME_DIR": str(tmp_path / "run")})
    assert done.returncode == 1 and not (tmp_path / "typo").exists()


def test_man_page_is_that_of_the_table():
    page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "man" / "assay.1"
    assert page.read_text() == run("help", "--man").stdout
