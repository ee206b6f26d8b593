#include "host/nginx/ngx_assay_asker.h"

#include "base/secret.h"
#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_guard_conf.h"
#include "host/nginx/ngx_assay_question.h"

#include <assert.h>
#include <signal.h>

#define MAX_QUESTIONS 2048      /* of a worker and provider, in line and under way */
#define LOOK_AGAIN_MS 3         /* for what another worker asks */
#define PROBE_MS 1000           /* a server that fails is asked once in so long */
#define FAILURES 3              /* in a row, until it is taken to be down */
#define LOG_US INT64_C(1000000) /* trouble is logged no more often */
#define PAUSE_MAX_MS 30000      /* however long the server asks to be left alone */

/* nginx gives a module no place for what belongs to a worker process. */
static struct {
    struct assay_digester *digester;
    struct assay_pmac *pmac; /* under the zone's key */
    struct ngx_assay_guard_zone *zone;
    struct ngx_assay_guard_main_conf *conf;
    struct ngx_assay_asker *askers;
    ngx_uint_t count;
    struct assay_process me;
} worker; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

struct assay_digester *ngx_assay_asker_digester(void)
{
    return worker.digester;
}

struct assay_pmac *ngx_assay_asker_pmac(void)
{
    return worker.pmac;
}

struct ngx_assay_guard_zone *ngx_assay_asker_zone(void)
{
    return worker.zone;
}

const struct assay_process *ngx_assay_asker_process(void)
{
    return &worker.me;
}

/* --- trouble --- */

static void log_trouble(struct ngx_assay_asker *asker, enum assay_reason why, const char *what)
{
    int64_t now_us = ngx_assay_boot_us();
    if (now_us - asker->logged_us < LOG_US) {
        asker->unlogged++;
        return;
    }
    struct assay_slice name = assay_reason_name(why);
    ngx_uint_t level = why == ASSAY_REASON_AS_REJECTS_US ? NGX_LOG_CRIT : NGX_LOG_ERR;
    ngx_log_error(level, ngx_cycle->log, 0,
                  "assay: %*s: provider \"%V\": %s (%ui more since the last line)", name.len,
                  name.data, &asker->provider->name, what, asker->unlogged);
    asker->logged_us = now_us;
    asker->unlogged = 0;
}

/* A server that cannot be reached, or wants to be left alone, is asked by one question at a time.
 * One that answers, however badly, is not spared: a token that it stumbles over would else shut out
 * all others. */
static void note_failure(struct ngx_assay_asker *asker, bool reached, int64_t retry_after_s)
{
    int64_t pause_ms = ngx_min(retry_after_s * 1000, PAUSE_MAX_MS);
    asker->failures = reached ? 0 : asker->failures + 1;
    if (asker->failures >= FAILURES) {
        pause_ms = ngx_max(pause_ms, PROBE_MS);
    }
    if (pause_ms > 0) {
        asker->pause_until_us = ngx_assay_boot_us() + 1000 * pause_ms;
    }
}

static void note_success(struct ngx_assay_asker *asker, ngx_uint_t endpoint)
{
    asker->failures = 0;
    asker->pause_until_us = 0;
    asker->good = endpoint;
}

static bool is_paused(const struct ngx_assay_asker *asker)
{
    return asker->pause_until_us > ngx_assay_boot_us() ||
           (asker->failures >= FAILURES && asker->asking > 0); /* the probe is under way */
}

/* --- questions --- */

static ngx_queue_t *bucket_of(struct ngx_assay_asker *asker, const uint8_t *key)
{
    return &asker->table[key[0]];
}

static struct ngx_assay_question *find(struct ngx_assay_asker *asker, const uint8_t *key)
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

static void drop_letter(struct ngx_assay_question *q)
{
    if (q->letter != NULL) {
        assay_secret_wipe(q->letter, q->letter_size);
        ngx_free(q->letter);
        q->letter = NULL;
    }
}

