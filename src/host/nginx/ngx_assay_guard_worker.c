#include "host/nginx/ngx_assay_guard_worker.h"

#include "host/nginx/ngx_assay_question.h"

#include <signal.h>

/* nginx gives a module no place for what belongs to a worker process. */
static struct ngx_assay_guard_worker
    worker; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

const struct ngx_assay_guard_worker *ngx_assay_guard_worker(void)
{
    return worker.pmac == NULL ? NULL : &worker;
}

static bool is_alive(uint32_t id)
{
    return kill((pid_t)id, 0) == 0 || ngx_errno != NGX_ESRCH;
}

static bool open_hashes(ngx_cycle_t *cycle)
{
    struct assay_error error = {0};
    if (assay_digester_open(&worker.digester, &error) == ASSAY_OK &&
        assay_pmac_open(worker.zone->key, &worker.pmac, &error) == ASSAY_OK) {
        return true;
    }
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "assay: %s", error.what);
    return false;
}

ngx_int_t ngx_assay_guard_worker_open(ngx_cycle_t *cycle, struct ngx_assay_guard_main_conf *conf)
{
    struct ngx_assay_provider **providers = conf->providers.elts;
    worker.me = (struct assay_process){.id = (uint32_t)ngx_pid, .alive = is_alive};
    worker.claims = &conf->claims;
    worker.zone = conf->zone->data;
    worker.keyrings = conf->keys_zone == NULL ? NULL : conf->keys_zone->data;
    worker.askers = ngx_calloc(conf->providers.nelts * sizeof(*worker.askers), cycle->log);
    if (worker.askers == NULL || !open_hashes(cycle)) {
        return NGX_ERROR;
    }
    for (; worker.count < conf->providers.nelts; worker.count++) {
        if (!ngx_assay_asker_open(&worker.askers[worker.count], providers[worker.count])) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

void ngx_assay_guard_worker_close(void)
{
    while (worker.count > 0) {
        ngx_assay_asker_close(&worker.askers[--worker.count]);
    }
    ngx_free(worker.askers);
    worker.askers = NULL;
    assay_pmac_close(worker.pmac);
    worker.pmac = NULL;
    assay_digester_close(worker.digester);
    worker.digester = NULL;
}
