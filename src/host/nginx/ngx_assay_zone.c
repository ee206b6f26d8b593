#include "host/nginx/ngx_assay_zone.h"

#include "base/secret.h"
#include "crypto/random.h"
#include "host/nginx/ngx_assay_store.h"

#define ATTEMPTS 16384
#define REMEMBERED 4096

static void *take(ngx_slab_pool_t *pool, size_t size)
{
    /* Tables want the alignment of a cache line, which a slab of whole pages has. */
    return ngx_slab_alloc(pool, size < ngx_pagesize ? ngx_pagesize : size);
}

static struct ngx_assay_zone *make(ngx_slab_pool_t *pool)
{
    uint8_t keys[16 + 32];
    struct ngx_assay_zone *zone = ngx_slab_alloc(pool, sizeof(*zone));
    void *metrics = take(pool, assay_metrics_size());
    void *attempts = take(pool, assay_attempts_size(ATTEMPTS));
    void *remembered = take(pool, assay_remembered_size(REMEMBERED));
    if (zone == NULL || metrics == NULL || attempts == NULL || remembered == NULL ||
        assay_random(keys, sizeof(keys), NULL) != ASSAY_OK) {
        return NULL;
    }
    zone->metrics = assay_metrics_init(metrics);
    zone->attempts = assay_attempts_init(attempts, assay_attempts_size(ATTEMPTS), keys);
    zone->remembered =
        assay_remembered_init(remembered, assay_remembered_size(REMEMBERED), keys + 16);
    assay_secret_wipe(keys, sizeof(keys));
    return zone;
}

/* nginx makes its zones when the whole configuration has been read and before it takes the place of
 * an older one: so this is where it shows whom the workers run as. */
static ngx_int_t init_zone(ngx_shm_zone_t *shm, void *before)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)(void *)shm->shm.addr;
    const struct ngx_assay_store_conf *store = shm->data;
    if (ngx_assay_store_check_owner(store, shm->shm.log) != NGX_OK) {
        return NGX_ERROR;
    }
    if (before != NULL) {
        shm->data = before; /* a reload: nothing is forgotten */
        return NGX_OK;
    }
    if (shm->shm.exists) {
        shm->data = pool->data;
        return NGX_OK;
    }
    shm->data = pool->data = make(pool);
    if (shm->data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0,
                      "assay: the shared memory of assay_store \"%V\" could not be made",
                      &store->path);
        return NGX_ERROR;
    }
    return NGX_OK;
}

ngx_shm_zone_t *ngx_assay_zone_add(ngx_conf_t *cf, struct ngx_assay_store_conf *store, void *tag)
{
    ngx_str_t name = {.data = ngx_pnalloc(cf->pool, sizeof("assay:") + store->path.len)};
    if (name.data == NULL) {
        return NULL;
    }
    name.len = (size_t)(ngx_sprintf(name.data, "assay:%V", &store->path) - name.data);
    size_t size = assay_metrics_size() + assay_attempts_size(ATTEMPTS) +
                  assay_remembered_size(REMEMBERED) + 64 * ngx_pagesize;
    ngx_shm_zone_t *shm = ngx_shared_memory_add(cf, &name, ngx_align(size, ngx_pagesize), tag);
    if (shm != NULL) {
        shm->init = init_zone;
        shm->data = store;
    }
    return shm;
}
