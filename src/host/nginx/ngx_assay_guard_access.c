#include "host/nginx/ngx_assay_guard_access.h"

#include "base/limits.h"
#include "host/nginx/ngx_assay_headers.h"
#include "host/nginx/ngx_assay_request.h"
#include "host/nginx/ngx_assay_setting.h"

/* --- refusals --- */

#define CHALLENGE_ROOM (ASSAY_MAX_SCOPE + 1024)
#define RETRY_AFTER_S 1

static ngx_int_t add_field(ngx_http_request_t *r, const char *name, const char *value,
                           size_t value_len, ngx_table_elt_t **ret)
{
    ngx_table_elt_t *field = ngx_list_push(&r->headers_out.headers);
    if (field == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(field, sizeof(*field));
    field->hash = 1;
    field->key.data = (u_char *)(uintptr_t)name;
    field->key.len = ngx_strlen(name);
    field->value.data = (u_char *)(uintptr_t)value;
    field->value.len = value_len;
    if (ret != NULL) {
        *ret = field;
    }
    return NGX_OK;
}

static ngx_int_t add_challenge(ngx_http_request_t *r, const struct assay_decide *op)
{
    u_char *room = ngx_pnalloc(r->pool, CHALLENGE_ROOM);
    struct assay_buf buf;
    if (room == NULL) {
        return NGX_ERROR;
    }
    assay_buf_init(&buf, room, CHALLENGE_ROOM);
    assay_decide_challenge(op, &buf);
    if (buf.spent) {
        return NGX_ERROR;
    }
    return buf.len == 0 ? NGX_OK
                        : add_field(r, "WWW-Authenticate", (const char *)room, buf.len,
                                    &r->headers_out.www_authenticate);
}

static ngx_int_t add_fields(ngx_http_request_t *r, const struct assay_decide *op, unsigned status)
{
    if (add_field(r, "Cache-Control", "no-store", sizeof("no-store") - 1, NULL) != NGX_OK) {
        return NGX_ERROR;
    }
    return status == 503 ? add_field(r, "Retry-After", "1", 1, NULL) : add_challenge(r, op);
}

ngx_int_t ngx_assay_refusal(ngx_http_request_t *r, struct ngx_assay_decision *d)
{
    unsigned status = assay_decide_status(&d->op);
    struct assay_slice reason = assay_reason_name(d->op.reason);
    bool broken = d->op.reason == ASSAY_REASON_INVALID && d->op.fault != ASSAY_JOSE_OK;
    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0, "assay: refused with %ui: %*s%s%s",
                  (ngx_uint_t)status, reason.len, reason.data, broken ? ": " : "",
                  broken ? assay_jose_fault_name(d->op.fault) : "");
    if (!d->told && add_fields(r, &d->op, status) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    d->told = r == r->main;
    return (ngx_int_t)status;
}

/* Does the location have a page of its own for `status`? Then nginx serves that. */
static bool has_page(ngx_http_request_t *r, ngx_int_t status)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    const ngx_http_err_page_t *pages = core->error_pages == NULL ? NULL : core->error_pages->elts;
    for (ngx_uint_t i = 0; pages != NULL && i < core->error_pages->nelts; i++) {
        if (pages[i].status == status) {
            return true;
        }
    }
    return false;
}

/* The body of a refusal: the error code as JSON, where there is one. */
static struct assay_slice body_of(const struct assay_decide *op)
{
    if (op->reason == ASSAY_REASON_NO_TOKEN) {
        return (struct assay_slice){0};
    }
    if (op->reason == ASSAY_REASON_AUTHENTICATION) {
        return ASSAY_SLICE("{\"error\":\"insufficient_user_authentication\"}");
    }
    switch (assay_decide_status(op)) {
    case 400:
        return ASSAY_SLICE("{\"error\":\"invalid_request\"}");
    case 401:
        return ASSAY_SLICE("{\"error\":\"invalid_token\"}");
    case 403:
        return ASSAY_SLICE("{\"error\":\"insufficient_scope\"}");
    default:
        return ASSAY_SLICE("{\"error\":\"temporarily_unavailable\"}");
    }
}

