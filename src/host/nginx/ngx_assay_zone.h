/* Shared memory of all workers, a zone for each store: counters, failed authentications, verified
 * scrypt secrets. It survives a reload. No lock: a worker may die at any instruction. */
#ifndef ASSAY_HOST_NGX_ASSAY_ZONE_H
#define ASSAY_HOST_NGX_ASSAY_ZONE_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "server/attempts.h"
#include "server/metrics.h"
#include "server/remembered.h"

struct ngx_assay_zone {
    struct assay_metrics *metrics;
    struct assay_attempts *attempts;
    struct assay_remembered *remembered;
};

struct ngx_assay_store_conf;

/* Adds the zone of `store`, whose path is set, to the configuration; its data, once nginx has made
 * it, is a struct ngx_assay_zone. The configuration is refused at that moment when the workers
 * could not open the store. NULL when it cannot. */
ngx_shm_zone_t *ngx_assay_zone_add(ngx_conf_t *cf, struct ngx_assay_store_conf *store, void *tag);

#endif
