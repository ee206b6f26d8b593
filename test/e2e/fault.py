"""The fault shim (test/fault/fault.h) around a real server: one fault after another, without a restart."""

import mmap
import os
import pathlib
import struct
import subprocess
import tempfile

from harness import ASSAY, BUILD, Server

SHIM = BUILD / "test" / "libfault.so"
DEEP = bool(os.environ.get("ASSAY_DEEP"))
SIZE = 4096
GENERATION, FIRED, CALLS, FIRED_PID, DISK, SPEC, PATH, CALLER, DISK_DIR, WHERE = 0, 4, 8, 12, 16, 24, 280, 536, 664, 920


class Faults:
    """The page that a preloaded process reads its faults from."""

    def __init__(self):
        handle, self.file = tempfile.mkstemp(prefix="assay-fault-")
        os.ftruncate(handle, SIZE)
        os.fchmod(handle, 0o666)
        self.page = mmap.mmap(handle, SIZE)
        os.close(handle)
        self.generation = 0

    @property
    def env(self):
        return {"LD_PRELOAD": str(SHIM), "FAULT_CTL": self.file}

    def put(self, offset, text, size=256):
        self.page[offset:offset + size] = text.encode()[:size - 1].ljust(size, b"\0")

    def number(self, offset):
        return struct.unpack_from("<I", self.page, offset)[0]

    def arm(self, spec, path="", caller=""):
        """See fault.h: counting begins anew, in each process."""
        struct.pack_into("<I", self.page, GENERATION, 0)
        self.put(SPEC, spec)
        self.put(PATH, str(path))
        self.put(CALLER, caller, 128)
        struct.pack_into("<II", self.page, FIRED, 0, 0)
        self.generation += 1
        struct.pack_into("<I", self.page, GENERATION, self.generation)

    def disarm(self):
        struct.pack_into("<I", self.page, GENERATION, 0)

    @property
    def fired(self):
        return self.number(FIRED)

    @property
    def fired_pid(self):
        return self.number(FIRED_PID)

    def disk(self, directory, size):
        """From now on `directory` lies on a disk of its own with `size` bytes; 0: no more."""
        self.put(DISK_DIR, str(directory))
        struct.pack_into("<Q", self.page, DISK, size)

    def close(self):
        self.page.close()
        pathlib.Path(self.file).unlink(missing_ok=True)


class FaultyServer(Server):
    """A server with the shim in all its processes."""

    def __init__(self, **kwargs):
        self.faults = Faults()
        super().__init__(env=self.faults.env, **kwargs)

    def stop(self):
        self.faults.disarm()
        super().stop()
        self.faults.close()


def faulty_cli(server, *args, fault, path="", stdin=None, timeout=60, limit=None):
    """The command under a fault: (code, stdout, stderr)."""
    env = {**os.environ, "LD_PRELOAD": str(SHIM), "FAULT": fault, "FAULT_PATH": str(path)}
    done = subprocess.run([ASSAY, *map(str, args), "--store", str(server.store)], input=stdin, capture_output=True, text=True,
                          timeout=timeout, env=env)
    return done.returncode, done.stdout, done.stderr


def refused(reply):
    """Trouble of ours, said so: 503, when to come back, and what every error has (REL-05, N5)."""
    assert reply is not None and reply.status == 503, reply and (reply.status, reply.body)
    assert int(reply.header("Retry-After")) >= 1
    assert reply.json["error"] and set(reply.json) <= {"error", "error_description"}
    assert reply.header("Cache-Control") == "no-store"
    return True


def reasons(server):
    """(status of /readyz, its words)."""
    reply = server.get("/readyz", clear=True)
    return reply.status, reply.json["reasons"]
