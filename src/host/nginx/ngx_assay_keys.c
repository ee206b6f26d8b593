#include "host/nginx/ngx_assay_keys.h"

#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_guard_worker.h"

#include <assert.h>

#define SLOTS 16   /* issuers */
#define TRIES 1000 /* for a lock that is held for microseconds */
#define AGAIN_US                                                                                   \
    INT64_C(30000000)             /* for a key that is not known they are fetched no more often    \
                                   */
#define FIRST_US INT64_C(1000000) /* while there are none at all */
#define OLD_US INT64_C(900000000) /* they are fetched anew, in the background */
#define LATE_US INT64_C(100000)   /* behind the end of its time whoever fetched has died */
#define LOOK_MS 1000              /* how often that is looked at */
#define POLL_MS 3                 /* while requests wait for what another worker fetches */

/* One issuer's. */
struct ngx_assay_keyring {
    uint8_t issuer[ASSAY_SHA256_LEN]; /* its digest, and that of where they are; all zeros: free */
    uint64_t version;                 /* another one with each set; 0: there is none */
    int64_t fetched_us;               /* when the set was asked for, CLOCK_BOOTTIME */
    int64_t asked_us;                 /* last time one was asked for, in vain or not */
    int64_t sought_us;                /* last time for a key that was not known */
    int64_t until_us;                 /* somebody fetches them; 0: nobody */
    size_t len;
    u_char text[ASSAY_MAX_JWKS];
};

struct ngx_assay_keyrings {
    ngx_slab_pool_t *pool;
    struct ngx_assay_keyring rings[SLOTS];
};

/* --- the zone --- */

static ngx_int_t init_zone(ngx_shm_zone_t *shm, void *before)
{
    ngx_slab_pool_t *pool = (ngx_slab_pool_t *)(void *)shm->shm.addr;
    if (before != NULL) {
        shm->data = before;
        return NGX_OK;
    }
    struct ngx_assay_keyrings *rings = ngx_slab_calloc(pool, sizeof(*rings));
    if (rings == NULL) {
        return NGX_ERROR;
    }
    rings->pool = pool;
    shm->data = rings;
    return NGX_OK;
}

ngx_int_t ngx_assay_keys_zone_add(ngx_conf_t *cf, struct ngx_assay_guard_main_conf *conf)
{
    static ngx_str_t name = ngx_string("assay_guard_keys");
    struct ngx_assay_provider *const *providers = conf->providers.elts;
    ngx_uint_t count = 0;
    for (ngx_uint_t i = 0; i < conf->providers.nelts; i++) {
        count += providers[i]->core.mode == ASSAY_GUARD_MODE_OPAQUE ? 0 : 1;
    }
    if (count > SLOTS) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "assay_provider: more than %d that judge signed tokens", SLOTS);
        return NGX_ERROR;
    }
    size_t size = sizeof(struct ngx_assay_keyrings) + 32 * ngx_pagesize;
    conf->keys_zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_assay_guard_module);
    if (conf->keys_zone == NULL) {
        return NGX_ERROR;
    }
    conf->keys_zone->init = init_zone;
    return NGX_OK;
}

/* nginx itself takes the lock away from a process that dies with it; one that was stopped holds
 * nobody up for longer than these tries take. */
static bool lock(struct ngx_assay_keyrings *rings)
{
    for (ngx_uint_t i = 0; i < TRIES; i++) {
        if (ngx_shmtx_trylock(&rings->pool->mutex)) {
            return true;
        }
        ngx_sched_yield();
    }
    return false;
}

static void unlock(struct ngx_assay_keyrings *rings)
{
    ngx_shmtx_unlock(&rings->pool->mutex);
}

/* The ring of that issuer, or the one that was used longest ago. */
static struct ngx_assay_keyring *choose(struct ngx_assay_keyrings *rings, const uint8_t *issuer)
{
    struct ngx_assay_keyring *oldest = &rings->rings[0];
    for (ngx_uint_t i = 0; i < SLOTS; i++) {
        struct ngx_assay_keyring *ring = &rings->rings[i];
        if (ngx_memcmp(ring->issuer, issuer, ASSAY_SHA256_LEN) == 0) {
            return ring;
        }
        oldest = ring->asked_us < oldest->asked_us ? ring : oldest;
    }
    ngx_memzero(oldest, offsetof(struct ngx_assay_keyring, text));
    ngx_memcpy(oldest->issuer, issuer, ASSAY_SHA256_LEN);
    return oldest;
}

/* --- this worker's copy --- */

