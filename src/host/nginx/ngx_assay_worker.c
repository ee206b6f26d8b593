#include "host/nginx/ngx_assay_worker.h"

#include "host/nginx/ngx_assay_event.h"
#include "host/nginx/ngx_assay_exchange.h"
#include "store/lmdb/lmdb_store.h"

/* nginx gives a module no place for what belongs to a worker process. */
static struct ngx_assay_worker
    the_worker; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

struct ngx_assay_worker *ngx_assay_worker(void)
{
    return the_worker.store == NULL ? NULL : &the_worker;
}

static ngx_uint_t level_of(enum assay_log_level level)
{
    switch (level) {
    case ASSAY_LOG_ERROR:
        return NGX_LOG_ERR;
    case ASSAY_LOG_WARN:
        return NGX_LOG_WARN;
    case ASSAY_LOG_NOTICE:
        return NGX_LOG_NOTICE;
    }
    return NGX_LOG_ERR;
}

static void log_line(struct assay_log *log, enum assay_log_level level, const char *event,
                     struct assay_slice detail)
{
    (void)log;
    size_t len = detail.len < ASSAY_MAX_LOG_LINE ? detail.len : ASSAY_MAX_LOG_LINE;
    ngx_log_error(level_of(level), ngx_cycle->log, 0, "assay: %s: %*s", event, len, detail.data);
}

ngx_int_t ngx_assay_worker_open(ngx_cycle_t *cycle, const struct ngx_assay_store_conf *conf)
{
    struct assay_error error = {0};
    struct assay_lmdb_options options = {
        .path = (const char *)conf->path.data,
        .max_size = conf->max_size,
        .map_size = conf->map_size,
        .sweep = conf->sweep,
        .loop = ngx_assay_loop(),
        .log = &the_worker.log,
    };
    the_worker.log.write = log_line;
    if (assay_digester_open(&the_worker.digester, &error) != ASSAY_OK ||
        assay_lmdb_open(&options, &the_worker.store, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "assay_store \"%V\": %s", &conf->path,
                      error.what == NULL ? "cannot be opened" : error.what);
        ngx_assay_worker_close();
        return NGX_ERROR;
    }
    return NGX_OK;
}

void ngx_assay_worker_close(void)
{
    if (the_worker.store != NULL) {
        the_worker.store->ops->close(the_worker.store);
        the_worker.store = NULL;
    }
    ngx_assay_blocks_free(&the_worker);
    assay_digester_close(the_worker.digester);
    the_worker.digester = NULL;
}
