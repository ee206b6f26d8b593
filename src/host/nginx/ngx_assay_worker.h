/* What one worker has: its digest, its blocks for exchanges. Nothing of it exists in the master. */
#ifndef ASSAY_HOST_NGX_ASSAY_WORKER_H
#define ASSAY_HOST_NGX_ASSAY_WORKER_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "base/log.h"
#include "crypto/digest.h"
#include "host/nginx/ngx_assay_event.h"
#include "server/recent.h"

struct ngx_assay_worker {
    struct assay_digester *digester;
    struct assay_recent *recent;
    struct assay_log log;
    void *free_blocks; /* ngx_assay_exchange.c */
    size_t free_count;
    size_t scrypts;               /* under way in the thread pool */
    struct ngx_assay_timer again; /* opens what could not be opened */
    struct ngx_assay_timer stay;  /* runs while there is a scrypt */
};

/* This worker, NULL before it is opened. */
struct ngx_assay_worker *ngx_assay_worker(void);

/* Opens the stores of `confs` (pointers to struct ngx_assay_store_conf) for this worker. What
 * cannot be opened is tried again until it can; meanwhile its requests get 503. */
void ngx_assay_worker_open(ngx_cycle_t *cycle, const ngx_array_t *confs);

/* Writes `detail` into `room` as part of one line of a log, whatever bytes it has: control
 * characters, quotes and bytes beyond ASCII are escaped, and what is too long is cut and marked.
 * Returns its length. `size` is at least 8. */
size_t ngx_assay_log_escape(struct assay_slice detail, u_char *room, size_t size);

/* Counts what is under way in the thread pool; while there is something, the worker does not leave.
 */
void ngx_assay_worker_scrypt_begun(void);
void ngx_assay_worker_scrypt_ended(void);

/* Answers what is queued, stops the writers, closes. */
void ngx_assay_worker_close(void);

#endif