static bool is_mine(const struct ngx_assay_keys *keys)
{
    return ngx_memcmp(keys->ring->issuer, keys->issuer, ASSAY_SHA256_LEN) == 0;
}

/* Reads `text` into keys of its own, and lets go of those before. False: it is no good set. */
static bool take(struct ngx_assay_keys *keys, struct assay_slice text, uint64_t version,
                 struct assay_error *error)
{
    struct assay_arena arena;
    struct assay_jwks jwks;
    void *memory = ngx_alloc(ASSAY_JWKS_ARENA, ngx_cycle->log);
    if (memory == NULL) {
        error->what = "no memory";
        return false;
    }
    assay_arena_init(&arena, memory, ASSAY_JWKS_ARENA);
    if (assay_jwks_read(text, &arena, &jwks, error) != ASSAY_OK) {
        assay_arena_release(&arena);
        ngx_free(memory);
        return false;
    }
    if (keys->memory != NULL) {
        assay_jwks_close(&keys->jwks);
        assay_arena_release(&keys->arena);
        ngx_free(keys->memory);
    }
    keys->arena = arena;
    keys->memory = memory;
    keys->jwks = jwks;
    keys->version = version;
    return true;
}

/* Another worker may have fetched others. */
static void catch_up(struct ngx_assay_keys *keys)
{
    static u_char text[ASSAY_MAX_JWKS]; /* of this worker's one thread */
    struct assay_error error = {0};
    uint64_t version = 0;
    size_t len = 0;
    if (keys->ring->version == keys->version || keys->ring->version == 0 || !lock(keys->rings)) {
        return;
    }
    if (is_mine(keys)) {
        version = keys->ring->version;
        len = keys->ring->len;
        ngx_memcpy(text, keys->ring->text, len);
    }
    unlock(keys->rings);
    if (version != 0 && !take(keys, assay_slice_of(text, len), version, &error)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "assay: keys of another worker: %s",
                      error.what);
    }
}

/* Those that were just fetched, for everyone. */
static void publish(struct ngx_assay_keys *keys, struct assay_slice text, int64_t asked_us)
{
    struct ngx_assay_keyring *ring = keys->ring;
    if (!lock(keys->rings)) {
        return;
    }
    if (is_mine(keys)) {
        ring->version = 0; /* whoever dies here leaves none */
        ngx_memory_barrier();
        ngx_memcpy(ring->text, text.data, text.len);
        ring->len = text.len;
        ring->fetched_us = asked_us;
        ngx_memory_barrier();
        ring->version = keys->version;
    }
    unlock(keys->rings);
}

/* --- fetching --- */

/* Does somebody fetch them now? */
static bool is_asked(const struct ngx_assay_keyring *ring, int64_t now_us)
{
    return ring->until_us != 0 && now_us < ring->until_us + LATE_US;
}

/* Are they, or the news of where they are, on their way? */
static bool is_coming(const struct ngx_assay_asker *asker, int64_t now_us)
{
    return is_asked(asker->keys.ring, now_us) || (asker->discovering && asker->keys.url[0] == '\0');
}

/* Are those that are held too old to be believed? */
static bool is_stale(const struct ngx_assay_asker *asker, int64_t now_us)
{
    return now_us - asker->keys.ring->fetched_us > 1000 * asker->provider->keys_max_age_ms;
}

/* Why they are asked for. */
enum why {
    NONE_HELD, /* or too old ones */
    NOT_FOUND, /* a token names one that is not among them */
    GROWN_OLD,
};

static bool may_ask(const struct ngx_assay_keys *keys, enum why why, int64_t now_us)
{
    const struct ngx_assay_keyring *ring = keys->ring;
    int64_t last_us = why == NOT_FOUND ? ring->sought_us : ring->asked_us;
    int64_t pause_us = why == NONE_HELD ? FIRST_US : AGAIN_US;
    return keys->url[0] != '\0' && (last_us == 0 || now_us - last_us >= pause_us);
}

static enum why why_not(const struct ngx_assay_asker *asker, int64_t now_us)
{
    return asker->keys.version == 0 || is_stale(asker, now_us) ? NONE_HELD : NOT_FOUND;
}

static struct ngx_assay_waiter *take_first(ngx_queue_t *waiting)
{
    struct ngx_assay_waiter *waiter =
        ngx_assay_around(ngx_queue_head(waiting), offsetof(struct ngx_assay_waiter, queue));
    assert(waiter->queue.next != NULL && waiter->queue.prev != NULL); /* it is a ring */
    ngx_queue_remove(&waiter->queue);
    waiter->for_keys = false;
    return waiter;
}

