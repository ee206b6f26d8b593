/* One exchange on nginx: the core's steps carried out with the worker's store and thread pool, also
 * when the client has left meanwhile. */
#ifndef ASSAY_HOST_NGX_ASSAY_EXCHANGE_H
#define ASSAY_HOST_NGX_ASSAY_EXCHANGE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "host/nginx/ngx_assay_worker.h"
#include "server/exchange.h"
#include "store/store.h"

/* Runs the request `r` on `store` (NULL: it could not be opened, so whatever needs it gets 503).
 * The caller holds a reference to `r` that this gives back by finalizing it: at once, or when the
 * store has answered.
 */
void ngx_assay_exchange_start(ngx_http_request_t *r, struct assay_server *server,
                              struct assay_store *store, bool body_too_large);

/* Frees the blocks that no exchange uses. */
void ngx_assay_blocks_free(struct ngx_assay_worker *worker);

#endif
