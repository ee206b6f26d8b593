/* Error replies of the token endpoint's form (RFC 6749 section 5.2), which introspection and
 * revocation share. Every text is constant: nothing of a request comes back in one. */
#ifndef ASSAY_OAUTH_ERROR_H
#define ASSAY_OAUTH_ERROR_H

#include "http/message.h"

enum assay_oauth_error {
    ASSAY_ERROR_REQUEST,     /* 400 invalid_request */
    ASSAY_ERROR_TWO_METHODS, /* 400 invalid_request: two ways to authenticate at once */
    ASSAY_ERROR_CLEARTEXT,   /* 400 invalid_request: not over TLS */
    ASSAY_ERROR_MEDIA,       /* 415 invalid_request: not a form */
    ASSAY_ERROR_METHOD,      /* 405 invalid_request, Allow: POST */
    ASSAY_ERROR_METHOD_GET,  /* 405 invalid_request, Allow: GET, HEAD */
    ASSAY_ERROR_TOO_LARGE,   /* 413 invalid_request */
    ASSAY_ERROR_CLIENT,      /* 401 invalid_client, with a challenge */
    ASSAY_ERROR_NO_CLIENT,   /* 400 invalid_client: a signed answer was asked for (RFC 9701 5) */
    ASSAY_ERROR_LIMITED, /* 429 invalid_client: too many failures; the caller sets Retry-After */
    ASSAY_ERROR_NOT_ALLOWED,  /* 403 unauthorized_client: may not introspect */
    ASSAY_ERROR_FORBIDDEN,    /* 403 access_denied: not for this caller */
    ASSAY_ERROR_UNAUTHORIZED, /* 400 unauthorized_client: not this grant type */
    ASSAY_ERROR_GRANT,        /* 400 invalid_grant */
    ASSAY_ERROR_GRANT_TYPE,   /* 400 unsupported_grant_type */
    ASSAY_ERROR_SCOPE,        /* 400 invalid_scope */
    ASSAY_ERROR_TARGET,       /* 400 invalid_target (RFC 8707) */
    ASSAY_ERROR_NOT_FOUND,    /* 404 not_found */
    ASSAY_ERROR_SERVER,       /* 500 server_error */
    ASSAY_ERROR_UNAVAILABLE,  /* 503 temporarily_unavailable, Retry-After */
};

/* Makes `*reply` that error. Uses no memory but constants. */
void assay_oauth_error_reply(enum assay_oauth_error error, struct assay_reply *reply);

/* A reply of `http_status` with JSON in `body`, not to be stored by caches. */
void assay_json_reply(unsigned http_status, struct assay_slice body, struct assay_reply *reply);

#endif