static void free_question(struct ngx_assay_question *q)
{
    if (q->timer.event.timer_set) {
        ngx_del_timer(&q->timer.event);
    }
    if (q->timer.event.posted) {
        ngx_delete_posted_event(&q->timer.event);
    }
    drop_letter(q);
    assay_secret_wipe(q->token, q->token_len);
    q->asker->count--;
    ngx_free(q);
}

static void on_timer(ngx_event_t *event);

static struct ngx_assay_question *make_question(struct ngx_assay_asker *asker,
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
    ngx_assay_timer_init(&q->timer, on_timer, q);
    ngx_queue_insert_tail(bucket_of(asker, q->key), &q->in_table);
    asker->count++;
    return q;
}

static void join(struct ngx_assay_question *q, ngx_queue_t *queue, struct ngx_assay_waiter *waiter)
{
    ngx_queue_insert_tail(queue, &waiter->queue);
    waiter->question = q;
}

static void leave(struct ngx_assay_waiter *waiter)
{
    assert(waiter->queue.next != NULL);
    ngx_queue_remove(&waiter->queue);
    waiter->question = NULL;
}

/* The question is over: nobody finds it any more, and the host may ask anew. */
static void retire(struct ngx_assay_question *q, unsigned failure)
{
    assert(q->state != NGX_ASSAY_OVER);
    if (q->state == NGX_ASSAY_QUEUED) {
        ngx_queue_remove(&q->in_line);
    }
    if (q->mine) {
        assay_asking_end(worker.zone->asking, q->key, q->turn, failure, q->asked_us);
        q->mine = false;
    }
    ngx_queue_remove(&q->in_table);
    q->state = NGX_ASSAY_OVER;
}

/* --- handing out --- */

static void begin(struct ngx_assay_question *q);

static void answer(struct ngx_assay_waiter *waiter)
{
    leave(waiter);
    waiter->answered(waiter);
}

static struct ngx_assay_waiter *first_of(ngx_queue_t *waiters)
{
    return ngx_assay_around(ngx_queue_head(waiters), offsetof(struct ngx_assay_waiter, queue));
}

/* To those who take the answer that is asked for, or to those who want one that is asked later. */
static void admit(struct ngx_assay_question *q, struct ngx_assay_waiter *waiter)
{
    bool good = q->state != NGX_ASSAY_ASKING || assay_decide_accepts(waiter->op, true, q->asked_us);
    join(q, good ? &q->waiters : &q->later, waiter);
}

/* Those that came too late for this answer want one of their own. */
static void go_on(struct ngx_assay_question *q)
{
    struct ngx_assay_asker *asker = q->asker;
    struct ngx_assay_question *other = find(asker, q->key); /* of one that came just now */
    while (other != NULL && !ngx_queue_empty(&q->later)) {
        struct ngx_assay_waiter *waiter = first_of(&q->later);
        leave(waiter);
        admit(other, waiter);
    }
    if (ngx_queue_empty(&q->later)) {
        free_question(q);
        return;
    }
    ngx_queue_add(&q->waiters, &q->later);
    ngx_queue_init(&q->later);
    q->since_us = first_of(&q->waiters)->op->entered_us;
    q->until_us = ngx_assay_boot_us() + 1000 * asker->provider->whole_ms;
    q->tries = 0;
    q->flushed = false;
    q->failure = ASSAY_REASON_OK;
    ngx_queue_insert_tail(bucket_of(asker, q->key), &q->in_table);
    begin(q);
}

static void hand_out_trouble(struct ngx_assay_question *q, enum assay_reason why)
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

static void hand_out(struct ngx_assay_question *q, const struct assay_kept *kept)
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

/* Trouble that is known at once is handed out behind the events of this turn: never from inside. */
static void fail_soon(struct ngx_assay_question *q, enum assay_reason why, const char *what)
{
    log_trouble(q->asker, why, what);
    q->state = NGX_ASSAY_WATCHING;
    q->failure = why;
    ngx_post_event(&q->timer.event, &ngx_posted_events);
}

