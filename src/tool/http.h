/* One HTTP request and its answer, waited for: fetch/fetch.h on a loop of its own. */
#ifndef ASSAY_TOOL_HTTP_H
#define ASSAY_TOOL_HTTP_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

/* Borrows everything. `url` is https, or http to this machine alone. */
struct assay_http {
    const char *url;
    const char *authorization; /* value of that field; secret */
    const char *ca_file;       /* PEM; NULL: the system's authorities */
    const char *content_type;  /* NULL: a GET */
    struct assay_slice body;
};

/* Sends it and appends the body of the answer to `*out`, which bounds it. Fails with
 * ASSAY_ERR_SYNTAX when the URL is not one of those above, ASSAY_ERR_LIMIT when the answer does not
 * fit, ASSAY_ERR_SYSTEM otherwise (the constant text is libcurl's). Gives up after 5 s without a
 * connection and 30 s in all. */
ASSAY_MUST_USE enum assay_status assay_http_run(const struct assay_http *http,
                                                struct assay_buf *out, unsigned *ret_http_status,
                                                struct assay_error *reterr);

#endif
