/* The judge endpoint: tells another proxy whether the request that it holds may pass. */
#include "host/nginx/ngx_assay_guard_access.h"
#include "host/nginx/ngx_assay_headers.h"
#include "host/nginx/ngx_assay_setting.h"

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr[12] == 127);
    }
    return address->sa_family == AF_UNIX;
}

static bool is_any(const ngx_array_t *peers)
{
    const ngx_cidr_t *cidr = peers->elts;
    for (ngx_uint_t i = 0; i < peers->nelts; i++) {
        if (cidr[i].family == 0) {
            return true;
        }
    }
    return false;
}

/* May whoever sent `r` ask at all? A subrequest of this very nginx may; whom an internal redirect
 * brings here comes from outside. */
static bool may_ask(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf)
{
    if (r != r->main) {
        return true;
    }
    if (conf->peers == NULL) {
        return is_loopback(r->connection->sockaddr);
    }
    return is_any(conf->peers) || ngx_cidr_match(r->connection->sockaddr, conf->peers) == NGX_OK;
}

static ngx_int_t send_status(ngx_http_request_t *r, ngx_int_t status)
{
    r->headers_out.status = (ngx_uint_t)status;
    r->headers_out.content_length_n = status == NGX_HTTP_NO_CONTENT ? -1 : 0;
    r->header_only = 1;
    return ngx_http_send_header(r);
}

static ngx_int_t answer(ngx_http_request_t *r, const struct ngx_assay_guard_loc_conf *conf,
                        struct ngx_assay_decision *d)
{
    if (d->op.reason == ASSAY_REASON_OK) {
        return ngx_assay_headers_answer(r, conf->set_headers) == NGX_OK
                   ? send_status(r, NGX_HTTP_NO_CONTENT)
                   : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_int_t status = ngx_assay_refusal(r, d);
    if (status == NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return status;
    }
    /* nginx's auth_request understands no other refusals than 401 and 403. */
    return send_status(r, status == NGX_HTTP_BAD_REQUEST ? NGX_HTTP_UNAUTHORIZED : status);
}

static void resume(struct ngx_assay_decision *d)
{
    ngx_http_request_t *r = d->request;
    ngx_connection_t *c = r->connection;
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    ngx_http_finalize_request(r, answer(r, conf, d));
    ngx_http_run_posted_requests(c);
}

ngx_int_t ngx_assay_judge(ngx_http_request_t *r)
{
    const struct ngx_assay_guard_loc_conf *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_assay_guard_module);
    struct ngx_assay_decision *d = NULL;
    if (!may_ask(r, conf)) {
        ngx_log_error(
            NGX_LOG_WARN, r->connection->log, 0,
            "assay: the judge endpoint was asked from an address that \"assay_check\" does "
            "not name: add from= if it may");
        return NGX_HTTP_FORBIDDEN;
    }
    ngx_int_t rc = r == r->main ? ngx_http_discard_request_body(r) : NGX_OK;
    if (rc != NGX_OK) {
        return rc;
    }
    switch (ngx_assay_decision_make(r, conf->policy, resume, &d)) {
    case NGX_OK:
        return answer(r, conf, d);
    case NGX_AGAIN:
        r->main->count++; /* given back by resume, or by the end of the connection */
        return NGX_DONE;
    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}