/* --- sending --- */

static void send_question(struct ngx_assay_question *q);

/* Room for what is sent: form-encoding makes three bytes of one, base64 four of three. */
static size_t letter_room(const struct assay_provider *core, size_t token_len)
{
    size_t plain = token_len + core->token_parameter.len + core->client_id.len + core->secret.len;
    for (size_t i = 0; i < core->parameter_count; i++) {
        plain += core->parameters[i].name.len + core->parameters[i].value.len + 2;
    }
    return 8 * plain + 256;
}

static bool write_letter(struct ngx_assay_question *q)
{
    const struct assay_provider *core = &q->asker->provider->core;
    struct assay_buf body;
    struct assay_buf authorization;
    size_t half = letter_room(core, q->token_len);
    q->letter_size = 2 * half;
    q->letter = ngx_alloc(q->letter_size, ngx_cycle->log);
    if (q->letter == NULL) {
        return false;
    }
    assay_buf_init(&body, q->letter, half);
    assay_buf_init(&authorization, q->letter + half, half - 1);
    assay_provider_ask(core, assay_slice_of(q->token, q->token_len), &body, &authorization);
    q->letter[half + authorization.len] = '\0';
    q->fetch.body = assay_buf_slice(&body);
    q->fetch.authorization = authorization.len == 0 ? NULL : (const char *)q->letter + half;
    return !body.spent && !authorization.spent;
}

/* Stores what was told; false when it was flushed while it was asked for. */
static bool keep(struct ngx_assay_question *q, const struct assay_told *told, int64_t server_now_s)
{
    struct assay_cached cached;
    struct assay_cache *cache = worker.zone->cache;
    if (!told->kept.active) {
        assay_cache_put_inactive(cache, q->key, q->generation, q->asked_us, &worker.me);
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
        assay_cache_put(cache, q->key, &cached, &worker.me);
    } else if (!q->asker->told_too_large) {
        q->asker->told_too_large = true;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "assay: an answer of provider \"%V\" is too large for the cache: it is asked "
                      "for each time; use fewer claims",
                      &q->asker->provider->name);
    }
    return true;
}

static bool may_try_again(const struct ngx_assay_question *q)
{
    return q->tries <= q->asker->provider->retries && q->until_us > ngx_assay_boot_us();
}

