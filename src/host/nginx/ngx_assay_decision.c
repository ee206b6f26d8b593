#include "host/nginx/ngx_assay_decision.h"

#include "base/base64url.h"
#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_guard_worker.h"
#include "host/nginx/ngx_assay_headers.h"
#include "host/nginx/ngx_assay_keys.h"
#include "host/nginx/ngx_assay_setting.h"

#define QUERY_ARENA 8192 /* what decoding a query may take */

/* --- the record --- */

#define MAX_FREE 512

/* Records of requests that are over, the last one first: in a request's own pool they would cost
 * most requests another block of memory. */
static struct {
    struct ngx_assay_record *records;
    ngx_uint_t count;
} spare; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

static struct ngx_assay_record *take_record(ngx_log_t *log)
{
    struct ngx_assay_record *record = spare.records;
    if (record == NULL) {
        return ngx_calloc(sizeof(*record), log);
    }
    spare.records = record->next_free;
    spare.count--;
    ngx_memzero(record, sizeof(*record));
    return record;
}

static void give_record(struct ngx_assay_record *record)
{
    if (spare.count == MAX_FREE) {
        ngx_free(record);
        return;
    }
    record->next_free = spare.records;
    spare.records = record;
    spare.count++;
}

/* The request ends. Whoever waits for an answer need not any more. */
static void on_end(void *data)
{
    struct ngx_assay_record *record = data;
    for (struct ngx_assay_decision *d = record->decisions; d != NULL; d = d->next) {
        if (d->waiting) {
            d->waiting = false;
            ngx_assay_ask_cancel(&d->waiter);
        }
    }
    give_record(record);
}

static struct ngx_assay_record *find_record(ngx_http_request_t *r)
{
    for (ngx_pool_cleanup_t *cleanup = r->main->pool->cleanup; cleanup != NULL;
         cleanup = cleanup->next) {
        if (cleanup->handler == on_end) {
            return cleanup->data;
        }
    }
    return NULL;
}

static bool copy(ngx_pool_t *pool, struct assay_slice text, struct assay_slice *ret)
{
    u_char *bytes = text.len == 0 ? NULL : ngx_pnalloc(pool, text.len);
    *ret = assay_slice_of(bytes, bytes == NULL ? 0 : text.len);
    if (bytes != NULL) {
        ngx_memcpy(bytes, text.data, text.len);
    }
    return ret->len == text.len;
}

/* The values of all Cookie fields, joined as HTTP/2 has it (RFC 9113 section 8.2.3). */
static bool join_cookies(ngx_http_request_t *r, struct assay_slice *ret)
{
    ngx_table_elt_t **cookies = r->headers_in.cookies.elts;
    size_t len = 0;
    for (ngx_uint_t i = 0; i < r->headers_in.cookies.nelts; i++) {
        len += cookies[i]->value.len + 2;
    }
    u_char *out = len == 0 ? NULL : ngx_pnalloc(r->main->pool, len);
    *ret = assay_slice_of(out, 0);
    for (ngx_uint_t i = 0; i < r->headers_in.cookies.nelts && out != NULL; i++) {
        out = ngx_cpymem(out, cookies[i]->value.data, cookies[i]->value.len);
        out = ngx_cpymem(out, "; ", 2);
    }
    ret->len = out == NULL ? 0 : len;
    return ret->len == len;
}

/* Its bytes stay where they are, whatever becomes of the field. */
static void read_authorization(ngx_http_request_t *r, struct assay_bearer_request *ret)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (ngx_assay_headers_is_authorization(&headers[i]) &&
                ret->authorization_count++ == 0) {
                ret->authorization = ngx_assay_slice(&headers[i].value);
            }
        }
    }
}

/* What the client sent is read once, from its own request: what an internal redirect or a
 * subrequest makes of the query, or we of the fields, does not count. */
static bool read_credentials(ngx_http_request_t *r, struct assay_bearer_request *ret)
{
    ngx_http_request_t *main = r->main;
    ngx_str_t query = ngx_null_string;
    u_char *mark = main->unparsed_uri.len == 0
                       ? NULL
                       : ngx_strlchr(main->unparsed_uri.data,
                                     main->unparsed_uri.data + main->unparsed_uri.len, '?');
    if (mark != NULL) {
        query.data = mark + 1;
        query.len = (size_t)(main->unparsed_uri.data + main->unparsed_uri.len - query.data);
    }
    read_authorization(main, ret);
    return join_cookies(main, &ret->cookies) &&
           copy(main->pool, ngx_assay_slice(&query), &ret->query);
}

static struct ngx_assay_record *record_of(ngx_http_request_t *r)
{
    struct ngx_assay_record *record = find_record(r);
    if (record != NULL) {
        return record;
    }
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->main->pool, 0);
    record = cleanup == NULL ? NULL : take_record(r->connection->log);
    if (record == NULL) {
        return NULL;
    }
    if (!read_credentials(r, &record->credentials)) {
        give_record(record);
        return NULL;
    }
    cleanup->data = record;
    cleanup->handler = on_end;
    return record;
}

