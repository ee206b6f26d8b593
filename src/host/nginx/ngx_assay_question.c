#include "host/nginx/ngx_assay_question.h"

#include "base/secret.h"
#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_guard_worker.h"

#include <assert.h>

/* --- questions --- */

static ngx_queue_t *bucket_of(struct ngx_assay_asker *asker, const uint8_t *key)
{
    return &asker->table[key[0]];
}

struct ngx_assay_question *ngx_assay_question_find(struct ngx_assay_asker *asker,
                                                   const uint8_t *key)
{
    ngx_queue_t *bucket = bucket_of(asker, key);
    for (ngx_queue_t *at = ngx_queue_head(bucket); at != ngx_queue_sentinel(bucket);
         at = ngx_queue_next(at)) {
        struct ngx_assay_question *q =
            ngx_assay_around(at, offsetof(struct ngx_assay_question, in_table));
        if (ngx_memcmp(q->key, key, sizeof(q->key)) == 0) {
            return q;
        }
    }
    return NULL;
}

static void free_question(struct ngx_assay_question *q)
{
    if (q->timer.event.timer_set) {
        ngx_del_timer(&q->timer.event);
    }
    if (q->timer.event.posted) {
        ngx_delete_posted_event(&q->timer.event);
    }
    ngx_assay_question_drop_letter(q);
    assay_secret_wipe(q->token, q->token_len);
    q->asker->count--;
    ngx_free(q);
}

static void wait_in(ngx_queue_t *queue, struct ngx_assay_waiter *waiter,
                    struct ngx_assay_question *q)
{
    ngx_queue_insert_tail(queue, &waiter->queue);
    waiter->question = q;
}

void ngx_assay_question_leave(struct ngx_assay_waiter *waiter)
{
    assert(waiter->queue.next != NULL);
    ngx_queue_remove(&waiter->queue);
    waiter->question = NULL;
}

struct ngx_assay_question *ngx_assay_question_make(struct ngx_assay_asker *asker,
                                                   struct ngx_assay_waiter *waiter)
{
    const struct assay_decide *op = waiter->op;
    size_t size = sizeof(struct ngx_assay_question) + op->token.len;
    struct ngx_assay_question *q = ngx_calloc(size, ngx_cycle->log);
    if (q == NULL) {
        return NULL;
    }
    q->asker = asker;
    ngx_memcpy(q->key, op->key, sizeof(q->key));
    ngx_queue_init(&q->waiters);
    ngx_queue_init(&q->later);
    q->since_us = op->entered_us;
    q->until_us = op->entered_us + 1000 * asker->provider->whole_ms;
    q->token = (u_char *)(q + 1);
    q->token_len = op->token.len;
    ngx_memcpy(q->token, op->token.data, op->token.len);
    q->address_len = ngx_min(waiter->address_len, (socklen_t)sizeof(q->address));
    ngx_memcpy(&q->address, waiter->address, q->address_len);
    ngx_assay_timer_init(&q->timer, ngx_assay_question_on_timer, q);
    ngx_queue_insert_tail(bucket_of(asker, q->key), &q->in_table);
    asker->count++;
    wait_in(&q->waiters, waiter, q);
    return q;
}

/* The question is over: nobody finds it any more, and the host may ask anew. */
static void retire(struct ngx_assay_question *q, unsigned failure)
{
    assert(q->state != NGX_ASSAY_OVER);
    if (q->state == NGX_ASSAY_QUEUED) {
        ngx_queue_remove(&q->in_line);
    }
    if (q->mine) {
        assay_asking_end(ngx_assay_guard_worker()->zone->asking, q->key, q->turn, failure,
                         q->asked_us);
        q->mine = false;
    }
    ngx_queue_remove(&q->in_table);
    q->state = NGX_ASSAY_OVER;
}

/* --- handing out --- */

static void answer(struct ngx_assay_waiter *waiter)
{
    ngx_assay_question_leave(waiter);
    waiter->answered(waiter);
}

