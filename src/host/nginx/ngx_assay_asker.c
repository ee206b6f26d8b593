#include "host/nginx/ngx_assay_asker.h"

#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_guard_worker.h"
#include "host/nginx/ngx_assay_keys.h"
#include "host/nginx/ngx_assay_question.h"
#include "host/nginx/ngx_assay_setting.h"

#include <assert.h>

#define MAX_QUESTIONS 2048 /* of a worker and provider, in line and under way */
#define LOOK_AGAIN_MS 3    /* for what another worker asks */
#define FIRST_BUDGET 100   /* tenths of retries, before any question has earned some */

/* --- waiting in line --- */

static bool same_address(const struct ngx_assay_question *a, const struct ngx_assay_question *b)
{
    return ngx_cmp_sockaddr((struct sockaddr *)(uintptr_t)&a->address, a->address_len,
                            (struct sockaddr *)(uintptr_t)&b->address, b->address_len, 0) == NGX_OK;
}

/* How many questions the client of `q` has under way. */
static ngx_uint_t held_by_client(const struct ngx_assay_question *q)
{
    ngx_uint_t held = 0;
    for (size_t i = 0; i < sizeof(q->asker->table) / sizeof(q->asker->table[0]); i++) {
        ngx_queue_t *bucket = &q->asker->table[i];
        for (ngx_queue_t *at = ngx_queue_head(bucket); at != ngx_queue_sentinel(bucket);
             at = ngx_queue_next(at)) {
            const struct ngx_assay_question *other =
                ngx_assay_around(at, offsetof(struct ngx_assay_question, in_table));
            held += other->state == NGX_ASSAY_ASKING && same_address(other, q) ? 1 : 0;
        }
    }
    return held;
}

static bool may_send(const struct ngx_assay_question *q)
{
    const struct ngx_assay_asker *asker = q->asker;
    return asker->url_count != 0 && asker->asking < asker->provider->asking_max &&
           (asker->asking < asker->provider->asking_address_max ||
            held_by_client(q) < asker->provider->asking_address_max);
}

void ngx_assay_asker_pump(struct ngx_assay_asker *asker)
{
    ngx_queue_t *at = ngx_queue_head(&asker->line);
    while (at != ngx_queue_sentinel(&asker->line) && asker->asking < asker->provider->asking_max) {
        assert(at != NULL && at->next != NULL && at->prev != NULL); /* it is a ring */
        struct ngx_assay_question *q =
            ngx_assay_around(at, offsetof(struct ngx_assay_question, in_line));
        at = ngx_queue_next(at);
        if (may_send(q)) {
            /* Sending may fail at once, and hand out: so begin at the head again. */
            ngx_queue_remove(&q->in_line);
            q->endpoint = asker->good % asker->url_count;
            q->unasked = asker->url_count;
            ngx_assay_trouble_earn_retry(asker);
            ngx_assay_question_send(q);
            at = ngx_queue_head(&asker->line);
        }
    }
}

static void arm(struct ngx_assay_question *q, int64_t at_most_ms)
{
    int64_t left_ms = (q->until_us - ngx_assay_boot_us() + 999) / 1000;
    left_ms = left_ms < at_most_ms ? left_ms : at_most_ms;
    ngx_assay_timer_set(&q->timer.event, left_ms);
}

static void stand_in_line(struct ngx_assay_question *q)
{
    q->state = NGX_ASSAY_QUEUED;
    ngx_queue_insert_tail(&q->asker->line, &q->in_line);
    arm(q, INT64_MAX);
}

void ngx_assay_question_begin(struct ngx_assay_question *q)
{
    unsigned failure = 0;
    struct assay_asking_times times = {ngx_assay_boot_us(), q->since_us, q->until_us};
    switch (assay_asking_begin(ngx_assay_guard_worker()->zone->asking, q->key, &times,
                               &ngx_assay_guard_worker()->me, &q->turn, &failure)) {
    case ASSAY_ASKING_MINE:
        q->mine = true;
        break;
    case ASSAY_ASKING_ALONE:
        break;
    case ASSAY_ASKING_OTHERS:
        q->state = NGX_ASSAY_WATCHING;
        arm(q, LOOK_AGAIN_MS);
        return;
    case ASSAY_ASKING_FAILED:
        ngx_assay_question_fail_soon(q, (enum assay_reason)failure, "another worker asked in vain");
        return;
    }
    if (ngx_assay_trouble_paused(q->asker)) {
        ngx_assay_question_fail_soon(q, ASSAY_REASON_UNREACHABLE,
                                     "it is left alone for a moment, after failures");
        return;
    }
    stand_in_line(q);
    ngx_assay_asker_pump(q->asker);
}

/* Its time is over, and it has not been sent. */
static void give_up_waiting(struct ngx_assay_question *q)
{
    bool known = q->asker->url_count != 0;
    bool busy = known && q->state == NGX_ASSAY_QUEUED;
    enum assay_reason why = busy ? ASSAY_REASON_BUSY : ASSAY_REASON_UNREACHABLE;
    ngx_assay_trouble_say(
        q->asker, why, known ? "no answer in time" : "the introspection endpoint is not known yet");
    ngx_assay_question_fail(q, why);
}

