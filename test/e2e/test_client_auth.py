"""Client authentication at the endpoints."""

import base64
import concurrent.futures
import json

import hostile
import pytest
from harness import API1, INACTIVE, Server, World, basic, wait_until


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def logged(server, text):
    """The lines of the error log that have `text`, once there is one."""
    return wait_until(lambda: [line for line in server.log().splitlines() if text in line], what=f"{text} is logged")


def challenge(reply):
    return reply.status == 401 and reply.error == "invalid_client" and reply.header("WWW-Authenticate") == 'Basic realm="assay"'


def test_wrong_credentials_are_all_alike(world):
    """A-AUTH-02 A-AUTH-09 R7662-2.3-1 R6749-5.2-3b R6749-5.2-3 A-SIDE-04 R7617-2-1"""
    id, secret = world.rs1
    disabled = world.server.add_client("disabled", "--resource-server", "--audience", API1)
    world.server.cli("client", "disable", "disabled")
    raws = set()
    for user, password in (("nobody", "x"), (id, "wrong"), (id, secret + "x"), (id, secret[:-1]), (id, secret.swapcase()),
                           ("disabled", disabled["client_secret"]), ("pub1", "x"), (id.upper(), secret), (id, secret[::-1]), (id, secret * 2)):
        for path, form in (("/oauth2/introspect", {"token": "x"}), ("/oauth2/revoke", {"token": "x"}), ("/oauth2/token", {"grant_type": "client_credentials"})):
            reply = world.server.post(path, form, auth=(user, password))
            assert challenge(reply), (user, path, reply.status, reply.body)
            raws.add(tuple((k, v) for k, v in reply.headers if k != "Date") + (reply.body,))
    assert len(raws) == 1


def test_a_long_secret_is_compared_to_its_end(world, tmp_path):
    """A-AUTH-09: the operator's own, hashed by scrypt: not its first 72 bytes, nor one more, nor another case."""
    secret = "Correct-Horse-" * 14
    file = tmp_path / "secret"
    file.write_text(secret)
    file.chmod(0o600)
    world.server.cli("client", "add", "long", "--resource-server", "--audience", API1, "--secret-file", file)
    for wrong in (secret[:72], secret[:-1], secret + "x", secret.swapcase(), secret[:72] + "x" * (len(secret) - 72), ""):
        assert challenge(world.server.introspect("x", ("long", wrong))), wrong
    assert world.server.introspect("x", ("long", secret)).body == INACTIVE


@pytest.mark.parametrize("value", hostile.BAD_BASIC, ids=lambda value: value[:40])
def test_credentials_that_cannot_be_read(world, untouched, value):
    """A-AUTH-05 A-AUTH-06 A-AUTH-08"""
    assert challenge(world.server.introspect("x", value))


def test_a_header_beyond_nginx_is_a_400(world, untouched):
    """A-AUTH-08: a secret of 8 KiB does not fit a header line."""
    assert world.server.introspect("x", ("rs1", "b" * 8192)).status == 400


@pytest.mark.parametrize("id,shown", [("who\x1b[2J\r\n\"%n%s", None), ("i" * 250, "i" * 40), ("\u202eltr", "\\xE2\\x80\\xAEltr"), ("a\\b", "a\\x5Cb")])
def test_the_log_shows_who_failed_and_never_the_secret(own, id, shown):
    """A-AUTH-08 A-LOG-01: escaped and cut, on one line. Control characters are in no id, so that is no id that could be shown."""
    secret = "CANARY-" + "s" * 20
    assert challenge(own.server.introspect("x", (id, secret)))
    line, = logged(own.server, "cannot be read" if shown is None else "client authentication failed")
    assert line.isascii() and line.isprintable() and len(line) < 400
    assert shown is None or f'client "{shown}' in line
    assert secret not in own.server.log() and "%n" not in line


@pytest.mark.parametrize("spell", ["bAsIc {}", "Basic   {}", "BASIC {}"])
def test_the_scheme_is_case_insensitive_and_spaces_are_fine(world, spell):
    """A-AUTH-11 R7617-2-1"""
    assert world.server.introspect("x", spell.format(b64(":".join(world.rs1)))).body == INACTIVE


def test_the_published_encodings(world, tmp_path):
    """R6749-2.3.1-2 A-AUTH-07 P-2.3-3: every case of client-secret-basic, with secrets that the operator brought."""
    from harness import ROOT
    cases = json.loads((ROOT / "test" / "vector" / "client-secret-basic.json").read_text())["cases"]
    server = world.server
    for case in cases:
        if case["expect"] == "invalid":
            assert challenge(server.introspect("x", case["header"])), case["id"]
    for number, password in enumerate(["p@ss+w+rd/=%", "s:e:c:r:e:t", "rs:Mku-6g_lCzKIdz4fsN7kYcya+Ti", "a%2Bb%2Bc%2Bd"]):
        file = tmp_path / f"secret-{number}"
        file.write_text(password)
        file.chmod(0o600)
        client = f"brought{number}"
        server.cli("client", "add", client, "--resource-server", "--audience", API1, "--secret-file", file)
        assert server.introspect("x", (client, password)).body == INACTIVE, password
        raw = "Basic " + b64(f"{client}:{password}")
        if not password.endswith("%"):
            assert server.introspect("x", raw).body == INACTIVE, password
        assert server.introspect("x", (client, password + "x")).status == 401


