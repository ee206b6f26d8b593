"""Prometheus text exposition format 0.0.4, read strictly: whatever the format or its conventions forbid is an AssertionError."""
import math
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}


def value_of(text):
    assert re.fullmatch(r"[+-]?Inf|NaN|[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text), text
    return float(text.replace("Inf", "inf"))


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, text
        name, value = match.groups()
        assert name not in labels and not name.startswith("__"), text
        labels[name] = value
        at = match.end()
        if at < len(text):
            assert text[at] == ",", text
            at += 1
    return labels


def sample_of(line):
    match = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? (\S+)", line)
    assert match, line
    name, labels, value = match.groups()
    assert labels != "", f"empty braces: {line}"
    return name, labels_of(labels or ""), value_of(value)


def family_of(name, types):
    """The family a sample belongs to: a histogram's samples carry a suffix."""
    for suffix in ("_bucket", "_sum", "_count"):
        base = name[: -len(suffix)]
        if name.endswith(suffix) and types.get(base) in ("histogram", "summary"):
            return base
    return name


def check_histogram(samples, name):
    groups = {}
    for sample, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        group = groups.setdefault(key, {"buckets": []})
        if sample == f"{name}_bucket":
            group["buckets"].append((value_of(labels["le"]), value))
        else:
            assert "le" not in labels and sample not in group, sample
            group[sample] = value
    for key, group in groups.items():
        bounds, counts = zip(*group["buckets"])
        assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, (name, key, bounds)
        assert list(counts) == sorted(counts), (name, key, counts)
        assert counts[-1] == group[f"{name}_count"], (name, key)
        assert f"{name}_sum" in group and group[f"{name}_sum"] >= 0, (name, key)


def parse(body):
    """{family: (type, help, [(name, labels, value)])}"""
    text = body.decode("utf-8")
    assert text.endswith("\n") and "\r" not in text
    types, helps, families, order = {}, {}, {}, []
    for line in text[:-1].split("\n"):
        assert line and line == line.strip(), repr(line)
        if line.startswith("#"):
            match = re.fullmatch(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)", line)
            assert match, line
            kind, name, rest = match.groups()
            known = helps if kind == "HELP" else types
            assert name not in known and name not in families, f"{line}: said before"
            known[name] = rest
            if kind == "TYPE":
                assert rest in TYPES, line
        else:
            name, labels, value = sample_of(line)
            family = family_of(name, types)
            assert family in types and family in helps, f"{line}: no TYPE or HELP before it"
            assert (not order or order[-1] == family) or family not in families, f"{line}: its family is torn apart"
            samples = families.setdefault(family, [])
            assert (name, labels) not in [(n, l) for n, l, _ in samples], f"{line}: twice"
            samples.append((name, labels, value))
            order.append(family)
    for name, kind in types.items():
        assert NAME.fullmatch(name) and name in helps
        samples = families.get(name, [])
        assert (kind == "counter") == name.endswith("_total"), f"{name}: only counters end in _total, and all do"
        assert not (kind in ("counter", "histogram") and any(v < 0 or math.isnan(v) for _, _, v in samples)), name
        if kind == "histogram":
            check_histogram(samples, name)
    return {name: (kind, helps[name], families.get(name, [])) for name, kind in types.items()}
