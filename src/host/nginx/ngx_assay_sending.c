#include "host/nginx/ngx_assay_question.h"

#include "base/secret.h"
#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_guard_worker.h"

#define LEAST_US 10000 /* that must be left of a question's time for it to be asked again */

/* --- what is sent --- */

/* Room for what is sent: form-encoding makes three bytes of one, base64 four of three. */
static size_t letter_room(const struct assay_provider *core, size_t token_len)
{
    size_t plain = token_len + core->token_parameter.len + core->client_id.len + core->secret.len;
    for (size_t i = 0; i < core->parameter_count; i++) {
        plain += core->parameters[i].name.len + core->parameters[i].value.len + 2;
    }
    size_t assertion = core->auth == ASSAY_GUARD_AUTH_KEY ? ASSAY_MAX_ASSERTION : 0;
    return 8 * plain + 512 + assertion;
}

static bool sign(struct ngx_assay_asker *asker, struct assay_buf *out)
{
    const struct assay_provider *core = &asker->provider->core;
    return assay_assertion_write(&asker->own_key, core->client_id, core->issuer, ngx_assay_now_s(),
                                 out, NULL) == ASSAY_OK;
}

static bool write_letter(struct ngx_assay_question *q)
{
    const struct assay_provider *core = &q->asker->provider->core;
    struct assay_buf body;
    struct assay_buf authorization;
    struct assay_buf assertion;
    uint8_t room[ASSAY_MAX_ASSERTION];
    size_t half = letter_room(core, q->token_len);
    q->letter_size = 2 * half;
    q->letter = ngx_alloc(q->letter_size, ngx_cycle->log);
    if (q->letter == NULL) {
        return false;
    }
    assay_buf_init(&assertion, room, sizeof(room));
    assay_buf_init(&body, q->letter, half);
    assay_buf_init(&authorization, q->letter + half, half - 1);
    if (core->auth == ASSAY_GUARD_AUTH_KEY && !sign(q->asker, &assertion)) {
        return false;
    }
    assay_provider_ask(core, assay_slice_of(q->token, q->token_len), assay_buf_slice(&assertion),
                       &body, &authorization);
    q->letter[half + authorization.len] = '\0';
    q->fetch.body = assay_buf_slice(&body);
    q->fetch.authorization = authorization.len == 0 ? NULL : (const char *)q->letter + half;
    return !body.spent && !authorization.spent;
}

void ngx_assay_question_drop_letter(struct ngx_assay_question *q)
{
    if (q->letter != NULL) {
        assay_secret_wipe(q->letter, q->letter_size);
        ngx_free(q->letter);
        q->letter = NULL;
    }
}

/* --- trouble --- */

static void fail(struct ngx_assay_question *q, enum assay_reason why, const char *what)
{
    ngx_assay_trouble_say(q->asker, why, what);
    ngx_assay_question_fail(q, why);
}

void ngx_assay_question_fail_soon(struct ngx_assay_question *q, enum assay_reason why,
                                  const char *what)
{
    ngx_assay_trouble_say(q->asker, why, what);
    q->state = NGX_ASSAY_WATCHING;
    q->failure = why;
    ngx_post_event(&q->timer.event, &ngx_posted_events);
}

/* The endpoint gave nothing that can be used: goes on to one that this question has not come to;
 * or, if it did not answer at all (`again`), asks once more. */
static bool try_next(struct ngx_assay_question *q, bool again)
{
    struct ngx_assay_asker *asker = q->asker;
    ngx_assay_trouble_at(asker, q->endpoint);
    if (q->until_us < ngx_assay_boot_us() + LEAST_US) {
        return false;
    }
    if (q->unasked == 0) {
        if (!again || q->retries == asker->provider->retries ||
            !ngx_assay_trouble_may_retry(asker)) {
            return false;
        }
        q->retries++;
    }
    q->endpoint = (q->endpoint + 1) % asker->url_count;
    ngx_assay_question_send(q);
    return true;
}

/* --- what comes back --- */

/* Stores what was told; false when it was flushed while it was asked for. */
static bool keep(struct ngx_assay_question *q, const struct assay_told *told, int64_t server_now_s)
{
    struct assay_cached cached;
    struct assay_cache *cache = ngx_assay_guard_worker()->zone->cache;
    if (!told->kept.active) {
        assay_cache_put_inactive(cache, q->key, q->generation, q->asked_us,
                                 &ngx_assay_guard_worker()->me);
        return true;
    }
    bool fits = assay_decide_keep(told, q->asked_us, server_now_s, &cached);
    cached.generation = q->generation;
    if (!fits) {
        cached.asked_us = q->asked_us;
        cached.subject = told->subject;
        cached.client = told->client;
    }
    if (!assay_cache_may_use(cache, q->key, &cached)) {
        return false;
    }
    if (fits) {
        assay_cache_put(cache, q->key, &cached, &ngx_assay_guard_worker()->me);
    } else if (!q->asker->told_too_large) {
        q->asker->told_too_large = true;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "assay: an answer of provider \"%V\" is too large for the cache: it is asked "
                      "for each time; use fewer claims",
                      &q->asker->provider->name);
    }
    return true;
}

