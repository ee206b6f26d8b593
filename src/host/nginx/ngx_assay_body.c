#include "host/nginx/ngx_assay_body.h"

extern ngx_module_t ngx_http_assay_server_module;

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
    struct waiting *waiting = ngx_http_get_module_ctx(r, ngx_http_assay_server_module);
    forget(waiting);
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
    ngx_http_set_ctx(r, waiting, ngx_http_assay_server_module);
    return waiting;
}

ngx_int_t ngx_assay_body_read(ngx_http_request_t *r, ngx_http_client_body_handler_pt ready)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
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
