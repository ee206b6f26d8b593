#include "host/nginx/ngx_assay_found.h"

#define SLOTS 32
#define TRIES 1000 /* for a lock that is held for a microsecond */

struct slot {
    uint8_t issuer[ASSAY_SHA256_LEN]; /* its digest */
    struct ngx_assay_found_urls urls;
    bool taken; /* false: free, or its writer died */
};

/* nginx itself takes the pool's lock away from a process that dies with it. */
struct ngx_assay_found {
    ngx_slab_pool_t *pool;
    ngx_uint_t next; /* slot to be written when all are taken */
    struct slot slots[SLOTS];
};

struct ngx_assay_found *ngx_assay_found_make(ngx_slab_pool_t *pool)
{
    struct ngx_assay_found *found = ngx_slab_calloc(pool, sizeof(*found));
    if (found != NULL) {
        found->pool = pool;
    }
    return found;
}

/* A process that was stopped holds nobody up for longer than these tries take. */
static bool lock(struct ngx_assay_found *found)
{
    for (ngx_uint_t i = 0; i < TRIES; i++) {
        if (ngx_shmtx_trylock(&found->pool->mutex)) {
            return true;
        }
        ngx_sched_yield();
    }
    return false;
}

static struct slot *find(struct ngx_assay_found *found, const uint8_t *issuer)
{
    for (ngx_uint_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &found->slots[i];
        if (slot->taken && ngx_memcmp(slot->issuer, issuer, ASSAY_SHA256_LEN) == 0) {
            return slot;
        }
    }
    return NULL;
}

static struct slot *room(struct ngx_assay_found *found)
{
    for (ngx_uint_t i = 0; i < SLOTS; i++) {
        if (!found->slots[i].taken) {
            return &found->slots[i];
        }
    }
    found->next = (found->next + 1) % SLOTS;
    return &found->slots[found->next];
}

bool ngx_assay_found_get(struct ngx_assay_found *found, const uint8_t issuer[ASSAY_SHA256_LEN],
                         struct ngx_assay_found_urls *ret)
{
    if (!lock(found)) {
        return false;
    }
    const struct slot *slot = find(found, issuer);
    if (slot != NULL) {
        *ret = slot->urls;
    }
    ngx_shmtx_unlock(&found->pool->mutex);
    return slot != NULL;
}

void ngx_assay_found_put(struct ngx_assay_found *found, const uint8_t issuer[ASSAY_SHA256_LEN],
                         const struct ngx_assay_found_urls *urls)
{
    if (!lock(found)) {
        return;
    }
    struct slot *slot = find(found, issuer);
    slot = slot == NULL ? room(found) : slot;
    slot->taken = false;
    ngx_memory_barrier();
    ngx_memcpy(slot->issuer, issuer, ASSAY_SHA256_LEN);
    slot->urls = *urls;
    ngx_memory_barrier();
    slot->taken = true; /* last: a writer that died leaves none */
    ngx_shmtx_unlock(&found->pool->mutex);
}
