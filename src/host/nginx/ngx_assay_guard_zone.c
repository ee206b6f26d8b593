#include "host/nginx/ngx_assay_guard_zone.h"

#include "crypto/random.h"
#include "host/nginx/ngx_assay_found.h"
#include "host/nginx/ngx_assay_setting.h"

#define DEFAULT_SIZE ((size_t)16 << 20)
#define SLOTS 4096 /* tokens that are asked about at once, by all workers */

static struct ngx_assay_guard_zone *make(ngx_slab_pool_t *pool)
{
    struct ngx_assay_guard_zone *zone = ngx_slab_alloc(pool, sizeof(*zone));
    /* Whole pages, which are aligned to a cache line and more. */
    size_t asking_size = ngx_align(assay_asking_size(SLOTS), ngx_pagesize);
    void *asking = ngx_slab_calloc(pool, asking_size);
    struct ngx_assay_found *found = ngx_assay_found_make(pool);
    size_t cache_size = pool->pfree * ngx_pagesize;
    void *cache = cache_size == 0 ? NULL : ngx_slab_calloc(pool, cache_size);
    if (zone == NULL || asking == NULL || found == NULL || cache == NULL) {
        return NULL;
    }
    zone->asking = assay_asking_init(asking, SLOTS);
    zone->found = found;
    zone->cache = assay_cache_init(cache, cache_size);
    return zone->cache == NULL ? NULL : zone;
}

static ngx_int_t init_zone(ngx_shm_zone_t *shm, void *before)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)(void *)shm->shm.addr;
    if (before != NULL) {
        shm->data = before; /* a reload: what is known stays known */
        return NGX_OK;
    }
    if (shm->shm.exists) {
        shm->data = pool->data;
        return NGX_OK;
    }
    shm->data = pool->data = make(pool);
    if (shm->data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0,
                      "\"assay_cache\": the zone \"%V\" is too small: give it more than %uzk",
                      &shm->shm.name, shm->shm.size >> 10);
        return NGX_ERROR;
    }
    struct ngx_assay_guard_zone *zone = shm->data;
    if (assay_random(zone->key, sizeof(zone->key), NULL) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0,
                      "\"assay_cache\": no random bytes for its key");
        return NGX_ERROR;
    }
    return NGX_OK;
}

ngx_int_t ngx_assay_guard_zone_add(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *conf)
{
    static ngx_str_t name = ngx_string("assay_guard");
    if (conf->zone == NULL) {
        conf->zone = ngx_shared_memory_add(cf, &name, DEFAULT_SIZE, &ngx_http_assay_guard_module);
    }
    if (conf->zone == NULL) {
        return NGX_ERROR;
    }
    conf->zone->init = init_zone;
    return NGX_OK;
}
