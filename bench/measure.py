"""What every benchmark shares: processes on cores of their own, the load, two things measured in turns, the report.
The server's one worker is on core 0, the load generator on core 1. A and B alternate; the median of the pairs is what
counts. Each ratio is taken twice, by requests per second and by CPU time of the server per request; the second decides,
since other load hardly moves it."""
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("ASSAY_BUILD_DIR", ROOT / "build"))
RESULTS = ROOT / "bench" / "results"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
NODE = shutil.which("node")
SERVER_CORE, LOAD_CORE = "0", "1"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"bench: the server ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("bench: the server does not listen")


def cpu_ns(pid):
    """CPU time of a process with all its threads, nanoseconds."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Load:
    def __init__(self, port, path, user="a:b", tokens=None, body=None, expect=None, tls=False, connections=32, bearer=False):
        self.args = [str(BUILD / "bench" / "load"), "--port", str(port), "--path", path, "--user", user,
                     "--connections", str(connections)]
        if tokens:
            self.args += ["--tokens", str(tokens)]
        if body:
            self.args += ["--body", body]
        if expect:
            self.args += ["--expect", expect]
        if tls:
            self.args += ["--tls"]
        if bearer:
            self.args += ["--bearer"]

    def run(self, pid, seconds, seed, *more):
        before = cpu_ns(pid)
        out = subprocess.run(["taskset", "-c", LOAD_CORE, *self.args, "--seconds", str(seconds), "--seed", str(seed), *more],
                             capture_output=True, text=True, timeout=seconds + 60)
        after = cpu_ns(pid)
        if out.returncode != 0:
            sys.exit(f"bench: load failed: {out.stdout}{out.stderr}")
        result = json.loads(out.stdout)
        result["cpu_us"] = (after - before) / 1000 / result["requests"]
        return result


def compare(name, a, pid_a, b, pid_b, reach, rounds, seconds, note):
    """Prints b held against a: `name ratio`, with the raw figures behind it. Above 1 means b is faster."""
    a.run(pid_a, 1, 1)
    b.run(pid_b, 1, 2)
    pairs = [(a.run(pid_a, seconds, 10 + i), b.run(pid_b, seconds, 100 + i)) for i in range(rounds)]
    by_rps = statistics.median(y["rps"] / x["rps"] for x, y in pairs)
    by_cpu = statistics.median(x["cpu_us"] / y["cpu_us"] for x, y in pairs)
    middle = lambda side, key: round(statistics.median(p[side][key] for p in pairs), 3)
    report(name, by_cpu, reach, {
        "ratio_rps": round(by_rps, 3), "ratio_cpu": round(by_cpu, 3), "rounds": rounds, "seconds": seconds,
        "against": {"rps": middle(0, "rps"), "cpu_us": middle(0, "cpu_us"), "p99_us": middle(0, "p99_us")},
        "ours": {"rps": middle(1, "rps"), "cpu_us": middle(1, "cpu_us"), "p99_us": middle(1, "p99_us")},
        "note": note})


def report(name, ratio, reach, raw):
    RESULTS.mkdir(parents=True, exist_ok=True)
    raw = {"name": name, "value": round(ratio, 3), "reach": reach, **raw}
    (RESULTS / f"{name}.json").write_text(json.dumps(raw, indent=1) + "\n")
    figures = " ".join(f"{k}={json.dumps(v)}" for k, v in raw.items() if k not in ("name", "value"))
    print(f"{name} {ratio:.3f}  {figures}", flush=True)
