/* The one access token of a request to a protected resource (RFC 6750 section 2). */
#ifndef ASSAY_HTTP_BEARER_H
#define ASSAY_HTTP_BEARER_H

#include "base/arena.h"
#include "base/slice.h"

#include <stddef.h>

/* Where a request may carry a token. Slices borrow from the host. */
struct assay_bearer_request {
    struct assay_slice authorization; /* value of the first Authorization field */
    size_t authorization_count;       /* of such fields */
    struct assay_slice cookies;       /* value of the Cookie field; several joined by "; " */
    struct assay_slice query;         /* as sent, behind the '?' */
};

/* Where a token is taken from beside the Authorization field, if the operator says so in so many
 * words; empty: nowhere. */
struct assay_bearer_sources {
    struct assay_slice cookie; /* name of a cookie */
    struct assay_slice query;  /* name of a query parameter */
};

enum assay_bearer_result {
    ASSAY_BEARER_NONE = 0,  /* no token, or another scheme: 401 without an error code */
    ASSAY_BEARER_ONE,       /* `*ret` is the token */
    ASSAY_BEARER_SEVERAL,   /* more than one field, or more than one way: 400 invalid_request */
    ASSAY_BEARER_MALFORMED, /* not of the syntax of a token: 400 invalid_request */
    ASSAY_BEARER_TOO_LONG,  /* more than ASSAY_MAX_TOKEN_PARAM bytes: 400 invalid_request */
};

/* Finds the token of `request` in the Authorization field (the scheme in any case, one or more
 * spaces, b64token and nothing behind; RFC 6750 section 2.1) and in `sources`. A second way counts
 * as one also where it is not taken from: `access_token` in the query beside a token in the header
 * is malformed, whoever reads it (RFC 6750 section 2). `*ret` borrows from `request` or lies in
 * `arena`, where the query is decoded; a query that cannot be (too many parameters, a bad escape)
 * is malformed where a token is taken from it, and says nothing elsewhere. */
enum assay_bearer_result assay_bearer_find(const struct assay_bearer_request *request,
                                           const struct assay_bearer_sources *sources,
                                           struct assay_arena *arena, struct assay_slice *ret);

#endif
