/* The stores of a configuration, and this worker's own hold on them: one open store per path and
 * worker, none in the master. */
#ifndef ASSAY_HOST_NGX_ASSAY_STORE_H
#define ASSAY_HOST_NGX_ASSAY_STORE_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "host/nginx/ngx_assay_zone.h"
#include "store/store.h"

/* One store as configured. Lives in the cycle's pool. */
struct ngx_assay_store_conf {
    ngx_str_t path; /* ends in a NUL */
    uint64_t max_size;
    uint64_t map_size;
    bool sweep;
    ngx_uint_t index;   /* among the configuration's stores */
    ngx_cycle_t *cycle; /* that this configuration is of */
    ngx_str_t file;     /* where it stands */
    ngx_uint_t line;
    ngx_shm_zone_t *zone; /* its data, once nginx has made it, is a struct ngx_assay_zone */
};

/* Can the workers, as whom they will run, open the store? NGX_ERROR after a line in the log. */
ngx_int_t ngx_assay_store_check_owner(const struct ngx_assay_store_conf *conf, ngx_log_t *log);

/* Opens those stores of `confs` (an array of pointers) that are not open yet. False when one could
 * not be opened, which is logged the first time. */
bool ngx_assay_stores_open(ngx_cycle_t *cycle, const ngx_array_t *confs, struct assay_log *log);

/* This worker's open store of `conf`; NULL while it could not be opened. */
struct assay_store *ngx_assay_store_of(const struct ngx_assay_store_conf *conf);

/* Answers what is queued, stops the writers, closes. */
void ngx_assay_stores_close(void);

#endif
