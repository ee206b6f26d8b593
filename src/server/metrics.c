#include "server/metrics.h"

#include <stdatomic.h>
#include <string.h>

/* Upper bounds of the latency buckets, microseconds; the last is infinite. */
static const uint64_t bounds_us[] = {10,   20,    50,    100,   200,    500,    1000,   2000,
                                     5000, 10000, 20000, 50000, 100000, 500000, 1000000};
#define BUCKETS (sizeof(bounds_us) / sizeof(bounds_us[0]) + 1)

struct histogram {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic uint64_t sum_us;
    _Atomic uint64_t count;
};

struct assay_metrics {
    _Atomic uint64_t requests[ASSAY_ENDPOINTS][ASSAY_CALLER_ROLES][ASSAY_OUTCOMES];
    struct histogram latency[ASSAY_ENDPOINTS];
};

static const char *const endpoint_names[ASSAY_ENDPOINTS] = {
    [ASSAY_ENDPOINT_NONE] = "none",         [ASSAY_ENDPOINT_INTROSPECT] = "introspect",
    [ASSAY_ENDPOINT_REVOKE] = "revoke",     [ASSAY_ENDPOINT_TOKEN] = "token",
    [ASSAY_ENDPOINT_METADATA] = "metadata", [ASSAY_ENDPOINT_HEALTHZ] = "healthz",
    [ASSAY_ENDPOINT_READYZ] = "readyz",     [ASSAY_ENDPOINT_METRICS] = "metrics",
    [ASSAY_ENDPOINT_ADMIN] = "admin",
};
static const char *const role_names[ASSAY_CALLER_ROLES] = {"none", "client", "resource_server",
                                                           "admin"};
static const char *const outcome_names[ASSAY_OUTCOMES] = {
    "ok", "inactive", "refused", "unauthenticated", "limited", "failed"};

size_t assay_metrics_size(void)
{
    return sizeof(struct assay_metrics);
}

struct assay_metrics *assay_metrics_init(void *memory)
{
    memset(memory, 0, sizeof(struct assay_metrics));
    return memory;
}

static void add(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

void assay_metrics_request(struct assay_metrics *metrics, enum assay_endpoint endpoint,
                           enum assay_caller_role role, enum assay_outcome outcome,
                           uint64_t took_us)
{
    struct histogram *latency = &metrics->latency[endpoint];
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && took_us > bounds_us[bucket]) {
        bucket++;
    }
    add(&metrics->requests[endpoint][role][outcome], 1);
    add(&latency->buckets[bucket], 1);
    add(&latency->sum_us, took_us);
    add(&latency->count, 1);
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void text(struct assay_buf *out, const char *s)
{
    assay_buf_append(out, assay_slice_of_text(s));
}

/* Microseconds as seconds with six digits behind the point. */
static void write_seconds(struct assay_buf *out, uint64_t us)
{
    assay_buf_append_u64(out, us / 1000000);
    assay_buf_append_byte(out, '.');
    for (uint64_t unit = 100000; unit > 0; unit /= 10) {
        assay_buf_append_byte(out, (uint8_t)('0' + us / unit % 10));
    }
}

static void head(struct assay_buf *out, const char *name, const char *type, const char *help)
{
    text(out, "# HELP ");
    text(out, name);
    text(out, " ");
    text(out, help);
    text(out, "\n# TYPE ");
    text(out, name);
    text(out, " ");
    text(out, type);
    text(out, "\n");
}

static void one(struct assay_buf *out, const char *name, const char *type, const char *help,
                uint64_t value)
{
    head(out, name, type, help);
    text(out, name);
    text(out, " ");
    assay_buf_append_u64(out, value);
    text(out, "\n");
}

/* Series that never counted are left out: there are hundreds that cannot. */
static void write_requests(const struct assay_metrics *metrics, struct assay_buf *out)
{
    head(out, "assay_requests_total", "counter",
         "Finished requests by endpoint, caller and outcome.");
    for (size_t e = 0; e < ASSAY_ENDPOINTS; e++) {
        for (size_t r = 0; r < ASSAY_CALLER_ROLES; r++) {
            for (size_t o = 0; o < ASSAY_OUTCOMES; o++) {
                uint64_t count = read_counter(&metrics->requests[e][r][o]);
                if (count == 0) {
                    continue;
                }
                text(out, "assay_requests_total{endpoint=\"");
                text(out, endpoint_names[e]);
                text(out, "\",caller=\"");
                text(out, role_names[r]);
                text(out, "\",outcome=\"");
                text(out, outcome_names[o]);
                text(out, "\"} ");
                assay_buf_append_u64(out, count);
                text(out, "\n");
            }
        }
    }
}

static void series(struct assay_buf *out, const char *suffix, const char *endpoint)
{
    text(out, "assay_request_seconds");
    text(out, suffix);
    text(out, "{endpoint=\"");
    text(out, endpoint);
    text(out, "\"");
}

static void write_histogram(const struct histogram *latency, const char *endpoint,
                            struct assay_buf *out)
{
    uint64_t below = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        below += read_counter(&latency->buckets[i]);
        series(out, "_bucket", endpoint);
        text(out, ",le=\"");
        if (i == BUCKETS - 1) {
            text(out, "+Inf");
        } else {
            write_seconds(out, bounds_us[i]);
        }
        text(out, "\"} ");
        assay_buf_append_u64(out, below);
        text(out, "\n");
    }
    series(out, "_sum", endpoint);
    text(out, "} ");
    write_seconds(out, read_counter(&latency->sum_us));
    text(out, "\n");
    series(out, "_count", endpoint);
    text(out, "} ");
    assay_buf_append_u64(out, below);
    text(out, "\n");
}

