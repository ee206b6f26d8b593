"""What a process has open and mapped. A worker is not dumpable, so the system shows that to root alone: an ordinary user
asks by sudo, and without that skips, saying so."""
import os
import pathlib
import shutil
import subprocess

import pytest


def by_root(*command):
    if shutil.which("sudo") is None or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode != 0:
        pytest.skip("what a worker has open is shown to root alone")
    return subprocess.run(["sudo", "-n", *command], capture_output=True, text=True).stdout


def open_files(pid):
    """{descriptor: what it leads to}"""
    try:
        found = {}
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
            except FileNotFoundError:
                pass  # closed meanwhile
        return found
    except PermissionError:
        lines = by_root("find", f"/proc/{pid}/fd", "-mindepth", "1", "-printf", "%f %l\\n").splitlines()
        return {int(line.split(" ", 1)[0]): line.split(" ", 1)[1] for line in lines}


def maps(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/maps").read_text()
    except PermissionError:
        return by_root("cat", f"/proc/{pid}/maps")
