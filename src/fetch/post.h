/* One HTTPS POST and its answer, waited for: what the command needs of outgoing HTTP. */
#ifndef ASSAY_FETCH_POST_H
#define ASSAY_FETCH_POST_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

/* A request. Borrows everything. `url` is https, or http to this machine alone. Redirects are not
 * followed, so that credentials reach nobody else. */
struct assay_post {
    const char *url;
    const char *user; /* HTTP Basic */
    const char *password;
    const char *ca_file; /* PEM; NULL: the system's authorities */
    const char *content_type;
    struct assay_slice body;
};

/* Sends `post` and appends the body of the answer to `*out`, which bounds it. Fails with
 * ASSAY_ERR_SYNTAX when the URL is not one of those above, ASSAY_ERR_LIMIT when the answer does not
 * fit, ASSAY_ERR_SYSTEM otherwise (the constant text is curl's). Gives up after 5 s without a
 * connection and 30 s in all. */
ASSAY_MUST_USE enum assay_status assay_post_run(const struct assay_post *post,
                                                struct assay_buf *out, unsigned *ret_http_status,
                                                struct assay_error *reterr);

#endif