/* Who asks whether to send the body is not told to: the refusal is the answer, and the connection
 * ends with it, as the body may come or not (RFC 9110 section 10.1.1). */
static void want_no_body(ngx_http_request_t *r)
{
    if (r->headers_in.expect != NULL) {
        r->expect_tested = 1;
        r->keepalive = 0;
    }
}

/* Refuses the client's request here and now. NGX_DONE: it has been answered. */
static ngx_int_t refuse(ngx_http_request_t *r, struct ngx_assay_decision *d)
{
    static ngx_str_t type = ngx_string("application/json");
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_int_t status = ngx_assay_refusal(r, d);
    bool any = core->satisfy == NGX_HTTP_SATISFY_ANY; /* others may still let it pass */
    if (!any) {
        want_no_body(r);
    }
    if (status == NGX_HTTP_INTERNAL_SERVER_ERROR || r != r->main || any || has_page(r, status)) {
        return status;
    }
    struct assay_slice body = body_of(&d->op);
    ngx_http_complex_value_t value = {0};
    value.value.data = (u_char *)(uintptr_t)body.data;
    value.value.len = body.len;
    ngx_http_finalize_request(r, ngx_http_send_response(r, (ngx_uint_t)status, &type, &value));
    return NGX_DONE;
}

/* --- letting through --- */

/* Without what names somebody, and without the token where that is not forwarded. */
static ngx_int_t make_plain(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf)
{
    const struct ngx_assay_guard_main_conf *main =
        ngx_http_get_module_main_conf(r, ngx_http_assay_guard_module);
    ngx_int_t rc = ngx_assay_headers_strip(r, &main->identity);
    if (rc != NGX_OK) {
        return rc;
    }
    return conf->forward == NGX_ASSAY_FORWARD_TOKEN ? ngx_assay_headers_restore_token(r)
                                                    : ngx_assay_headers_drop_token(r, conf->policy);
}

static ngx_int_t pass(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf)
{
    ngx_int_t rc = make_plain(r, conf);
    return rc == NGX_OK ? ngx_assay_headers_set(r, conf->set_headers) : rc;
}

static void resume(struct ngx_assay_decision *d)
{
    ngx_http_request_t *r = d->request;
    ngx_connection_t *c = r->connection;
    r->read_event_handler = ngx_http_block_reading;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}

/* A pre-flight of CORS brings no credentials; it is one only with both of its fields (Fetch, 4.8).
 */
static bool is_preflight(ngx_http_request_t *r)
{
    static const ngx_str_t origin = ngx_string("origin");
    static const ngx_str_t method = ngx_string("access-control-request-method");
    bool has_origin = false;
    bool has_method = false;
    if (r->method != NGX_HTTP_OPTIONS) {
        return false;
    }
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            struct assay_slice key = ngx_assay_slice(&headers[i].key);
            has_origin = has_origin || assay_slice_equal_nocase(key, ngx_assay_slice(&origin));
            has_method = has_method || assay_slice_equal_nocase(key, ngx_assay_slice(&method));
        }
    }
    return has_origin && has_method;
}