static void write_store(const struct assay_store_stat *stat, struct assay_buf *out)
{
    one(out, "assay_store_tokens", "gauge",
        "Token records kept: live ones, and revoked or expired ones not yet swept.", stat->tokens);
    one(out, "assay_store_clients", "gauge", "Registered clients.", stat->clients);
    one(out, "assay_store_grants", "gauge", "Grants kept.", stat->grants);
    one(out, "assay_store_cutoffs", "gauge", "Cutoffs kept.", stat->cutoffs);
    one(out, "assay_store_events", "gauge", "Entries of the event log.", stat->events);
    one(out, "assay_store_used_bytes", "gauge", "Bytes of pages in use.", stat->bytes_used);
    one(out, "assay_store_file_bytes", "gauge", "Bytes of the data file.", stat->bytes_file);
    one(out, "assay_store_max_bytes", "gauge", "The configured max_size.", stat->bytes_max);
    one(out, "assay_store_seq", "counter", "Last number given by the store.", stat->seq);
    one(out, "assay_store_commits_total", "counter", "Commits by this worker.", stat->commits);
    head(out, "assay_store_commit_seconds_total", "counter", "Time this worker spent in commits.");
    text(out, "assay_store_commit_seconds_total ");
    write_seconds(out, stat->commit_us_total);
    text(out, "\n");
    one(out, "assay_store_token_lookups_total", "counter", "Token trees searched by this worker.",
        stat->token_lookups);
    one(out, "assay_store_refused_addresses_total", "counter",
        "Addresses that no sealing key opened, in this worker.", stat->refused_addresses);
}

void assay_metrics_write(const struct assay_metrics *metrics, const struct assay_store_stat *stat,
                         struct assay_buf *out)
{
    write_requests(metrics, out);
    head(out, "assay_request_seconds", "histogram",
         "Time from the end of a request to its reply, by endpoint.");
    for (size_t e = 0; e < ASSAY_ENDPOINTS; e++) {
        if (read_counter(&metrics->latency[e].count) != 0) {
            write_histogram(&metrics->latency[e], endpoint_names[e], out);
        }
    }
    write_store(stat, out);
}