const struct assay_bearer_request *ngx_assay_decision_read(ngx_http_request_t *r)
{
    const struct ngx_assay_record *record = record_of(r);
    return record == NULL ? NULL : &record->credentials;
}

const struct assay_bearer_request *ngx_assay_decision_credentials(ngx_http_request_t *r)
{
    const struct ngx_assay_record *record = find_record(r);
    return record == NULL ? NULL : &record->credentials;
}

/* --- decisions --- */

struct ngx_assay_decision *ngx_assay_decision_find(ngx_http_request_t *r,
                                                   const struct assay_policy *policy)
{
    const struct ngx_assay_record *record = find_record(r);
    struct ngx_assay_decision *d = record == NULL ? NULL : record->decisions;
    while (d != NULL && !(d->op.policy == policy && d->done)) {
        d = d->next;
    }
    return d;
}

static struct ngx_assay_decision *find_own(struct ngx_assay_record *record, ngx_http_request_t *r,
                                           const struct assay_policy *policy)
{
    struct ngx_assay_decision *d = record->decisions;
    while (d != NULL && !(d->op.policy == policy && (d->done || d->request == r))) {
        d = d->next;
    }
    return d;
}

/* What an answer of the cache is read to, for all requests of a worker: in each one's pool it would
 * cost another block of memory. */
static struct assay_cached
    answer_room; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

/* The values lie in `answer_room`, or end with the question that they answer. */
static void keep_values(struct ngx_assay_decision *d)
{
    struct assay_slice values = d->op.kept.values;
    if (!d->op.known || values.len == 0) {
        return;
    }
    if (values.len <= sizeof(d->values)) {
        ngx_memcpy(d->values, values.data, values.len);
        d->op.kept.values = assay_slice_of(d->values, values.len);
    } else if (!copy(d->request->main->pool, values, &d->op.kept.values)) {
        d->op.known = false;
        d->op.reason = ASSAY_REASON_FAULT;
    }
}

static void on_answered(struct ngx_assay_waiter *waiter)
{
    struct ngx_assay_decision *d = waiter->context;
    d->waiting = false;
    d->done = true;
    keep_values(d);
    d->decided(d);
}

static struct ngx_assay_decision *add(struct ngx_assay_record *record, ngx_http_request_t *r,
                                      const struct assay_policy *policy)
{
    struct ngx_assay_decision *d =
        record->decisions == NULL ? &record->first : ngx_pcalloc(r->main->pool, sizeof(*d));
    if (d == NULL) {
        return NULL;
    }
    d->record = record;
    d->request = r;
    d->op.policy = policy;
    d->op.room = &answer_room;
    d->next = record->decisions;
    record->decisions = d;
    return d;
}

static struct ngx_assay_provider *provider_of(const struct ngx_assay_decision *d)
{
    return ngx_assay_around(d->op.policy->provider, offsetof(struct ngx_assay_provider, core));
}

static struct ngx_assay_asker *asker_of(const struct ngx_assay_decision *d)
{
    return &ngx_assay_guard_worker()->askers[provider_of(d)->index];
}

static void prepare(struct ngx_assay_decision *d, void (*answered)(struct ngx_assay_waiter *waiter))
{
    d->waiter = (struct ngx_assay_waiter){
        .op = &d->op,
        .provider = provider_of(d),
        .address = d->request->connection->sockaddr,
        .address_len = d->request->connection->socklen,
        .answered = answered,
        .context = d,
    };
}

/* NGX_OK: it is decided, as there are too many questions already. */
static ngx_int_t wait_for_answer(struct ngx_assay_decision *d)
{
    prepare(d, on_answered);
    d->waiting = ngx_assay_ask(&d->waiter);
    if (d->waiting) {
        return NGX_AGAIN;
    }
    d->done = true;
    d->op.reason = ASSAY_REASON_BUSY;
    return NGX_OK;
}

static ngx_int_t go_on(struct ngx_assay_decision *d, enum assay_decide_step step);

static enum assay_decide_step judge(struct ngx_assay_decision *d)
{
    static uint8_t room[ASSAY_MAX_KEPT]; /* of this worker's one thread */
    const struct ngx_assay_guard_worker *worker = ngx_assay_guard_worker();
    struct assay_decide_keys keys = ngx_assay_keys_known(asker_of(d), d->op.entered_us);
    struct assay_buf values;
    struct assay_decide_host host = {worker->digester, worker->pmac, &worker->me, &values};
    assay_buf_init(&values, room, sizeof(room));
    return assay_decide_judge(&d->op, &keys, &host, ngx_assay_now_s());
}

/* The keys have been fetched, or cannot be. */
static void on_keys(struct ngx_assay_waiter *waiter)
{
    struct ngx_assay_decision *d = waiter->context;
    d->waiting = false;
    if (go_on(d, judge(d)) == NGX_OK) {
        d->decided(d);
    }
}