static void fail(struct ngx_assay_question *q, enum assay_reason why, const char *what)
{
    log_trouble(q->asker, why, what);
    hand_out_trouble(q, why);
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
        assay_provider_read(&q->asker->provider->core, &reply, &worker.conf->claims, &arena,
                            &values, worker.digester, &told, &error);
    if (reason != ASSAY_REASON_OK) {
        note_failure(q->asker, true, fetch->retry_after_s);
        fail(q, reason, error.what);
    } else {
        note_success(q->asker, q->endpoint);
        if (!keep(q, &told, fetch->date_s != 0 ? fetch->date_s : ngx_assay_now_s()) &&
            !q->flushed) {
            q->flushed = true;
            send_question(q);
        } else {
            hand_out(q, &told.kept);
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
        note_failure(q->asker, false, 0);
        fail(q, ASSAY_REASON_UNREACHABLE, fetch->what);
        break;
    case ASSAY_FETCH_REFUSED:
        note_failure(q->asker, true, 0);
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
    drop_letter(q);
    if (fetch->result == ASSAY_FETCH_OK) {
        read_reply(q, fetch);
    } else if (failed && fetch->nothing_received && may_try_again(q)) {
        q->endpoint = (q->endpoint + 1) % asker->url_count;
        send_question(q);
    } else {
        read_failure(q, fetch);
    }
    ngx_assay_asker_pump(asker);
}

static void send_question(struct ngx_assay_question *q)
{
    struct ngx_assay_asker *asker = q->asker;
    struct assay_error error = {.what = "no memory"};
    int64_t now_us = ngx_assay_boot_us();
    int64_t left_ms = (q->until_us - now_us) / 1000;
    q->state = NGX_ASSAY_ASKING;
    q->asked_us = now_us;
    q->generation = assay_cache_generation(worker.zone->cache);
    q->tries++;
    q->fetch = (struct assay_fetch){
        .url = asker->urls[q->endpoint % asker->url_count],
        .timeout_ms = left_ms > 0 ? left_ms : 1,
        .content_type = "application/x-www-form-urlencoded",
        .accept = "application/json",
        .header = "Assay-Guard: 1",
        .done = on_fetched,
        .context = q,
    };
    if (!write_letter(q)) {
        fail_soon(q, ASSAY_REASON_FAULT, "the question cannot be written");
        return;
    }
    if (assay_fetch_start(asker->fetcher, &q->fetch, &error) != ASSAY_OK) {
        drop_letter(q);
        fail_soon(q, ASSAY_REASON_FAULT, error.what);
        return;
    }
    asker->asking++;
}

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
            send_question(q);
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
    q->endpoint = q->asker->good;
    ngx_queue_insert_tail(&q->asker->line, &q->in_line);
    arm(q, INT64_MAX);
}

static void begin(struct ngx_assay_question *q)
{
    unsigned failure = 0;
    struct assay_asking_times times = {ngx_assay_boot_us(), q->since_us, q->until_us};
    switch (
        assay_asking_begin(worker.zone->asking, q->key, &times, &worker.me, &q->turn, &failure)) {
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
        fail_soon(q, (enum assay_reason)failure, "another worker asked in vain");
        return;
    }
    if (is_paused(q->asker)) {
        fail_soon(q, ASSAY_REASON_UNREACHABLE, "it is left alone for a moment, after failures");
        return;
    }
    stand_in_line(q);
    ngx_assay_asker_pump(q->asker);
}

/* Another worker asks: has it got an answer? */
static void look_again(struct ngx_assay_question *q)
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
        return;
    }
    ngx_queue_add(&q->waiters, &still);
    begin(q);
}

/* The answer has not come in time. */
static void give_up(struct ngx_assay_question *q)
{
    struct ngx_assay_asker *asker = q->asker;
    assay_fetch_cancel(&q->fetch);
    asker->asking--;
    note_failure(asker, false, 0);
    fail(q, ASSAY_REASON_UNREACHABLE, "no answer in time");
    ngx_assay_asker_pump(asker);
}

static void on_timer(ngx_event_t *event)
{
    struct ngx_assay_question *q = ngx_assay_timer_context(event);
    if (q->failure != ASSAY_REASON_OK) {
        hand_out_trouble(q, q->failure);
    } else if (q->until_us <= ngx_assay_boot_us() && q->state == NGX_ASSAY_ASKING) {
        give_up(q);
    } else if (q->until_us <= ngx_assay_boot_us()) {
        fail(q,
             q->state == NGX_ASSAY_QUEUED && q->asker->url_count != 0 ? ASSAY_REASON_BUSY
                                                                      : ASSAY_REASON_UNREACHABLE,
             q->asker->url_count == 0 ? "the introspection endpoint is not known yet"
                                      : "no answer in time");
    } else if (q->state == NGX_ASSAY_WATCHING) {
        look_again(q);
    } else {
        arm(q, INT64_MAX); /* nginx's clock ran ahead of the one that counts */
    }
}

/* --- the interface --- */

bool ngx_assay_ask(struct ngx_assay_waiter *waiter)
{
    struct ngx_assay_asker *asker = &worker.askers[waiter->provider->index];
    struct ngx_assay_question *q = find(asker, waiter->op->key);
    if (q != NULL) {
        admit(q, waiter);
        return true;
    }
    if (asker->count >= MAX_QUESTIONS) {
        return false;
    }
    q = make_question(asker, waiter);
    if (q == NULL) {
        return false;
    }
    join(q, &q->waiters, waiter);
    begin(q);
    return true;
}