static ngx_int_t wave(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf)
{
    if (ngx_assay_decision_find(r, conf->policy) == NULL &&
        ngx_assay_decision_wave(r, conf->policy) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return make_plain(r, conf) == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* NGX_OK: it may pass. */
static ngx_int_t guard(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf)
{
    struct ngx_assay_decision *d = NULL;
    if (conf->allow_preflight && is_preflight(r)) {
        return wave(r, conf);
    }
    switch (ngx_assay_decision_make(r, conf->policy, resume, &d)) {
    case NGX_OK:
        break;
    case NGX_AGAIN:
        r->read_event_handler = ngx_http_test_reading; /* notices a client that leaves */
        return NGX_AGAIN;
    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (d->op.reason != ASSAY_REASON_OK) {
        return refuse(r, d);
    }
    return pass(r, conf) == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* --- phases --- */

static bool is_guarded(const struct ngx_assay_guard_loc_conf *conf)
{
    return conf->policy != NULL && !conf->judge;
}

ngx_int_t ngx_assay_guard_strip(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_main_conf *main =
        ngx_http_get_module_main_conf(r, ngx_http_assay_guard_module);
    return ngx_assay_headers_strip(r, &main->identity) == NGX_OK ? NGX_DECLINED
                                                                 : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

ngx_int_t ngx_assay_guard_hide(ngx_http_request_t *r)
{
    struct assay_slice standard = ASSAY_SLICE("access_token"); /* RFC 6750 section 2.3 */
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    if (conf->policy == NULL || !ngx_assay_headers_have_query(r->main)) {
        return NGX_DECLINED;
    }
    if (ngx_assay_decision_read(r) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_assay_headers_hide_query(r->main, standard);
    ngx_assay_headers_hide_query(r, standard);
    if (conf->policy->sources.query.len != 0) {
        ngx_assay_headers_hide_query(r->main, conf->policy->sources.query);
        ngx_assay_headers_hide_query(r, conf->policy->sources.query);
    }
    return NGX_DECLINED;
}

ngx_int_t ngx_assay_guard_access(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    return is_guarded(conf) ? guard(r, conf) : NGX_DECLINED;
}

ngx_int_t ngx_assay_guard_subrequest(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    if (r == r->main || !is_guarded(conf)) {
        return NGX_DECLINED;
    }
    ngx_int_t rc = guard(r, conf);
    return rc == NGX_OK ? NGX_DECLINED : rc;
}

/* The access phase is over: where `satisfy any` stands, it may have been an address or a password
 * that let the request in. It goes on without a token then, and without a name. */
ngx_int_t ngx_assay_guard_admitted(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    if (r != r->main || !is_guarded(conf) || !conf->satisfy_any) {
        return NGX_DECLINED;
    }
    const struct ngx_assay_decision *d = ngx_assay_decision_find(r, conf->policy);
    if (d != NULL && d->op.reason == ASSAY_REASON_OK) {
        return NGX_DECLINED;
    }
    return ngx_assay_decision_admit(r, conf->policy) == NGX_OK && make_plain(r, conf) == NGX_OK
               ? NGX_DECLINED
               : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* --- the one way out: of guarded locations, and of judges, whose 2xx lets others pass --- */

static bool is_open(ngx_uint_t status)
{
    return status == NGX_HTTP_SWITCHING_PROTOCOLS || status == NGX_HTTP_NOT_MODIFIED ||
           (status >= NGX_HTTP_OK && status < NGX_HTTP_SPECIAL_RESPONSE);
}

static ngx_int_t stop(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf)
{
    ngx_log_error(
        NGX_LOG_ERR, r->connection->log, 0,
        "assay: a response of status %ui was about to leave the location guarded in %V:%ui "
        "without a decision: does \"return\" or \"error_page\" answer there?",
        r->headers_out.status, &conf->place.file, conf->place.line);
    return ngx_http_filter_finalize_request(r, &ngx_http_assay_guard_filter_module,
                                            NGX_HTTP_INTERNAL_SERVER_ERROR);
}

/* NGX_OK: the response may go on its way. */
ngx_int_t ngx_assay_guard_filter(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    if (conf->policy == NULL || !is_open(r->headers_out.status)) {
        return NGX_OK;
    }
    const struct ngx_assay_decision *d = ngx_assay_decision_find(r, conf->policy);
    bool passes = (d != NULL && d->op.reason == ASSAY_REASON_OK) ||
                  (conf->satisfy_any && ngx_assay_decision_admitted(r, conf->policy));
    return passes ? NGX_OK : stop(r, conf);
}