static void wake(struct ngx_assay_keys *keys)
{
    ngx_queue_t now;
    if (ngx_queue_empty(&keys->waiting)) {
        return;
    }
    ngx_queue_init(&now);
    ngx_queue_add(&now, &keys->waiting);
    ngx_queue_init(&keys->waiting);
    while (!ngx_queue_empty(&now)) {
        struct ngx_assay_waiter *waiter = take_first(&now);
        waiter->answered(waiter);
    }
}

static void end(struct ngx_assay_keys *keys)
{
    if (lock(keys->rings)) {
        if (is_mine(keys)) {
            keys->ring->until_us = 0;
        }
        unlock(keys->rings);
    }
    wake(keys);
}

static const char *read_keys(struct ngx_assay_keys *keys, const struct assay_fetch *fetch)
{
    struct assay_error error = {0};
    if (fetch->result != ASSAY_FETCH_OK) {
        return fetch->what;
    }
    if (fetch->http_status != 200) {
        return "the status is not 200";
    }
    uint64_t version = (uint64_t)keys->asked_us; /* later ones are greater, in each worker */
    return take(keys, fetch->answer, version, &error) ? NULL : error.what;
}

static void on_done(struct assay_fetch *fetch)
{
    struct ngx_assay_asker *asker = fetch->context;
    struct ngx_assay_keys *keys = &asker->keys;
    const char *fault = read_keys(keys, fetch);
    if (fault == NULL) {
        publish(keys, fetch->answer, keys->asked_us);
        if (keys->jwks.ignored != 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "assay: provider \"%V\": %uz keys at %s are not used; the first: %s",
                          &asker->provider->name, keys->jwks.ignored, keys->url,
                          keys->jwks.ignored_of);
        }
    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "assay: provider \"%V\": no keys at %s: %s%s",
                      &asker->provider->name, keys->url, fault,
                      keys->version == 0 ? "" : "; the ones that were last fetched stay in use");
    }
    end(keys);
}

/* Of all workers the first. */
static bool claim(struct ngx_assay_keys *keys, enum why why, int64_t now_us, int64_t until_us)
{
    bool mine = false;
    if (lock(keys->rings)) {
        mine = is_mine(keys) && !is_asked(keys->ring, now_us) && may_ask(keys, why, now_us);
        if (mine) {
            keys->ring->asked_us = now_us;
            keys->ring->sought_us = why == NOT_FOUND ? now_us : keys->ring->sought_us;
            keys->ring->until_us = until_us;
        }
        unlock(keys->rings);
    }
    return mine;
}

static void ask(struct ngx_assay_asker *asker, enum why why)
{
    struct ngx_assay_keys *keys = &asker->keys;
    struct assay_error error = {0};
    int64_t now_us = ngx_assay_boot_us();
    int64_t whole_ms = asker->provider->whole_ms;
    bool busy = keys->fetch.private != NULL; /* after a stop it may be, though its time is over */
    if (busy || !may_ask(keys, why, now_us) ||
        !claim(keys, why, now_us, now_us + 1000 * whole_ms)) {
        return;
    }
    keys->asked_us = now_us;
    keys->fetch = (struct assay_fetch){
        .url = keys->url,
        .timeout_ms = whole_ms,
        .accept = "application/jwk-set+json, application/json",
        .done = on_done,
        .context = asker,
    };
    if (assay_fetch_start(asker->fetcher, &keys->fetch, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "assay: provider \"%V\": no keys: %s",
                      &asker->provider->name, error.what);
        keys->ring->until_us = 0;
    }
}

/* --- in the background --- */

static void on_look(ngx_event_t *event)
{
    struct ngx_assay_asker *asker = ngx_assay_timer_context(event);
    struct ngx_assay_keys *keys = &asker->keys;
    int64_t now_us = ngx_assay_boot_us();
    int64_t old_us = ngx_min(OLD_US, 500 * asker->provider->keys_max_age_ms);
    catch_up(keys);
    bool lost = keys->ring->version == 0; /* whoever published some has died over it */
    if (keys->version == 0 || lost || is_stale(asker, now_us)) {
        ask(asker, NONE_HELD);
    } else if (now_us - keys->ring->fetched_us > old_us) {
        ask(asker, GROWN_OLD);
    }
    ngx_add_timer(event, LOOK_MS);
}

/* Requests wait for what another worker fetches, or this one. */
static void on_poll(ngx_event_t *event)
{
    struct ngx_assay_asker *asker = ngx_assay_timer_context(event);
    struct ngx_assay_keys *keys = &asker->keys;
    if (ngx_queue_empty(&keys->waiting)) {
        return;
    }
    if (is_coming(asker, ngx_assay_boot_us())) {
        ngx_assay_timer_set(event, POLL_MS);
    } else {
        wake(keys);
    }
}

