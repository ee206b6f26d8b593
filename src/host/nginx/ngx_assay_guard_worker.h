/* What one worker process holds for the guard. */
#ifndef ASSAY_HOST_NGX_ASSAY_GUARD_WORKER_H
#define ASSAY_HOST_NGX_ASSAY_GUARD_WORKER_H

#include "host/nginx/ngx_assay_guard.h"

struct ngx_assay_guard_worker {
    struct assay_digester *digester;
    struct assay_pmac *pmac; /* under the zone's key */
    struct ngx_assay_guard_zone *zone;
    struct ngx_assay_keyrings *keyrings; /* NULL: no tokens are judged here */
    const struct assay_claims *claims;   /* that are kept of each answer */
    struct ngx_assay_asker *askers;      /* one for each provider, by its index */
    ngx_uint_t count;
    struct assay_process me; /* as one of those that share the zone */
};

/* That of this process; NULL where none is open. */
const struct ngx_assay_guard_worker *ngx_assay_guard_worker(void);

ngx_int_t ngx_assay_guard_worker_open(ngx_cycle_t *cycle, struct ngx_assay_guard_main_conf *conf);
void ngx_assay_guard_worker_close(void);

#endif
