"""What a process has open and mapped. A worker is not dumpable, so the system shows that to root alone: an ordinary user
asks by sudo, and without that skips, saying so."""
import os
import pathlib
import subprocess

import pytest


def by_root(*command):
    try:
        done = subprocess.run(["sudo", "-n", *command], capture_output=True, text=True)
    except FileNotFoundError:
        done = None
    if done is None or done.returncode != 0 and "password" in done.stderr:
        pytest.skip("what a worker has open is shown to root alone")
    return done.stdout


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