/* --- the interface --- */

uint64_t ngx_assay_keys_version(const struct ngx_assay_asker *asker)
{
    const struct ngx_assay_keyring *ring = asker->keys.ring;
    return ring == NULL || is_stale(asker, ngx_assay_boot_us()) ? 0 : ring->version;
}

struct assay_decide_keys ngx_assay_keys_known(struct ngx_assay_asker *asker, int64_t entered_us)
{
    struct ngx_assay_keys *keys = &asker->keys;
    int64_t now_us = ngx_assay_boot_us();
    catch_up(keys);
    const struct ngx_assay_keyring *ring = keys->ring;
    bool under_way = is_coming(asker, now_us);
    bool fetched = keys->version != 0 && ring->fetched_us >= entered_us;
    return (struct assay_decide_keys){
        .known = keys->version == 0 || is_stale(asker, now_us) ? NULL : &keys->jwks,
        .version = keys->version,
        .fetched = fetched,
        .may_fetch = !fetched && (under_way || (ring->asked_us < entered_us &&
                                                may_ask(keys, why_not(asker, now_us), now_us))),
        .in_trouble = ring->asked_us > ring->fetched_us && !under_way,
    };
}

void ngx_assay_keys_wait(struct ngx_assay_asker *asker, struct ngx_assay_waiter *waiter)
{
    struct ngx_assay_keys *keys = &asker->keys;
    ngx_queue_insert_tail(&keys->waiting, &waiter->queue);
    waiter->for_keys = true;
    ask(asker, why_not(asker, ngx_assay_boot_us()));
    if (!keys->poll.event.timer_set) {
        ngx_assay_timer_set(&keys->poll.event, POLL_MS);
    }
}

void ngx_assay_keys_found(struct ngx_assay_asker *asker, const char *url)
{
    (void)ngx_cpystrn((u_char *)asker->keys.url, (u_char *)(uintptr_t)url, ASSAY_URL_MAX);
    if (asker->keys.version == 0) {
        ask(asker, NONE_HELD);
    }
}

/* Keys of one issuer are no other's, nor are those of another place. */
static bool name_ring(struct ngx_assay_asker *asker)
{
    uint8_t room[2 * ASSAY_URL_MAX + 2];
    struct assay_buf buf;
    const struct assay_provider *core = &asker->provider->core;
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append(&buf, core->issuer);
    assay_buf_append_byte(&buf, '\n');
    assay_buf_append(&buf, core->jwks_uri);
    return !buf.spent && assay_sha256(ngx_assay_guard_worker()->digester, assay_buf_slice(&buf),
                                      asker->keys.issuer, NULL) == ASSAY_OK;
}

bool ngx_assay_keys_open(struct ngx_assay_asker *asker)
{
    struct ngx_assay_keys *keys = &asker->keys;
    keys->rings = ngx_assay_guard_worker()->keyrings;
    ngx_queue_init(&keys->waiting);
    ngx_assay_timer_init(&keys->look, on_look, asker);
    ngx_assay_timer_init(&keys->poll, on_poll, asker);
    keys->look.event.cancelable = 1;
    if (!name_ring(asker)) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "assay: provider \"%V\": no digest",
                      &asker->provider->name);
        return false;
    }
    ngx_shmtx_lock(&keys->rings->pool->mutex);
    keys->ring = choose(keys->rings, keys->issuer);
    unlock(keys->rings);
    catch_up(keys);
    ngx_add_timer(&keys->look.event, LOOK_MS);
    if (asker->provider->core.jwks_uri.len != 0) {
        ngx_assay_keys_found(asker, (const char *)asker->provider->core.jwks_uri.data);
    }
    return true;
}

void ngx_assay_keys_close(struct ngx_assay_asker *asker)
{
    struct ngx_assay_keys *keys = &asker->keys;
    if (keys->ring == NULL) {
        return;
    }
    assay_fetch_cancel(&keys->fetch);
    while (!ngx_queue_empty(&keys->waiting)) {
        (void)take_first(&keys->waiting);
    }
    if (keys->look.event.timer_set) {
        ngx_del_timer(&keys->look.event);
    }
    if (keys->poll.event.timer_set) {
        ngx_del_timer(&keys->poll.event);
    }
    if (keys->memory != NULL) {
        assay_jwks_close(&keys->jwks);
        assay_arena_release(&keys->arena);
        ngx_free(keys->memory);
    }
}