def test_a_public_client_is_nobody_at_introspection(world):
    """A-AUTH-02"""
    assert challenge(world.server.post("/oauth2/introspect", {"token": "x", "client_id": "pub1"}))


@pytest.mark.parametrize("extra", [{"client_secret": "x"}, {"client_assertion": "x", "client_assertion_type": "y"}])
def test_two_methods_at_once(world, extra):
    """A-AUTH-03 P-7662-4 R6749-2.3-1"""
    for secret in (extra, {**extra, "client_secret": world.rs1[1]}, {**extra, "client_id": "rs1", "client_secret": world.rs1[1]}):
        for path in ("/oauth2/introspect", "/oauth2/revoke", "/oauth2/token"):
            reply = world.server.post(path, {"token": "x", **secret}, auth=world.rs1)
            assert reply.status == 400 and reply.error == "invalid_request"
    reply = world.server.post("/oauth2/introspect", {"token": "x", "client_id": "rs1", "client_secret": world.rs1[1], "client_assertion": "z"})
    assert reply.status == 400 and reply.error == "invalid_request"


def test_two_authorization_fields(world):
    """A-AUTH-04"""
    reply = world.server.introspect("x", world.rs1, headers=[("Authorization", basic(*world.rs1))])
    assert reply.status == 400


def test_the_body_must_not_name_another_client(world):
    """A-AUTH-10 P-2.3-4: with credentials of either that are right; both names are logged."""
    post = lambda id, auth: world.server.post("/oauth2/introspect", {"token": "x", "client_id": id}, auth=auth)
    assert post("rs1", world.rs1).body == INACTIVE
    for id, auth in (("cl1", world.rs1), ("rs2", world.rs1), ("RS1", world.rs1), ("rs1 ", world.rs1), ("rs1", world.cl1)):
        assert post(id, auth).status in (400, 401)
    assert logged(world.server, 'client "rs1", in the body "rs2"') and logged(world.server, 'client "cl1", in the body "rs1"')


def test_the_body_is_for_clients_registered_for_it(world):
    """R6749-2.3.1-3 P-2.3-1"""
    poster = world.server.add_client("poster", "--resource-server", "--audience", API1, "--auth-method", "client_secret_post")
    form = {"token": "x", "client_id": "poster", "client_secret": poster["client_secret"]}
    assert world.server.post("/oauth2/introspect", form).body == INACTIVE
    assert challenge(world.server.post("/oauth2/introspect", {"token": "x", "client_id": "rs1", "client_secret": world.rs1[1]}))
    assert challenge(world.server.post("/oauth2/introspect", {**form, "client_secret": "wrong"}))


@pytest.mark.parametrize("path,form", [("/oauth2/introspect", {"token": "x"}), ("/oauth2/revoke", {"token": "x"}), ("/oauth2/token", {"grant_type": "client_credentials"})])
def test_credentials_in_the_query_are_nothing(world, untouched, path, form):
    """A-AUTH-12 R6749-2.3.1-4: alone, or beside an id in the body."""
    id, secret = world.cl1
    assert challenge(world.server.post(f"{path}?client_id={id}&client_secret={secret}", form))
    assert challenge(world.server.post(f"{path}?client_secret={secret}", {**form, "client_id": id}))
    assert secret not in world.server.access_log() + world.server.log()


def test_credentials_in_front_of_the_host_are_nothing():
    """A-AUTH-12: nginx takes no userinfo. At the log level we ship the line it refused is not quoted."""
    with Server(log_level="warn") as server:
        world = World(server)
        data = hostile.post("token=x", path=f"https://rs1:{world.rs1[1]}@localhost/oauth2/introspect")
        assert server.raw(data)[0].status in (400, 401)
        server.check_canaries()


def test_a_client_with_credentials_must_use_them(world):
    """R6749-3.2.1-1"""
    assert challenge(world.server.post("/oauth2/token", {"grant_type": "client_credentials", "client_id": "cl1"}))


@pytest.mark.parametrize("header", ["X-SSL-Client-Cert", "X-Client-Cert", "Client-Cert", "SSL-Client-Verify", "X-Remote-User", "Remote-User", "X-Forwarded-User"])
def test_what_a_client_says_of_itself_in_headers_is_ignored(world, header):
    """A-AUTH-18"""
    id = "named-" + header
    world.server.add_client(id, "--resource-server", "--audience", API1)
    for value in (f"CN={id}", id, "SUCCESS", "-----BEGIN CERTIFICATE-----"):
        assert challenge(world.server.introspect("x", None, headers=[(header, value)]))
        assert challenge(world.server.post("/oauth2/introspect", {"token": "x", "client_id": id}, headers=[(header, value)]))


