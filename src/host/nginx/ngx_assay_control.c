#include "host/nginx/ngx_assay_control.h"

#include "base/secret.h"
#include "http/authorization.h"
#include "http/form.h"
#include "http/media_type.h"
#include "host/nginx/ngx_assay_body.h"
#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_event.h"
#include "host/nginx/ngx_assay_guard_worker.h"
#include "host/nginx/ngx_assay_request.h"
#include "host/nginx/ngx_assay_setting.h"
#include "json/writer.h"

#define STEP_MS 1 /* between the steps of a flush, in which the worker serves others */
#define ROOM 512

/* A flush that goes on after the handler has returned. */
struct job {
    ngx_http_request_t *request;
    struct ngx_assay_timer timer;
    struct assay_flush flush;
};

/* --- answers --- */

static ngx_int_t reply(ngx_http_request_t *r, unsigned status, struct assay_slice body)
{
    struct assay_reply reply = {
        .http_status = status,
        .content_type = ASSAY_SLICE("application/json"),
        .body = body,
        .no_store = true,
    };
    if (status == 401) {
        reply.www_authenticate = ASSAY_SLICE("Bearer realm=\"assay guard\"");
    }
    if (status == 405) {
        reply.allow = ASSAY_SLICE("GET, POST");
    }
    return ngx_assay_reply_send(r, &reply);
}

static ngx_int_t refuse(ngx_http_request_t *r, unsigned status, const char *body)
{
    return reply(r, status, assay_slice_of_text(body));
}

static ngx_int_t reply_flushed(ngx_http_request_t *r, uint64_t ended)
{
    uint8_t room[ROOM];
    struct assay_buf out;
    struct assay_json_writer w;
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    assay_json_name(&w, ASSAY_SLICE("flushed"));
    assay_json_u64(&w, ended);
    assay_json_object_close(&w);
    return reply(r, 200, assay_buf_slice(&out));
}

static ngx_int_t reply_counts(ngx_http_request_t *r, struct assay_cache *cache)
{
    uint8_t room[ROOM];
    struct assay_buf out;
    struct assay_json_writer w;
    struct assay_cache_counts counts;
    assay_cache_count(cache, &counts);
    const struct {
        struct assay_slice name;
        uint64_t value;
    } rows[] = {
        {ASSAY_SLICE("room"), assay_cache_room(cache)},
        {ASSAY_SLICE("stored"), counts.stored},
        {ASSAY_SLICE("evicted"), counts.evicted},
        {ASSAY_SLICE("refused"), counts.refused},
        {ASSAY_SLICE("taken_over"), counts.taken_over},
        {ASSAY_SLICE("flushed"), counts.flushed},
        {ASSAY_SLICE("generation"), assay_cache_generation(cache)},
    };
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assay_json_name(&w, rows[i].name);
        assay_json_u64(&w, rows[i].value);
    }
    assay_json_object_close(&w);
    return reply(r, 200, assay_buf_slice(&out));
}

/* --- flushing --- */

static bool step(struct assay_flush *flush)
{
    const struct ngx_assay_guard_worker *worker = ngx_assay_guard_worker();
    return assay_flush_step(worker->zone->cache, flush, &worker->me);
}

static void on_step(ngx_event_t *event)
{
    struct job *job = ngx_assay_timer_context(event);
    ngx_http_request_t *r = job->request;
    ngx_connection_t *c = r->connection;
    if (step(&job->flush)) {
        ngx_add_timer(event, STEP_MS);
        return;
    }
    ngx_http_finalize_request(r, reply_flushed(r, job->flush.ended));
    ngx_http_run_posted_requests(c);
}

/* The client left: the rest only makes room. */
static void on_end(void *data)
{
    struct job *job = data;
    if (job->timer.event.timer_set) {
        ngx_del_timer(&job->timer.event);
    }
}

static ngx_int_t start(ngx_http_request_t *r, const struct assay_flush *flush)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct job));
    if (cleanup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    struct job *job = cleanup->data;
    job->request = r;
    job->flush = *flush;
    ngx_assay_timer_init(&job->timer, on_step, job);
    cleanup->handler = on_end;
    /* The first step is done before anything else: with it the flush is in force. */
    if (!step(&job->flush)) {
        return reply_flushed(r, job->flush.ended);
    }
    ngx_add_timer(&job->timer.event, STEP_MS);
    return NGX_DONE;
}

/* False: it is no token, or OpenSSL could not work. */
static bool flush_key(const uint8_t scope[ASSAY_SHA256_LEN], struct assay_slice token,
                      uint64_t *ended)
{
    struct assay_flush flush = {.kind = ASSAY_FLUSH_TOKEN, .now_us = ngx_assay_boot_us()};
    if (assay_provider_key(scope, token, ngx_assay_guard_worker()->pmac, flush.key, NULL) !=
        ASSAY_OK) {
        return false;
    }
    while (step(&flush)) {
    }
    *ended += flush.ended;
    return true;
}

