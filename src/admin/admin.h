/* What the command and /admin share: every administrative verb, checked once. A request is a
 * method, a path under /admin/ and a JSON body; the answer is JSON. The command makes the same
 * requests, against a local store (ex->trusted) or a server. docs/admin-api.md lists them. */
#ifndef ASSAY_ADMIN_ADMIN_H
#define ASSAY_ADMIN_ADMIN_H

#include "server/exchange.h"

/* Bytes of arena that every administrative request gets by with. */
#define ASSAY_ADMIN_ARENA ((size_t)128 * 1024)

/* As assay_exchange_run, for ASSAY_ENDPOINT_ADMIN. Unless ex->trusted, the caller must authenticate
 * by HTTP Basic as a client with `admin` (401 invalid_client; 403 for others). */
ASSAY_MUST_USE enum assay_status assay_admin_run(struct assay_exchange *ex, int64_t now_s,
                                                 enum assay_step *ret_step,
                                                 struct assay_error *reterr);

#endif
