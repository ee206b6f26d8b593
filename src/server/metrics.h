/* Counters and histograms in memory it is given, which processes share; Prometheus text. No label
 * names a client, subject or token. */
#ifndef ASSAY_SERVER_METRICS_H
#define ASSAY_SERVER_METRICS_H

#include "base/buf.h"
#include "record/query.h"
#include "server/exchange.h"

#include <stddef.h>
#include <stdint.h>

struct assay_metrics;

size_t assay_metrics_size(void);
struct assay_metrics *assay_metrics_init(void *memory);

/* One finished request: endpoint, who asked (by role), what came of it, microseconds. */
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
void assay_metrics_request(struct assay_metrics *metrics, enum assay_endpoint endpoint,
                           enum assay_caller_role role, enum assay_outcome outcome,
                           uint64_t took_us);

/* Prometheus text exposition format 0.0.4 of everything counted and of `stat`. */
void assay_metrics_write(const struct assay_metrics *metrics, const struct assay_store_stat *stat,
                         struct assay_buf *out);

#endif
