"""/metrics: strict Prometheus text, complete, per host, and nobody's name in it."""
import os
import re
import signal

import pytest

import prometheus
from harness import ROOT, wait_until

OK = 'assay_requests_total{endpoint="introspect",caller="resource_server",outcome="ok"}'
COMMITS = "assay_store_commit_duration_seconds_count"


def read(server):
    reply = server.get("/metrics")
    assert reply.status == 200
    assert reply.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
    return prometheus.parse(reply.body)


def everything(world):
    """One request of every endpoint, caller and outcome that can be had without breaking anything."""
    server, token = world.server, world.at()["access_token"]
    ops = server.add_client("ops", "--admin")
    for auth in (world.rs1, world.rs2, world.cl1, ("ops", ops["client_secret"]), ("rs1", "wrong"), None):
        server.introspect(token, auth)
        server.introspect("nonsense", auth)
        server.post("/oauth2/token", {"grant_type": "client_credentials"}, auth=auth)
        server.post("/admin/client/list", "{}", auth=auth, type="application/json")
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    server.introspect(forged, world.rs1)
    server.revoke(token, world.cl1)
    for path in ("/healthz", "/readyz", "/.well-known/oauth-authorization-server", "/nothing", "/oauth2/introspect"):
        server.get(path)
    for _ in range(22):
        server.introspect("x", ("rs2", "wrong"))


def test_the_text_is_strict_and_complete(own):
    """A-HTTP-37: requests by endpoint, caller and outcome; latency; store size, commit latency, tokens; no name of anybody."""
    everything(own)
    families = read(own.server)
    requests = {(l["endpoint"], l["caller"], l["outcome"]): v for _, l, v in families["assay_requests_total"][2]}
    for key in (("introspect", "resource_server", "ok"), ("introspect", "resource_server", "inactive"),
                ("introspect", "client", "refused"), ("introspect", "none", "unauthenticated"), ("introspect", "none", "limited"),
                ("token", "client", "ok"), ("token", "resource_server", "refused"), ("revoke", "client", "ok"),
                ("admin", "admin", "ok"), ("admin", "client", "refused"), ("healthz", "none", "ok"), ("readyz", "none", "ok"),
                ("metadata", "none", "ok"), ("none", "none", "refused")):
        assert requests.get(key, 0) >= 1, (key, requests)
    seen = {l["endpoint"] for _, l, _ in families["assay_request_duration_seconds"][2]}
    assert seen >= {"introspect", "token", "revoke", "admin", "healthz", "readyz", "metadata", "none"}
    one = {name: samples[0][2] for name, (kind, _, samples) in families.items() if kind != "histogram" and samples}
    assert one["assay_store_tokens"] >= 1 and one["assay_store_clients"] == 6 and one["assay_ready"] == 1
    assert 0 < one["assay_store_used_bytes"] <= one["assay_store_file_bytes"] < one["assay_store_max_bytes"]
    assert one["assay_token_lookups_total"] >= 3 and one["assay_store_changes_total"] >= 1
    labels = {(k, v) for _, _, samples in families.values() for _, l, _ in samples for k, v in l.items()}
    assert {k for k, _ in labels} <= {"endpoint", "caller", "outcome", "le", "reason"}
    values = {v for k, v in labels if k != "le"}
    assert not values & {"rs1", "rs2", "cl1", "cl2", "pub1", "alice", "ops"}


def test_every_figure_is_documented_and_every_documented_figure_is_there(world):
    """Metrics against documentation: docs/metrics.md has one row for each family, with its type."""
    there = {name: kind for name, (kind, _, _) in read(world.server).items()}
    rows = re.findall(r"^\| `(assay_\w+)`[^|]*\| (\w+) \|", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    assert dict(rows) == there and len(rows) == len(there)


def test_figures_are_of_the_host_and_survive_workers_and_reloads(own):
    """REL-06, REL-16: whichever worker answers says the same; a killed worker and a reload take nothing back."""
    server = own.server
    token = own.at()["access_token"]
    for _ in range(10):
        assert own.active(token)
        server.token({"grant_type": "client_credentials"}, own.cl1)
    before = server.metrics()
    assert before[OK] == 10 and before["assay_store_changes_total"] == 10 and 1 <= before[COMMITS] <= 11  # one may be the sweep's
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: server.get("/healthz"), what="a worker serves again")
    server.reload()
    for _ in range(6):  # more often than there are workers
        after = server.metrics()
        assert after[OK] == 10 and after["assay_store_changes_total"] == 10 and after[COMMITS] >= before[COMMITS]
    server.check_floor(allow=("exited on signal 9",))


def test_metrics_are_for_this_machine_alone(world):
    """A-HTTP-37"""
    for clear in (False, True):
        assert world.server.get("/metrics", source="192.0.2.7", clear=clear).status == 403
        assert world.server.get("/metrics", clear=clear).status == 200
    assert world.server.post("/metrics", "").status == 405


GOOD = b"# HELP a_total x\n# TYPE a_total counter\na_total 1\n"


@pytest.mark.parametrize("text", [
    b"", b"a_total 1\n", GOOD[:-1], GOOD + b"a_total 1\n", GOOD + b"\n", GOOD.replace(b"_total", b""), GOOD.replace(b" 1", b" -1"),
    GOOD.replace(b" 1", b" 0x1"), GOOD.replace(b" 1", b""), GOOD.replace(b"a_total 1", b"a_total{} 1"), GOOD + GOOD,
    GOOD.replace(b"a_total 1", b'a_total{x="1",x="2"} 1'), GOOD.replace(b"a_total 1", b"a_total{x='1'} 1"),
    GOOD.replace(b"counter", b"counters"), GOOD.replace(b"# HELP a_total x\n", b""), GOOD.replace(b"a_total 1", b"a-b_total 1"),
    b"# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
    b"# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
    b"# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
])
def test_the_reader_of_the_metrics_refuses_what_the_format_does(text):
    """So that the tests above can fail."""
    prometheus.parse(GOOD)
    with pytest.raises((AssertionError, KeyError)):
        prometheus.parse(text)
