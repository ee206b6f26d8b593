#include "host/nginx/ngx_assay_body.h"

#include "base/limits.h"
#include "base/secret.h"

/* Kept for a request whose body was not all there at once. */
struct waiting {
    ngx_event_t late;
    ngx_http_client_body_handler_pt ready;
};

static void forget(void *data)
{
    struct waiting *waiting = data;
    if (waiting->late.timer_set) {
        ngx_del_timer(&waiting->late);
    }
}

/* nginx's own time-out, brought forward: its handler of the body closes the request. */
static void on_late(ngx_event_t *event)
{
    ngx_connection_t *c = event->data;
    c->read->timedout = 1;
    c->read->handler(c->read);
}

static void on_body(ngx_http_request_t *r)
{
    const ngx_pool_cleanup_t *cleanup = r->pool->cleanup;
    while (cleanup->handler != forget) {
        cleanup = cleanup->next;
    }
    const struct waiting *waiting = cleanup->data;
    forget(cleanup->data);
    waiting->ready(r);
}

static struct waiting *wait_for(ngx_http_request_t *r, ngx_http_client_body_handler_pt ready)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct waiting));
    if (cleanup == NULL) {
        return NULL;
    }
    struct waiting *waiting = cleanup->data;
    ngx_memzero(waiting, sizeof(*waiting));
    waiting->late.handler = on_late;
    waiting->late.data = r->connection;
    waiting->late.log = r->connection->log;
    waiting->ready = ready;
    cleanup->handler = forget;
    return waiting;
}

/* Did the body come with its header, plainly, and is there nobody else who wants to see it? Then it
 * is taken from where it lies, and nginx builds no buffers for it: of a small request that is a
 * good part of the work. */
static bool lies_in_header(const ngx_http_request_t *r)
{
    off_t len = r->headers_in.content_length_n;
    return r == r->main && r->stream == NULL && r->request_body == NULL && !r->discard_body &&
           !r->headers_in.chunked && r->headers_in.expect == NULL && len > 0 &&
           len <= r->header_in->last - r->header_in->pos &&
           ngx_http_top_request_body_filter == ngx_http_request_body_save_filter;
}

ngx_int_t ngx_assay_body_read(ngx_http_request_t *r, ngx_http_client_body_handler_pt ready)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    if (lies_in_header(r)) {
        r->main->count++;
        ready(r);
        return NGX_DONE;
    }
    struct waiting *waiting = wait_for(r, ready);
    if (waiting == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->request_body_in_single_buf = 1;
    ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    if (rc == NGX_AGAIN) {
        ngx_add_timer(&waiting->late, core->client_body_timeout);
    }
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

/* --- taking it --- */

static void move(uint8_t *to, u_char *from, size_t len)
{
    ngx_memcpy(to, from, len);
    assay_secret_wipe(from, len);
}

static size_t length_of(const ngx_chain_t *chain)
{
    size_t len = 0;
    for (const ngx_chain_t *at = chain; at != NULL; at = at->next) {
        /* The location's buffer holds the largest body it takes, so none is ever in a file. */
        len += ngx_buf_in_memory(at->buf) ? (size_t)(at->buf->last - at->buf->pos) : 0;
    }
    return len;
}

static void move_chain(uint8_t *to, const ngx_chain_t *chain)
{
    for (const ngx_chain_t *at = chain; at != NULL; at = at->next) {
        if (ngx_buf_in_memory(at->buf)) {
            size_t part = (size_t)(at->buf->last - at->buf->pos);
            move(to, at->buf->pos, part);
            to += part;
        }
    }
}

bool ngx_assay_body_take(ngx_http_request_t *r, struct assay_arena *arena,
                         struct assay_request *ret)
{
    bool in_header = lies_in_header(r);
    const ngx_chain_t *chain = r->request_body == NULL ? NULL : r->request_body->bufs;
    size_t len = in_header ? (size_t)r->headers_in.content_length_n : length_of(chain);
    if (len > ASSAY_MAX_BODY) {
        ret->body_too_large = true;
        return true;
    }
    uint8_t *body = assay_arena_take(arena, len, 1);
    if (body == NULL) {
        return false;
    }
    ret->body = assay_slice_of(body, len);
    if (in_header) {
        move(body, r->header_in->pos, len);
        return ngx_http_discard_request_body(r) == NGX_OK; /* steps over it: it is all there */
    }
    move_chain(body, chain);
    return true;
}
