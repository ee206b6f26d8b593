/* Counters and histograms in memory it is given, which processes share; Prometheus text. No label
 * names a client, subject or token. */
#ifndef ASSAY_SERVER_METRICS_H
#define ASSAY_SERVER_METRICS_H

#include "base/buf.h"
#include "record/query.h"
#include "server/exchange.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct assay_metrics;

/* Bytes of memory for the counters. */
size_t assay_metrics_size(void);

/* Makes `memory` (assay_metrics_size bytes, aligned to 64) into counters at zero. Adding to them
 * takes no lock and may be done by any thread of any process. */
struct assay_metrics *assay_metrics_init(void *memory);

/* Bytes of text that assay_metrics_write needs at most. */
#define ASSAY_METRICS_TEXT ((size_t)48 * 1024)

enum assay_caller_role {
    ASSAY_CALLER_NONE = 0, /* nobody authenticated */
    ASSAY_CALLER_CLIENT,
    ASSAY_CALLER_RESOURCE_SERVER,
    ASSAY_CALLER_ADMIN,
};
#define ASSAY_CALLER_ROLES 4
enum assay_outcome {
    ASSAY_OUTCOME_OK = 0,          /* 2xx; introspection: active */
    ASSAY_OUTCOME_INACTIVE,        /* introspection: inactive */
    ASSAY_OUTCOME_REFUSED,         /* 4xx but 401 and 429 */
    ASSAY_OUTCOME_UNAUTHENTICATED, /* 401 */
    ASSAY_OUTCOME_LIMITED,         /* 429 */
    ASSAY_OUTCOME_FAILED,          /* 5xx */
};
#define ASSAY_OUTCOMES 6

/* One finished request: endpoint, who asked (by role), what came of it, microseconds. */
void assay_metrics_request(struct assay_metrics *metrics, enum assay_endpoint endpoint,
                           enum assay_caller_role role, enum assay_outcome outcome,
                           uint64_t took_us);

/* One token text that was spelled right: was its address opened by a sealing key, so that the store
 * was searched? */
void assay_metrics_token(struct assay_metrics *metrics, bool opened);

/* One commit of so many changes that has reached the disk, microseconds. */
void assay_metrics_commit(struct assay_metrics *metrics, size_t changes, uint64_t took_us);

/* Prometheus text exposition format 0.0.4 of everything counted and of `stat`. Look at out->spent
 * afterwards. docs/metrics.md lists every name. */
void assay_metrics_write(const struct assay_metrics *metrics, const struct assay_store_stat *stat,
                         struct assay_buf *out);

#endif