static void read_reply(struct ngx_assay_question *q, const struct assay_fetch *fetch)
{
    uint8_t memory[2 * ASSAY_MAX_KEPT];
    uint8_t room[ASSAY_MAX_KEPT];
    struct assay_arena arena;
    struct assay_buf values;
    struct assay_told told;
    struct assay_error error = {0};
    struct assay_provider_reply reply = {
        .http_status = fetch->http_status,
        .content_type = fetch->content_type_got,
        .body = fetch->answer,
    };
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_buf_init(&values, room, sizeof(room));
    enum assay_reason reason =
        assay_provider_read(&q->asker->provider->core, &reply, ngx_assay_guard_worker()->claims,
                            &arena, &values, ngx_assay_guard_worker()->digester, &told, &error);
    if (reason != ASSAY_REASON_OK) {
        if (reason != ASSAY_REASON_UNREACHABLE || !try_next(q, false)) {
            ngx_assay_trouble_failed(q->asker, true, fetch->retry_after_s);
            fail(q, reason, error.what);
        }
    } else {
        ngx_assay_trouble_over(q->asker, q->endpoint);
        if (!keep(q, &told, fetch->date_s != 0 ? fetch->date_s : ngx_assay_now_s()) &&
            !q->flushed) {
            q->flushed = true;
            ngx_assay_question_send(q);
        } else {
            ngx_assay_question_answer(q, &told.kept);
        }
    }
    assay_secret_wipe(room, values.len);
    assay_arena_release(&arena);
}

/* Nothing came that could be read. */
static void read_failure(struct ngx_assay_question *q, const struct assay_fetch *fetch)
{
    switch (fetch->result) {
    case ASSAY_FETCH_OK:
    case ASSAY_FETCH_FAILED:
        ngx_assay_trouble_failed(q->asker, false, 0);
        fail(q, ASSAY_REASON_UNREACHABLE, fetch->what);
        break;
    case ASSAY_FETCH_REFUSED:
        ngx_assay_trouble_failed(q->asker, true, 0);
        fail(q, ASSAY_REASON_UNUSABLE, fetch->what);
        break;
    case ASSAY_FETCH_BUSY:
        fail(q, ASSAY_REASON_BUSY, fetch->what);
        break;
    }
}

static void on_fetched(struct assay_fetch *fetch)
{
    struct ngx_assay_question *q = fetch->context;
    struct ngx_assay_asker *asker = q->asker;
    bool failed = fetch->result == ASSAY_FETCH_FAILED;
    asker->asking--;
    ngx_assay_question_drop_letter(q);
    if (fetch->result == ASSAY_FETCH_OK) {
        read_reply(q, fetch);
    } else if (!failed || !try_next(q, fetch->may_repeat)) {
        read_failure(q, fetch);
    }
    ngx_assay_asker_pump(asker);
}

void ngx_assay_question_send(struct ngx_assay_question *q)
{
    struct ngx_assay_asker *asker = q->asker;
    struct assay_error error = {.what = "no memory"};
    int64_t now_us = ngx_assay_boot_us();
    int64_t left_ms = (q->until_us - now_us) / 1000;
    q->state = NGX_ASSAY_ASKING;
    q->asked_us = now_us;
    q->generation = assay_cache_generation(ngx_assay_guard_worker()->zone->cache);
    q->unasked -= q->unasked > 0 ? 1 : 0;
    q->fetch = (struct assay_fetch){
        .url = asker->urls[q->endpoint % asker->url_count],
        .timeout_ms = ngx_max(left_ms / (int64_t)(q->unasked + 1), 1), /* the others get theirs */
        .content_type = "application/x-www-form-urlencoded",
        .accept = "application/json",
        .header = "Assay-Guard: 1",
        .done = on_fetched,
        .context = q,
    };
    if (!write_letter(q)) {
        ngx_assay_question_fail_soon(q, ASSAY_REASON_FAULT, "the question cannot be written");
        return;
    }
    if (assay_fetch_start(asker->fetcher, &q->fetch, &error) != ASSAY_OK) {
        ngx_assay_question_drop_letter(q);
        ngx_assay_question_fail_soon(q, ASSAY_REASON_FAULT, error.what);
        return;
    }
    asker->asking++;
}

void ngx_assay_question_give_up(struct ngx_assay_question *q)
{
    struct ngx_assay_asker *asker = q->asker;
    assay_fetch_cancel(&q->fetch);
    asker->asking--;
    ngx_assay_trouble_at(asker, q->endpoint);
    ngx_assay_trouble_failed(asker, false, 0);
    fail(q, ASSAY_REASON_UNREACHABLE, "no answer in time");
    ngx_assay_asker_pump(asker);
}
