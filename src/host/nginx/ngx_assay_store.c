#include "host/nginx/ngx_assay_store.h"

#include "host/nginx/ngx_assay_event.h"
#include "store/lmdb/lmdb_store.h"

/* An open store, and what it tells of its commits. */
struct open_store {
    struct assay_store *store;
    struct assay_store_meter meter;
    struct assay_metrics *metrics; /* shared by all workers */
};

/* nginx gives a module no place for what belongs to a worker process. */
static struct open_store *stores; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */
static ngx_uint_t store_count;    /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

/* On the writer's thread: the counters are atomic. */
static void committed(struct assay_store_meter *meter, size_t changes, uint64_t took_us)
{
    assay_metrics_commit(((struct open_store *)meter->context)->metrics, changes, took_us);
}

static enum assay_status open_one(const struct ngx_assay_store_conf *conf, struct assay_log *log,
                                  struct open_store *ret, struct assay_error *reterr)
{
    const struct ngx_assay_zone *zone = conf->zone->data;
    ret->metrics = zone->metrics;
    ret->meter = (struct assay_store_meter){.committed = committed, .context = ret};
    struct assay_lmdb_options options = {
        .path = (const char *)conf->path.data,
        .max_size = conf->max_size,
        .map_size = conf->map_size,
        .sweep = conf->sweep,
        .warm = true,
        .tries_again = true,
        .loop = ngx_assay_loop(),
        .log = log,
        .meter = &ret->meter,
    };
    return assay_lmdb_open(&options, &ret->store, reterr);
}

/* Whom workers run as: root gives its rights up, but not when it is the only process. */
static ngx_uid_t worker_uid(const ngx_core_conf_t *core)
{
    return geteuid() == 0 && core->master ? core->user : geteuid();
}

ngx_int_t ngx_assay_store_check_owner(const struct ngx_assay_store_conf *conf, ngx_log_t *log)
{
    const ngx_core_conf_t *core =
        (const ngx_core_conf_t *)ngx_get_conf(conf->cycle->conf_ctx, ngx_core_module);
    ngx_uid_t uid = worker_uid(core);
    ngx_file_info_t st;
    if (ngx_file_info(conf->path.data, &st) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "assay_store \"%V\" in %V:%ui", &conf->path,
                      &conf->file, conf->line);
        return NGX_ERROR;
    }
    if (uid != 0 && st.st_uid != uid) {
        ngx_log_error(
            NGX_LOG_EMERG, log, 0,
            "assay_store \"%V\": it belongs to user id %d, but workers run as user id %d: "
            "chown -R %d %V in %V:%ui",
            &conf->path, (int)st.st_uid, (int)uid, (int)uid, &conf->path, &conf->file, conf->line);
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* A store that cannot be opened is tried again: what keeps it closed (no descriptor left, no
 * memory, its directory not mounted yet) may pass, and a worker that ended for it would not be
 * replaced. */
static bool try_open(const struct ngx_assay_store_conf *conf, struct assay_log *log, bool first,
                     struct open_store *ret)
{
    struct assay_error error = {0};
    if (ret->store != NULL || open_one(conf, log, ret, &error) == ASSAY_OK) {
        return true;
    }
    if (first) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "assay_store \"%V\": %s; requests get 503 until it can be opened",
                      &conf->path, error.what == NULL ? "cannot be opened" : error.what);
    }
    return false;
}

bool ngx_assay_stores_open(ngx_cycle_t *cycle, const ngx_array_t *confs, struct assay_log *log)
{
    struct ngx_assay_store_conf *const *conf = confs->elts;
    bool first = stores == NULL;
    bool all = true;
    if (first) {
        stores = ngx_pcalloc(cycle->pool, confs->nelts * sizeof(*stores));
        if (stores == NULL) {
            return false;
        }
        store_count = confs->nelts;
    }
    for (ngx_uint_t i = 0; i < confs->nelts; i++) {
        all = try_open(conf[i], log, first, &stores[i]) && all;
    }
    return all;
}

struct assay_store *ngx_assay_store_of(const struct ngx_assay_store_conf *conf)
{
    return conf->index < store_count ? stores[conf->index].store : NULL;
}

void ngx_assay_stores_close(void)
{
    for (ngx_uint_t i = 0; i < store_count; i++) {
        struct assay_store *store = stores[i].store;
        if (store != NULL) {
            store->ops->close(store);
            stores[i].store = NULL;
        }
    }
    store_count = 0;
    stores = NULL;
}
