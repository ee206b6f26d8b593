/* An nginx request as a message of the core, and a reply back. */
#ifndef ASSAY_HOST_NGX_ASSAY_REQUEST_H
#define ASSAY_HOST_NGX_ASSAY_REQUEST_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "base/arena.h"
#include "http/message.h"

/* Fills `*ret` from `r`, whose body has been read (or is too large: `body_too_large`). The body is
 * copied into `arena` and wiped where it was, since a change may outlive the request; everything
 * else borrows from `r`. False when the arena is spent. */
bool ngx_assay_request_read(ngx_http_request_t *r, bool body_too_large, struct assay_arena *arena,
                            struct assay_request *ret);

/* Sends the reply; what it borrows is copied. Returns what to finalize the request with. */
ngx_int_t ngx_assay_reply_send(ngx_http_request_t *r, const struct assay_reply *reply);

#endif