static ngx_int_t go_on(struct ngx_assay_decision *d, enum assay_decide_step step)
{
    if (step == ASSAY_DECIDE_ASK) {
        return wait_for_answer(d);
    }
    if (step == ASSAY_DECIDE_KEYS) {
        prepare(d, on_keys);
        d->waiting = true;
        ngx_assay_keys_wait(asker_of(d), &d->waiter);
        return NGX_AGAIN;
    }
    d->done = true;
    keep_values(d);
    return NGX_OK;
}

/* As far as it goes without waiting. NGX_ERROR: no memory. */
static ngx_int_t begin(struct ngx_assay_decision *d, enum assay_decide_step *ret)
{
    uint8_t room[QUERY_ARENA];
    struct assay_arena arena;
    ngx_int_t rc = NGX_OK;
    assay_arena_init(&arena, room, sizeof(room));
    *ret = assay_decide_begin(&d->op, &d->record->credentials, &arena,
                              ngx_assay_guard_worker()->pmac, ngx_assay_now_s());
    if (*ret == ASSAY_DECIDE_JUDGE) {
        *ret = judge(d);
    }
    if (*ret != ASSAY_DECIDE_DONE && /* the token may lie in the arena */
        !copy(d->request->main->pool, d->op.token, &d->op.token)) {
        rc = NGX_ERROR;
    }
    assay_arena_release(&arena);
    return rc;
}

/* The certificate that the client has shown on this connection, of whatever issuer (RFC 8705
 * section 6.2). Where another proxy asks, it is that proxy's, and nobody's here. */
static void read_certificate(struct ngx_assay_decision *d)
{
    const ngx_http_request_t *r = d->request;
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    const ngx_ssl_connection_t *ssl = r->connection->ssl;
    const X509 *certificate = ssl == NULL || (conf->judge && r == r->main)
                                  ? NULL
                                  : SSL_get0_peer_certificate(ssl->connection);
    uint8_t digest[ASSAY_SHA256_LEN];
    unsigned len = 0;
    if (certificate != NULL && X509_digest(certificate, EVP_sha256(), digest, &len) == 1 &&
        len == sizeof(digest)) {
        assay_base64url_encode(assay_slice_of(digest, sizeof(digest)), d->certificate);
        d->op.certificate = assay_slice_of(d->certificate, sizeof(d->certificate));
    }
}

static ngx_int_t decide(struct ngx_assay_decision *d)
{
    const struct ngx_assay_guard_worker *worker = ngx_assay_guard_worker();
    enum assay_decide_step step = ASSAY_DECIDE_DONE;
    d->op.entered_us = ngx_assay_boot_us();
    if (worker == NULL) {
        d->done = true;
        d->op.reason = ASSAY_REASON_FAULT;
        return NGX_OK;
    }
    d->op.cache = worker->zone->cache;
    read_certificate(d);
    d->op.keys_version = ngx_assay_keys_version(asker_of(d));
    return begin(d, &step) == NGX_OK ? go_on(d, step) : NGX_ERROR;
}

ngx_int_t ngx_assay_decision_make(ngx_http_request_t *r, const struct assay_policy *policy,
                                  void (*decided)(struct ngx_assay_decision *decision),
                                  struct ngx_assay_decision **ret)
{
    struct ngx_assay_record *record = record_of(r);
    if (record == NULL) {
        return NGX_ERROR;
    }
    struct ngx_assay_decision *d = find_own(record, r, policy);
    if (d == NULL) {
        d = add(record, r, policy);
        if (d == NULL) {
            return NGX_ERROR;
        }
        d->decided = decided;
        ngx_int_t rc = decide(d);
        if (rc != NGX_OK) {
            return rc;
        }
    }
    *ret = d;
    return d->done ? NGX_OK : NGX_AGAIN;
}

ngx_int_t ngx_assay_decision_wave(ngx_http_request_t *r, const struct assay_policy *policy)
{
    struct ngx_assay_record *record = record_of(r);
    struct ngx_assay_decision *d = record == NULL ? NULL : add(record, r, policy);
    if (d == NULL) {
        return NGX_ERROR;
    }
    d->done = true;
    d->op.reason = ASSAY_REASON_OK;
    return NGX_OK;
}

ngx_int_t ngx_assay_decision_admit(ngx_http_request_t *r, const struct assay_policy *policy)
{
    struct ngx_assay_record *record = record_of(r);
    struct ngx_assay_admission *admission = ngx_palloc(r->main->pool, sizeof(*admission));
    if (record == NULL || admission == NULL) {
        return NGX_ERROR;
    }
    *admission = (struct ngx_assay_admission){.next = record->admissions, .policy = policy};
    record->admissions = admission;
    return NGX_OK;
}

bool ngx_assay_decision_admitted(ngx_http_request_t *r, const struct assay_policy *policy)
{
    const struct ngx_assay_record *record = find_record(r);
    const struct ngx_assay_admission *at = record == NULL ? NULL : record->admissions;
    while (at != NULL && at->policy != policy) {
        at = at->next;
    }
    return at != NULL;
}
