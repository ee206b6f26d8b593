"""What the documentation says against what the product does: names, defaults, paths, links."""
import os
import re
import shlex
import subprocess

import pytest

from guard import Guard
from harness import ASSAY, ROOT, Server

DOCS = ROOT / "docs"


def source(path):
    return (ROOT / "src" / path).read_text()


def text(name):
    return (DOCS / name).read_text()


def limits():
    """Every number of base/limits.h by its name."""
    return {name: int(value) for name, value in re.findall(r"^#define (ASSAY_\w+) (\d+)\b", source("base/limits.h"), re.M)}


def documented_options(heading):
    """{name: default} of one directive's table."""
    section = text("configuration.md").split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)=` \| ([^|]+) \|", section, re.M))


def options_in_source(table):
    return re.findall(r'ngx_string\("(\w+)="\)', source("host/nginx/ngx_assay_conf.c").split(f"{table}[] = {{")[1].split("};")[0])


@pytest.mark.parametrize("directive,table", [("assay_store", "store_options"), ("assay_server", "server_options")])
def test_every_option_is_documented_and_every_documented_one_is_there(directive, table):
    """Directive list against documentation."""
    assert list(documented_options(directive)) == options_in_source(table)


def test_documented_defaults_are_those_of_the_source():
    server, store, known = documented_options("assay_server"), documented_options("assay_store"), limits()
    assert server["access_lifetime"].strip("` ") == f"{known['ASSAY_DEFAULT_ACCESS_LIFETIME_S'] // 3600}h"
    assert server["refresh_lifetime"].strip("` ") == f"{known['ASSAY_DEFAULT_REFRESH_LIFETIME_S'] // 86400}d"
    assert server["refresh_window"].strip("` ") == f"{known['ASSAY_DEFAULT_REFRESH_WINDOW_S']}s"
    assert server["token_prefix"].strip("` ") == re.search(r'ASSAY_DEFAULT_TOKEN_PREFIX "(\w+)"', source("base/limits.h"))[1]
    header = source("store/lmdb/lmdb_store.h")
    size, shift = re.search(r"ASSAY_STORE_DEFAULT_MAX_SIZE \(UINT64_C\((\d+)\) << (\d+)\)", header).groups()
    assert store["max_size"].strip("` ") == f"{int(size) << int(shift) >> 30}g"
    size, shift = re.search(r"ASSAY_STORE_MAP_SIZE \(UINT64_C\((\d+)\) << (\d+)\)", header).groups()
    assert store["map_size"].strip("` ") == f"{int(size) << int(shift) >> 30}g"


def test_documented_limits_are_those_of_the_source():
    rows = re.findall(r"^\| `(ASSAY_\w+)` \| (\d+) \|", text("configuration.md"), re.M)
    assert len(rows) > 15
    assert {name: int(value) for name, value in rows} == {name: limits()[name] for name, _ in rows}


def test_every_word_of_readiness_is_documented():
    words = set(re.findall(r'add_reason\([^"]*"(\w+)", (true|false)\)', source("store/lmdb/lmdb_read.c").replace("\n", " ")))
    words.add((re.search(r'ASSAY_SLICE\("(store_\w+)"\)', source("server/health.c"))[1], "true"))
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", text("operations.md"), re.M)
    assert {(word, {"true": "yes", "false": "no"}[blocks]) for word, blocks in words} == set(rows)


def test_every_administrative_path_is_documented_and_has_a_command():
    paths = set(re.findall(r'\{"(/admin/[\w/-]+)"', source("admin/admin.c")))
    said = set()
    for row in re.findall(r"^\| (`/admin/[^|]+) \|", text("admin-api.md"), re.M):
        first, *more = re.findall(r"`(/[\w/-]+)`", row)
        said.add(first)
        said.update(first.rpartition("/")[0] + other for other in more)
    assert said == paths and len(paths) > 15
    commands = "".join(path.read_text() for path in sorted((ROOT / "src" / "tool").glob("cmd_*.c")))
    assert set(re.findall(r'\.path = "(/admin/[\w/-]+)"', commands)) == paths


def pages():
    return [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]


@pytest.mark.parametrize("page", pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_commands_of_the_documentation_are_commands():
    """Every `assay …` line of README and docs is one that the command takes, as far as its words and options go."""
    found = 0
    for page in (ROOT / "README.md", DOCS / "operations.md", DOCS / "admin-api.md", DOCS / "configuration.md"):
        for line in re.findall(r"^    (assay .*)$", page.read_text(), re.M):
            words = shlex.split(re.sub(r"\$\([^)]*\)", "X", re.split(r"\s+#|\s+&&|\s+>", line)[0]))
            if words[1].startswith(("/", "DIR")):
                continue
            done = subprocess.run([ASSAY, *words[1:], "--help"], capture_output=True, text=True)
            assert done.returncode == 0, (page, line, done.stderr)
            for option in re.findall(r"--[a-z-]+", line):
                assert f"  {option} " in done.stdout, (page, line, option)
            found += 1
    assert found > 10


def taken_by_nginx(server, page, heading, replaced):
    """nginx -t of the first configuration below a heading, word for word but for what is replaced."""
    block = (ROOT / page).read_text().split(heading)[1].split("\n## ")[0]
    lines = [line[4:] for line in block.splitlines() if line.startswith("    ")]
    conf = "\n".join(lines[lines.index(next(l for l in lines if l.startswith("load_module"))):lines.index("}") + 1])
    temp = "".join(f"{n}_temp_path {server.dir}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    modules = server.conf().split("load_module ")[1].split("ngx_http")[0]
    for old, new in (("modules/ngx_http", f"{modules}ngx_http"), ("http {", "http { " + temp), *replaced):
        assert old in conf, old
        conf = conf.replace(old, new)
    user = "user root;" if os.geteuid() == 0 else ""
    (server.dir / "nginx.conf").write_text(f"{conf}\n{user} pid {server.dir}/pid; events {{}}\n")
    done = subprocess.run(**server.nginx("-t"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + server.log()


def test_the_configuration_of_the_readme_is_taken_by_nginx():
    with Server(start=False) as server:
        taken_by_nginx(server, "README.md", "## An authorization server, in an nginx that is there already", (
            ("/var/lib/assay", str(server.store)), ("ssl_certificate …;", f"ssl_certificate {server.dir}/cert.pem;"),
            ("ssl_certificate_key …;", f"ssl_certificate_key {server.dir}/key.pem;"), ("443", str(server.port)), ("/var/log/nginx", str(server.dir))))


@pytest.mark.parametrize("page,heading", [("README.md", "## In front of an API, with the authorization server that you have"), ("docs/guard.md", "# The guard")])
def test_the_guards_quick_start_is_taken_by_nginx(page, heading):
    with Guard(start=False) as guard:
        taken_by_nginx(guard, page, heading, (("/etc/assay/gateway.secret", str(guard.dir / "secret")),
                                              ("server {", f"access_log off; server {{ listen 127.0.0.1:{guard.port};"), ("//backend", "//127.0.0.1:9")))

