"""Another: oauth4webapi, the library behind many Node services."""

import json
import os
import shutil
import subprocess

from harness import ROOT


def test_oauth4webapi_gets_introspects_and_revokes(world):
    """Another: the library behind many Node services."""
    where = ROOT / "test" / "clients"
    node = shutil.which("node")
    assert node and (where / "node_modules").is_dir(), "run tools/install-deps test"
    major = int(subprocess.run([node, "-p", "process.versions.node.split('.')[0]"], capture_output=True, text=True).stdout)
    flags = ["--experimental-global-webcrypto"] if major == 18 else []
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    done = subprocess.run([node, *flags, where / "oauth4webapi.mjs", world.server.issuer, *world.cl1, *world.rs1], capture_output=True,
                          text=True, timeout=60, env={**env, "NODE_EXTRA_CA_CERTS": str(world.server.dir / "cert.pem")})
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["before"]["active"] is True and answer["before"]["scope"] == "read" and answer["after"] == {"active": False}