/* A token has a key for each policy that it may have come by, and for each kind of answer. */
static ngx_int_t flush_token(ngx_http_request_t *r, struct assay_slice token)
{
    const struct ngx_assay_guard_main_conf *main =
        ngx_http_get_module_main_conf(r, ngx_http_assay_guard_module);
    struct assay_policy *const *policies = main->policies.elts;
    uint64_t ended = 0;
    for (ngx_uint_t i = 0; i < main->policies.nelts; i++) {
        for (size_t by = 0; by < ASSAY_TOLD_BY_KINDS; by++) {
            bool used = by == ASSAY_TOLD_BY_SERVER ||
                        policies[i]->provider->mode != ASSAY_GUARD_MODE_OPAQUE;
            if (used && !flush_key(policies[i]->scope[by], token, &ended)) {
                return refuse(r, 400, "{\"error\":\"invalid_request\"}");
            }
        }
    }
    return reply_flushed(r, ended);
}

static ngx_int_t flush_mark(ngx_http_request_t *r, enum assay_flush_kind kind,
                            enum assay_mark_kind mark, struct assay_slice id)
{
    struct assay_flush flush = {.kind = kind, .now_us = ngx_assay_boot_us()};
    return assay_mark_make(ngx_assay_guard_worker()->digester, mark, id, &flush.mark, NULL) ==
                   ASSAY_OK
               ? start(r, &flush)
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* Exactly one thing is flushed. */
static ngx_int_t flush(ngx_http_request_t *r, const struct assay_form *form)
{
    struct assay_slice token = {0};
    struct assay_slice subject = {0};
    struct assay_slice client = {0};
    struct assay_slice everything = {0};
    size_t named = assay_form_find(form, ASSAY_SLICE("token"), &token) +
                   assay_form_find(form, ASSAY_SLICE("subject"), &subject) +
                   assay_form_find(form, ASSAY_SLICE("client"), &client) +
                   assay_form_find(form, ASSAY_SLICE("everything"), &everything);
    if (named == 1 && token.len != 0) {
        return flush_token(r, token);
    }
    if (named == 1 && subject.len != 0) {
        return flush_mark(r, ASSAY_FLUSH_SUBJECT, ASSAY_MARK_SUBJECT, subject);
    }
    if (named == 1 && client.len != 0) {
        return flush_mark(r, ASSAY_FLUSH_CLIENT, ASSAY_MARK_CLIENT, client);
    }
    if (named == 1 && assay_slice_equal(everything, ASSAY_SLICE("1"))) {
        struct assay_flush all = {.kind = ASSAY_FLUSH_EVERYTHING, .now_us = ngx_assay_boot_us()};
        return start(r, &all);
    }
    return refuse(r, 400,
                  "{\"error\":\"invalid_request\",\"error_description\":\"one of token, subject, "
                  "client and everything=1 is wanted\"}");
}

static ngx_int_t take_body(ngx_http_request_t *r)
{
    u_char *memory = ngx_palloc(r->pool, 4 * (size_t)ASSAY_MAX_BODY);
    struct assay_arena arena;
    struct assay_request request = {0};
    struct assay_form form;
    if (memory == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_int_t rc;
    assay_arena_init(&arena, memory, 4 * (size_t)ASSAY_MAX_BODY);
    if (!ngx_assay_body_take(r, &arena, &request) || request.body_too_large) {
        rc = refuse(r, 413, "{\"error\":\"invalid_request\"}");
    } else if (assay_form_parse(request.body, &arena, &form, NULL) != ASSAY_OK) {
        rc = refuse(r, 400, "{\"error\":\"invalid_request\"}");
    } else {
        rc = flush(r, &form);
    }
    assay_arena_release(&arena);
    return rc;
}

static void body_ready(ngx_http_request_t *r)
{
    ngx_int_t rc = take_body(r);
    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}

/* --- who may --- */

static bool is_administrator(ngx_http_request_t *r, const ngx_str_t *secret)
{
    struct assay_slice given = {0};
    return secret->len != 0 && r->headers_in.authorization != NULL &&
           assay_authorization_scheme(ngx_assay_slice(&r->headers_in.authorization->value),
                                      &given) == ASSAY_SCHEME_BEARER &&
           assay_secret_equal(given, ngx_assay_slice(secret));
}

ngx_int_t ngx_assay_control(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    if (r->method == NGX_HTTP_POST && is_administrator(r, &conf->control_secret) &&
        ngx_assay_guard_worker() != NULL) {
        return ngx_assay_body_read(r, body_ready);
    }
    ngx_int_t rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }
    if (!is_administrator(r, &conf->control_secret)) {
        return refuse(r, 401, "{\"error\":\"invalid_token\"}");
    }
    if (ngx_assay_guard_worker() == NULL) {
        return refuse(r, 503, "{\"error\":\"temporarily_unavailable\"}");
    }
    return r->method == NGX_HTTP_GET ? reply_counts(r, ngx_assay_guard_worker()->zone->cache)
                                     : refuse(r, 405, "{\"error\":\"invalid_request\"}");
}
