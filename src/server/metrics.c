#include "server/metrics.h"

#include <stdatomic.h>
#include <string.h>

/* Upper bounds of the latency buckets, microseconds; the last is infinite. */
static const uint64_t bounds_us[] = {10,   20,    50,    100,   200,    500,    1000,    2000,
                                     5000, 10000, 20000, 50000, 100000, 500000, 1000000, 5000000};
#define BUCKETS (sizeof(bounds_us) / sizeof(bounds_us[0]) + 1)

struct histogram {
    _Atomic uint64_t buckets[BUCKETS];
    _Atomic uint64_t sum_us;
};

struct assay_metrics {
    _Atomic uint64_t requests[ASSAY_ENDPOINTS][ASSAY_CALLER_ROLES][ASSAY_OUTCOMES];
    struct histogram latency[ASSAY_ENDPOINTS];
    _Atomic uint64_t lookups;
    _Atomic uint64_t forged;
    _Atomic uint64_t changes;
    struct histogram commits;
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

static void observe(struct histogram *histogram, uint64_t took_us)
{
    size_t bucket = 0;
    while (bucket < BUCKETS - 1 && took_us > bounds_us[bucket]) {
        bucket++;
    }
    add(&histogram->buckets[bucket], 1);
    add(&histogram->sum_us, took_us);
}

void assay_metrics_request(struct assay_metrics *metrics, enum assay_endpoint endpoint,
                           enum assay_caller_role role, enum assay_outcome outcome,
                           uint64_t took_us)
{
    add(&metrics->requests[endpoint][role][outcome], 1);
    observe(&metrics->latency[endpoint], took_us);
}

void assay_metrics_token(struct assay_metrics *metrics, bool opened)
{
    add(opened ? &metrics->lookups : &metrics->forged, 1);
}

void assay_metrics_commit(struct assay_metrics *metrics, size_t changes, uint64_t took_us)
{
    add(&metrics->changes, changes);
    observe(&metrics->commits, took_us);
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

/* A histogram's name, and the endpoint that its series carry as a label; NULL: none. */
struct family {
    const char *name;
    const char *endpoint;
};

/* `name_suffix{endpoint="..",le=".."} `, with those labels that there are. */
static void series(struct assay_buf *out, const struct family *family, const char *suffix,
                   const char *le)
{
    text(out, family->name);
    text(out, suffix);
    if (family->endpoint != NULL || le != NULL) {
        text(out, "{");
    }
    if (family->endpoint != NULL) {
        text(out, "endpoint=\"");
        text(out, family->endpoint);
        text(out, le != NULL ? "\"," : "\"}");
    }
    if (le != NULL) {
        text(out, "le=\"");
        text(out, le);
        text(out, "\"}");
    }
    text(out, " ");
}

/* A bound as the label of a bucket: seconds. */
static const char *bound_text(size_t bucket, char room[24])
{
    struct assay_buf out;
    if (bucket == BUCKETS - 1) {
        return "+Inf";
    }
    assay_buf_init(&out, (uint8_t *)room, 23);
    write_seconds(&out, bounds_us[bucket]);
    room[out.len] = '\0';
    return room;
}

/* The count is the sum of the buckets as they were read, so that the two never disagree. */
static void write_histogram(const struct histogram *histogram, const struct family *family,
                            struct assay_buf *out)
{
    uint64_t below = 0;
    char room[24];
    for (size_t i = 0; i < BUCKETS; i++) {
        below += read_counter(&histogram->buckets[i]);
        series(out, family, "_bucket", bound_text(i, room));
        assay_buf_append_u64(out, below);
        text(out, "\n");
    }
    series(out, family, "_sum", NULL);
    write_seconds(out, read_counter(&histogram->sum_us));
    text(out, "\n");
    series(out, family, "_count", NULL);
    assay_buf_append_u64(out, below);
    text(out, "\n");
}

static bool is_empty(const struct histogram *histogram)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        if (read_counter(&histogram->buckets[i]) != 0) {
            return false;
        }
    }
    return true;
}

static void write_latency(const struct assay_metrics *metrics, struct assay_buf *out)
{
    struct family family = {.name = "assay_request_duration_seconds"};
    head(out, family.name, "histogram",
         "Time from the end of a request to its reply, by endpoint.");
    for (size_t e = 0; e < ASSAY_ENDPOINTS; e++) {
        family.endpoint = endpoint_names[e];
        if (!is_empty(&metrics->latency[e])) {
            write_histogram(&metrics->latency[e], &family, out);
        }
    }
}

static void write_work(const struct assay_metrics *metrics, struct assay_buf *out)
{
    static const struct family commits = {.name = "assay_store_commit_duration_seconds"};
    one(out, "assay_token_lookups_total", "counter",
        "Token texts whose address a sealing key opened, so that the store was searched.",
        read_counter(&metrics->lookups));
    one(out, "assay_forged_tokens_total", "counter",
        "Token texts of the right checksum whose address no sealing key opened.",
        read_counter(&metrics->forged));
    one(out, "assay_store_changes_total", "counter", "Changes that have reached the disk.",
        read_counter(&metrics->changes));
    head(out, commits.name, "histogram",
         "Time of a commit, the disk's part included; a commit carries one or more changes.");
    write_histogram(&metrics->commits, &commits, out);
}

/* What ails the store: the words of /readyz, each as a series while it is set. */
static void write_trouble(const struct assay_store_stat *stat, struct assay_buf *out)
{
    one(out, "assay_ready", "gauge", "1 unless a word of /readyz says to send no requests here.",
        stat->blocking ? 0 : 1);
    head(out, "assay_store_trouble", "gauge", "The words of /readyz, each while it is set.");
    for (size_t i = 0; i < stat->reason_count; i++) {
        text(out, "assay_store_trouble{reason=\"");
        text(out, stat->reasons[i]);
        text(out, "\"} 1\n");
    }
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
    one(out, "assay_store_seq", "gauge", "Last number given by the store.", stat->seq);
}

void assay_metrics_write(const struct assay_metrics *metrics, const struct assay_store_stat *stat,
                         struct assay_buf *out)
{
    write_requests(metrics, out);
    write_latency(metrics, out);
    write_work(metrics, out);
    write_trouble(stat, out);
    write_store(stat, out);
}