void ngx_assay_ask_cancel(struct ngx_assay_waiter *waiter)
{
    if (waiter->question != NULL) {
        leave(waiter);
    }
}

/* --- the life of a worker --- */

static bool is_alive(uint32_t id)
{
    return kill((pid_t)id, 0) == 0 || ngx_errno != NGX_ESRCH;
}

static bool open_asker(struct ngx_assay_asker *asker, struct ngx_assay_provider *provider)
{
    struct assay_error error = {0};
    struct assay_fetch_options options = {
        .ca_file = provider->ca_file.len == 0 ? NULL : (const char *)provider->ca_file.data,
        .allow_cleartext = provider->allow_cleartext,
        .connect_ms = provider->connect_ms,
        .max_body = ASSAY_MAX_ANSWER,
    };
    asker->provider = provider;
    ngx_queue_init(&asker->line);
    for (size_t i = 0; i < sizeof(asker->table) / sizeof(asker->table[0]); i++) {
        ngx_queue_init(&asker->table[i]);
    }
    for (size_t i = 0; i < provider->core.endpoint_count; i++) {
        struct assay_slice url = provider->core.endpoints[i];
        ngx_memcpy(asker->urls[i], url.data, ngx_min(url.len, ASSAY_URL_MAX - 1));
    }
    asker->url_count = provider->core.endpoint_count;
    if (assay_fetcher_open(ngx_assay_loop(), &options, &asker->fetcher, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, ngx_cycle->log, 0, "assay: provider \"%V\": %s",
                      &provider->name, error.what);
        return false;
    }
    if (asker->url_count == 0) {
        ngx_assay_discovery_begin(asker);
    }
    return true;
}

ngx_int_t ngx_assay_askers_open(ngx_cycle_t *cycle, struct ngx_assay_guard_main_conf *conf)
{
    struct ngx_assay_provider **providers = conf->providers.elts;
    struct assay_error error = {0};
    worker.me = (struct assay_process){.id = (uint32_t)ngx_pid, .alive = is_alive};
    worker.conf = conf;
    worker.zone = conf->zone->data;
    if (assay_digester_open(&worker.digester, &error) != ASSAY_OK ||
        assay_pmac_open(worker.zone->key, &worker.pmac, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "assay: %s", error.what);
        return NGX_ERROR;
    }
    worker.askers = ngx_calloc(conf->providers.nelts * sizeof(*worker.askers), cycle->log);
    if (worker.askers == NULL) {
        return NGX_ERROR;
    }
    for (; worker.count < conf->providers.nelts; worker.count++) {
        if (!open_asker(&worker.askers[worker.count], providers[worker.count])) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static void let_go(ngx_queue_t *waiters)
{
    while (!ngx_queue_empty(waiters)) {
        leave(first_of(waiters));
    }
}

static void close_asker(struct ngx_assay_asker *asker)
{
    ngx_assay_discovery_end(asker);
    for (size_t i = 0; i < sizeof(asker->table) / sizeof(asker->table[0]); i++) {
        ngx_queue_t *at = ngx_queue_head(&asker->table[i]);
        while (at != ngx_queue_sentinel(&asker->table[i])) {
            struct ngx_assay_question *q =
                ngx_assay_around(at, offsetof(struct ngx_assay_question, in_table));
            at = ngx_queue_next(at);
            assay_fetch_cancel(&q->fetch);
            let_go(&q->waiters);
            let_go(&q->later);
            retire(q, 0);
            free_question(q);
        }
    }
    assay_fetcher_close(asker->fetcher);
}

void ngx_assay_askers_close(void)
{
    while (worker.count > 0) {
        close_asker(&worker.askers[--worker.count]);
    }
    ngx_free(worker.askers);
    worker.askers = NULL;
    assay_pmac_close(worker.pmac);
    worker.pmac = NULL;
    assay_digester_close(worker.digester);
    worker.digester = NULL;
}