static struct ngx_assay_waiter *first_of(ngx_queue_t *waiters)
{
    return ngx_assay_around(ngx_queue_head(waiters), offsetof(struct ngx_assay_waiter, queue));
}

/* To those who take the answer that is asked for, or to those who want one that is asked later. */
void ngx_assay_question_join(struct ngx_assay_question *q, struct ngx_assay_waiter *waiter)
{
    bool good = q->state != NGX_ASSAY_ASKING || assay_decide_accepts(waiter->op, true, q->asked_us);
    wait_in(good ? &q->waiters : &q->later, waiter, q);
}

/* Those that came too late for this answer want one of their own. */
static void go_on(struct ngx_assay_question *q)
{
    struct ngx_assay_asker *asker = q->asker;
    struct ngx_assay_question *other =
        ngx_assay_question_find(asker, q->key); /* of one that came just now */
    while (other != NULL && !ngx_queue_empty(&q->later)) {
        struct ngx_assay_waiter *waiter = first_of(&q->later);
        ngx_assay_question_leave(waiter);
        ngx_assay_question_join(other, waiter);
    }
    if (ngx_queue_empty(&q->later)) {
        free_question(q);
        return;
    }
    ngx_queue_add(&q->waiters, &q->later);
    ngx_queue_init(&q->later);
    q->since_us = first_of(&q->waiters)->op->entered_us;
    q->until_us = ngx_assay_boot_us() + 1000 * asker->provider->whole_ms;
    q->retries = 0;
    q->flushed = false;
    q->failure = ASSAY_REASON_OK;
    ngx_queue_insert_tail(bucket_of(asker, q->key), &q->in_table);
    ngx_assay_question_begin(q);
}

void ngx_assay_question_fail(struct ngx_assay_question *q, enum assay_reason why)
{
    int64_t now_s = ngx_assay_now_s();
    retire(q, (unsigned)why);
    while (!ngx_queue_empty(&q->waiters)) {
        struct ngx_assay_waiter *waiter = first_of(&q->waiters);
        assay_decide_trouble(waiter->op, why, now_s);
        answer(waiter);
    }
    go_on(q);
}

void ngx_assay_question_answer(struct ngx_assay_question *q, const struct assay_kept *kept)
{
    int64_t now_s = ngx_assay_now_s();
    enum assay_decide_source source = ASSAY_SOURCE_MISS;
    retire(q, 0);
    while (!ngx_queue_empty(&q->waiters)) {
        struct ngx_assay_waiter *waiter = first_of(&q->waiters);
        if (!assay_decide_accepts(waiter->op, kept->active, q->asked_us)) {
            ngx_queue_remove(&waiter->queue);
            ngx_queue_insert_tail(&q->later, &waiter->queue);
            continue;
        }
        assay_decide_told(waiter->op, kept, source, now_s);
        source = ASSAY_SOURCE_SHARED;
        answer(waiter);
    }
    go_on(q);
}

bool ngx_assay_question_look(struct ngx_assay_question *q)
{
    int64_t now_s = ngx_assay_now_s();
    ngx_queue_t still;
    ngx_queue_init(&still);
    while (!ngx_queue_empty(&q->waiters)) {
        struct ngx_assay_waiter *waiter = first_of(&q->waiters);
        if (assay_decide_again(waiter->op, now_s) == ASSAY_DECIDE_DONE) {
            answer(waiter);
        } else {
            ngx_queue_remove(&waiter->queue);
            ngx_queue_insert_tail(&still, &waiter->queue);
        }
    }
    if (ngx_queue_empty(&still)) {
        retire(q, 0);
        go_on(q);
        return false;
    }
    ngx_queue_add(&q->waiters, &still);
    return true;
}

static void let_go(ngx_queue_t *waiters)
{
    while (!ngx_queue_empty(waiters)) {
        ngx_assay_question_leave(first_of(waiters));
    }
}

void ngx_assay_question_discard(struct ngx_assay_question *q)
{
    assay_fetch_cancel(&q->fetch);
    let_go(&q->waiters);
    let_go(&q->later);
    retire(q, 0);
    free_question(q);
}
