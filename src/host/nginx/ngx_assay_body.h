/* Reading a request's body: whole, in memory, in bounded time. */
#ifndef ASSAY_HOST_NGX_ASSAY_BODY_H
#define ASSAY_HOST_NGX_ASSAY_BODY_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "base/arena.h"
#include "http/message.h"

/* Reads the body into one buffer and calls `ready`. The location's client_body_timeout counts for
 * the whole of it, where nginx counts it anew from each piece: a body of a byte every few seconds
 * would hold its connection for hours. Who is late is closed without an answer. Returns what a
 * content handler returns. */
ngx_int_t ngx_assay_body_read(ngx_http_request_t *r, ngx_http_client_body_handler_pt ready);

/* Once it is there: copies the body into `arena`, wipes it where it was, and sets `body` or
 * `body_too_large` of `*ret`. False when the arena is spent. */
bool ngx_assay_body_take(ngx_http_request_t *r, struct assay_arena *arena,
                         struct assay_request *ret);

#endif