def test_two_secrets_overlap_while_a_client_rotates(world):
    """A-AUTH-22 P-2.3-2"""
    server = world.server
    first = server.add_client("rotating", "--resource-server", "--audience", API1)["client_secret"]
    second = server.cli_json("client", "rotate-secret", "rotating", "--overlap", "2s")["client_secret"]
    assert server.introspect("x", ("rotating", second)).body == INACTIVE
    assert server.introspect("x", ("rotating", first)).body == INACTIVE
    wait_until(lambda: server.introspect("x", ("rotating", first)).status == 401, seconds=6, what="the old secret ends")
    assert all(server.introspect("x", ("rotating", first)).status in (401, 429) for _ in range(8))  # on every worker
    assert server.introspect("x", ("rotating", second)).body == INACTIVE
    third = server.cli_json("client", "rotate-secret", "rotating", "--overlap", "0")["client_secret"]
    assert all(server.introspect("x", ("rotating", second)).status == 401 for _ in range(8))
    assert server.introspect("x", ("rotating", third)).body == INACTIVE


def test_failures_are_limited_where_they_fail(own):
    """A-AUTH-20 R6749-2.3.1-6 R7662-4-9 R7009-5-1: the 21st failure is a 429 on every worker; a correct caller never notices."""
    server = own.server
    statuses = [server.introspect("x", ("rs1", "wrong")).status for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    limited = server.introspect("x", ("rs1", "wrong"))
    assert 1 <= int(limited.header("Retry-After")) <= 60
    for path in ("/oauth2/revoke", "/oauth2/token"):
        assert server.post(path, {"token": "x", "grant_type": "client_credentials"}, auth=("rs1", "other")).status == 429
    assert server.post("/admin/client/list", "{}", auth=("rs1", "other"), type="application/json").status == 429
    assert all(server.introspect("x", own.rs1).body == INACTIVE for _ in range(40))
    assert server.introspect("x", ("rs2", "wrong")).status == 401
    for source in ("127.0.0.2", "203.0.113.9", "2001:db8::9"):
        assert server.introspect("x", own.rs1, source=source).body == INACTIVE
        assert server.introspect("x", ("rs1", "wrong"), source=source).status == 401
    server.reload()
    assert server.introspect("x", ("rs1", "wrong")).status == 429
    assert server.introspect("x", own.rs1).body == INACTIVE
    assert len(logged(server, "client authentication failed")) < 30  # who is limited fills no log
    server.check_floor()


def test_inactive_answers_are_never_limited(world):
    """R7662-4-9"""
    assert all(world.server.introspect(f"x{i}", world.rs1).status == 200 for i in range(60))


def test_a_client_deleted_meanwhile_is_there_or_not(world):
    """A-AUTH-23: each answer is that of before or that of after; what was issued before is dead afterwards, and nothing is later."""
    server = world.server
    for round in range(6):
        id = f"passing{round}"
        auth = (id, server.add_client(id, "--grant", "client_credentials", "--scope", "read", "--audience", API1)["client_secret"])

        def ask(_):
            reply = server.token({"grant_type": "client_credentials"}, auth)
            assert reply.status in (200, 429) or challenge(reply), (reply.status, reply.body)
            return reply.json.get("access_token")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(ask, i) for i in range(60)]
            wait_until(lambda: sum(a.done() for a in answers) > 10)
            server.cli("client", "remove" if round % 2 else "disable", id)
            tokens = [t for t in (a.result() for a in answers) if t]
        assert tokens and not any(world.active(t) for t in tokens)
        assert server.token({"grant_type": "client_credentials"}, auth).status in (401, 429)


def test_a_deleted_client_is_gone_at_once(world):
    """A-AUTH-23 C-6"""
    server = world.server
    gone = server.add_client("gone", "--grant", "client_credentials refresh_token", "--scope", "read write", "--audience", API1)
    auth = ("gone", gone["client_secret"])
    tokens = server.issue("--client", "gone", "--subject", "bob", "--scope", "read", "--audience", API1, "--refresh")
    assert world.active(tokens["access_token"])
    server.cli("client", "remove", "gone")
    assert not world.active(tokens["access_token"])
    assert world.refresh(tokens["refresh_token"], auth).status == 401


def test_a_secret_that_is_now_kept_in_another_form_is_read_anew(own, tmp_path):
    """P-2.3-3: the same header as lately, but the client was registered anew with that secret as one of the operator's."""
    server = own.server
    token = own.at()["access_token"]
    made = server.add_client("moved", "--resource-server", "--audience", API1)
    auth = ("moved", made["client_secret"])
    for _ in range(6):  # more often than there are workers
        assert server.introspect(token, auth).json["active"]
    file = tmp_path / "secret"
    file.write_text(made["client_secret"])
    file.chmod(0o600)
    server.cli("client", "remove", "moved")
    server.cli("client", "add", "moved", "--resource-server", "--audience", API1, "--secret-file", file)
    for _ in range(6):
        assert server.introspect(token, auth).json["active"]
