"""What is installed, how it was compiled, and the sandbox of the shipped unit."""
import platform
import re
import shutil
import stat
import subprocess

import pytest

from guard import GUARD
from harness import BUILD, MODULE, ROOT

pytestmark = pytest.mark.no_asan  # about the release build alone

BINARIES = [pytest.param(BUILD / "assay", id="command"), pytest.param(MODULE, id="module"), pytest.param(GUARD, id="guard")]


def readelf(option, file):
    return subprocess.run(["readelf", "-W", option, file], check=True, capture_output=True, text=True).stdout


def dynamic_symbols(file):
    """(name, defined here?) of every symbol of the dynamic table."""
    for line in readelf("--dyn-syms", file).splitlines():
        cells = line.split()
        if len(cells) >= 8 and cells[0].rstrip(":").isdigit():
            yield cells[7].split("@")[0], cells[6] != "UND"


@pytest.mark.parametrize("file", BINARIES)
def test_binaries_are_hardened(file):
    """RELIABILITY 4.4: full RELRO, NX, PIE or PIC, stack protector, FORTIFY, no RPATH, no text relocations, no segment that is both."""
    headers, dynamic = readelf("-l", file), readelf("-d", file)
    assert "GNU_RELRO" in headers
    assert re.search(r"\(FLAGS\).*BIND_NOW|\(FLAGS_1\).*NOW|\(BIND_NOW\)", dynamic)
    assert re.search(r"GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RW\s", headers)
    assert not re.search(r"LOAD.*\bRWE\b", headers)
    assert "Type:" in (head := readelf("-h", file)) and "DYN" in head
    assert "(RPATH)" not in dynamic and "(RUNPATH)" not in dynamic and "TEXTREL" not in dynamic
    needed = {name for name, defined in dynamic_symbols(file) if not defined}
    assert "__stack_chk_fail" in needed
    assert any(name.endswith("_chk") for name in needed), needed
    if platform.machine() == "x86_64":  # -fcf-protection: whatever may be called indirectly says so
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", file], check=True, capture_output=True, text=True).stdout
        assert code.count("endbr64") > 30


@pytest.mark.parametrize("module", [MODULE, GUARD])
def test_a_module_exports_what_nginx_asks_for_and_nothing_else(module):
    """nginx loads modules into one name space."""
    exported = {name for name, defined in dynamic_symbols(module) if defined}
    assert exported == {"ngx_modules", "ngx_module_names", "ngx_module_order"}


def test_the_module_needs_neither_an_http_client_nor_a_database_server():
    """A server module brings LMDB, jansson and libcrypto along; curl belongs to the command and the guard."""
    needed = set(re.findall(r"NEEDED.*\[(\w+)", readelf("-d", MODULE)))
    assert needed <= {"liblmdb", "libjansson", "libcrypto", "libc"}, needed


def test_a_gateway_loads_no_database():
    needed = set(re.findall(r"NEEDED.*\[(\w+)", readelf("-d", GUARD)))
    assert needed <= {"libcurl", "libssl", "libjansson", "libcrypto", "libc"}, needed


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    where = tmp_path_factory.mktemp("install")
    done = subprocess.run(["make", "-C", ROOT, "install", f"DESTDIR={where}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return where


def test_make_install_puts_each_file_in_its_place(installed):
    """And nothing else, nowhere else."""
    modes = {str(f.relative_to(installed)): stat.S_IMODE(f.stat().st_mode) for f in installed.rglob("*") if f.is_file()}
    assert modes == {
        "usr/bin/assay": 0o755,
        "usr/lib/nginx/modules/ngx_http_assay_server_module.so": 0o644,
        "usr/lib/nginx/modules/ngx_http_assay_guard_module.so": 0o644,
        "usr/share/man/man1/assay.1": 0o644,
        "usr/share/bash-completion/completions/assay": 0o644,
        "usr/share/nginx/modules-available/mod-http-assay-server.conf": 0o644,
        "usr/share/nginx/modules-available/mod-http-assay-guard.conf": 0o644,
        "lib/systemd/system/assay.service": 0o644,
    }
    assert (installed / "usr/share/man/man1/assay.1").read_text() == (ROOT / "docs/man/assay.1").read_text()
    assert subprocess.run(["bash", "-n", installed / "usr/share/bash-completion/completions/assay"]).returncode == 0


def test_the_installed_command_finds_the_module_beside_it_and_not_the_build_tree(installed):
    done = subprocess.run([installed / "usr/bin/assay", "serve", "--print-config", "--store", "/x"], capture_output=True, text=True)
    assert done.returncode == 0 and str(ROOT) not in done.stdout
    assert f'load_module "{installed}/usr/lib/nginx/modules/ngx_http_assay_server_module.so";' in done.stdout


def unit():
    """{section: [(key, value)]}"""
    sections, name = {}, None
    for line in (ROOT / "packaging" / "assay.service").read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            sections[name] = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            sections[name].append((key, value))
    return sections


SANDBOX = """NoNewPrivileges=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes ProtectKernelTunables=yes
ProtectKernelModules=yes ProtectControlGroups=yes ProtectClock=yes ProtectProc=invisible RestrictNamespaces=yes RestrictSUIDSGID=yes
LockPersonality=yes MemoryDenyWriteExecute=yes SystemCallFilter=@system-service SystemCallArchitectures=native UMask=0077 LimitCORE=0
KillMode=mixed""".split()


def test_the_shipped_unit_is_a_sandbox():
    """RELIABILITY 4.5, F-05 (the unit ends the whole group): textually, since a machine without systemd cannot start it."""
    service = unit()["Service"]
    said = dict(service)
    assert len(said) == len([k for k, _ in service if k != "ExecStartPre"]) + 1  # nothing stands twice
    for line in SANDBOX:
        key, _, value = line.partition("=")
        assert said.get(key) == value, line
    assert said["RestrictAddressFamilies"].split() == ["AF_UNIX", "AF_INET", "AF_INET6"]
    assert said["ReadWritePaths"].split() == ["/var/lib/assay"] and said["LogsDirectory"] == "assay"
    allowed = {"CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE"}
    assert set(said["CapabilityBoundingSet"].split()) <= allowed
    limit = re.search(r"worker_shutdown_timeout (\d+)s", (ROOT / "src/tool/nginx_conf.c").read_text())[1]
    assert int(said["TimeoutStopSec"].rstrip("s")) > int(limit)
    assert not any("secret" in value.lower() or "password" in value.lower() for _, value in service)


def test_systemd_takes_the_unit():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd on this machine")
    done = subprocess.run(["systemd-analyze", "verify", ROOT / "packaging" / "assay.service"], capture_output=True, text=True)
    assert "assay.service" not in done.stderr, done.stderr