void ngx_assay_question_on_timer(ngx_event_t *event)
{
    struct ngx_assay_question *q = ngx_assay_timer_context(event);
    if (q->failure != ASSAY_REASON_OK) {
        ngx_assay_question_fail(q, q->failure);
    } else if (q->until_us <= ngx_assay_boot_us() && q->state == NGX_ASSAY_ASKING) {
        ngx_assay_question_give_up(q);
    } else if (q->until_us <= ngx_assay_boot_us()) {
        give_up_waiting(q);
    } else if (q->state == NGX_ASSAY_WATCHING) {
        if (ngx_assay_question_look(q)) {
            ngx_assay_question_begin(q);
        }
    } else {
        arm(q, INT64_MAX); /* nginx's clock ran ahead of the one that counts */
    }
}

/* --- the interface --- */

bool ngx_assay_ask(struct ngx_assay_waiter *waiter)
{
    struct ngx_assay_asker *asker = &ngx_assay_guard_worker()->askers[waiter->provider->index];
    struct ngx_assay_question *q = ngx_assay_question_find(asker, waiter->op->key);
    if (q != NULL) {
        ngx_assay_question_join(q, waiter);
        return true;
    }
    if (asker->count >= MAX_QUESTIONS) {
        return false;
    }
    q = ngx_assay_question_make(asker, waiter);
    if (q == NULL) {
        return false;
    }
    ngx_assay_question_begin(q);
    return true;
}

void ngx_assay_ask_cancel(struct ngx_assay_waiter *waiter)
{
    if (waiter->question != NULL) {
        ngx_assay_question_leave(waiter);
    } else if (waiter->for_keys) {
        ngx_queue_remove(&waiter->queue);
        waiter->for_keys = false;
    }
}

/* --- the life of a worker --- */

/* The configuration has looked at the key. */
static bool open_own_key(struct ngx_assay_asker *asker)
{
    struct assay_error error = {.what = "no memory"};
    asker->own_memory = ngx_alloc(ASSAY_ASSERTION_ARENA, ngx_cycle->log);
    if (asker->own_memory != NULL) {
        assay_arena_init(&asker->own_arena, asker->own_memory, ASSAY_ASSERTION_ARENA);
        if (assay_assertion_open(asker->provider->core.secret, &asker->own_arena, &asker->own_key,
                                 &error) == ASSAY_OK) {
            return true;
        }
    }
    ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "assay: provider \"%V\": its key: %s",
                  &asker->provider->name, error.what);
    return false;
}

bool ngx_assay_asker_open(struct ngx_assay_asker *asker, struct ngx_assay_provider *provider)
{
    struct assay_error error = {0};
    struct assay_fetch_options options = {
        .ca_file = provider->ca_file.len == 0 ? NULL : (const char *)provider->ca_file.data,
        .allow_cleartext = provider->allow_cleartext,
        .connect_ms = provider->connect_ms,
        .max_body = ASSAY_MAX_ANSWER,
        .certificate = ngx_assay_slice(&provider->certificate),
        .certificate_key = ngx_assay_slice(&provider->certificate_key),
    };
    asker->provider = provider;
    asker->budget = FIRST_BUDGET;
    ngx_queue_init(&asker->line);
    for (size_t i = 0; i < sizeof(asker->table) / sizeof(asker->table[0]); i++) {
        ngx_queue_init(&asker->table[i]);
    }
    for (size_t i = 0; i < provider->core.endpoint_count; i++) {
        struct assay_slice url = provider->core.endpoints[i];
        ngx_memcpy(asker->urls[i], url.data, url.len); /* their length has been looked at */
    }
    asker->url_count = provider->core.endpoint_count;
    if (assay_fetcher_open(ngx_assay_loop(), &options, &asker->fetcher, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "assay: provider \"%V\": %s",
                      &provider->name, error.what);
        return false;
    }
    if (provider->core.mode != ASSAY_GUARD_MODE_OPAQUE && !ngx_assay_keys_open(asker)) {
        return false;
    }
    if (provider->core.auth == ASSAY_GUARD_AUTH_KEY && !open_own_key(asker)) {
        return false;
    }
    return !ngx_assay_discovery_is_wanted(&provider->core) || ngx_assay_discovery_begin(asker);
}

void ngx_assay_asker_close(struct ngx_assay_asker *asker)
{
    ngx_assay_discovery_end(asker);
    ngx_assay_keys_close(asker);
    if (asker->own_memory != NULL) {
        assay_assertion_close(&asker->own_key);
        assay_arena_release(&asker->own_arena);
        ngx_free(asker->own_memory);
    }
    for (size_t i = 0; i < sizeof(asker->table) / sizeof(asker->table[0]); i++) {
        ngx_queue_t *at = ngx_queue_head(&asker->table[i]);
        while (at != ngx_queue_sentinel(&asker->table[i])) {
            struct ngx_assay_question *q =
                ngx_assay_around(at, offsetof(struct ngx_assay_question, in_table));
            at = ngx_queue_next(at);
            ngx_assay_question_discard(q);
        }
    }
    assay_fetcher_close(asker->fetcher);
}
