/* The WWW-Authenticate value of a protected resource (RFC 6750 section 3). */
#ifndef ASSAY_HTTP_CHALLENGE_H
#define ASSAY_HTTP_CHALLENGE_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

enum assay_challenge_error {
    ASSAY_CHALLENGE_NONE = 0,           /* no token was sent: no error code, no detail */
    ASSAY_CHALLENGE_INVALID_REQUEST,    /* 400 */
    ASSAY_CHALLENGE_INVALID_TOKEN,      /* 401 */
    ASSAY_CHALLENGE_INSUFFICIENT_SCOPE, /* 403 */
    ASSAY_CHALLENGE_STEP_UP, /* 401, insufficient_user_authentication (RFC 9470 section 3) */
};

/* Everything of it is the operator's or constant text: nothing of a token ever stands here. */
struct assay_challenge {
    struct assay_slice realm;
    enum assay_challenge_error error;
    struct assay_slice description; /* empty: none */
    struct assay_slice scope;       /* that is needed; empty: none */
    struct assay_slice acr_values;  /* one of which is, for a step-up; empty: any will do */
    int64_t max_age_s;              /* of the authentication, for a step-up; 0: any will do */
};

/* The HTTP status that goes with `error`. */
unsigned assay_challenge_status(enum assay_challenge_error error);

/* Appends the value to `*out`. The realm is quoted, with what would end the quotes escaped; bytes
 * that may stand in no quoted string, or in no description or scope (RFC 6750 section 3), are left
 * out. */
void assay_challenge_write(const struct assay_challenge *challenge, struct assay_buf *out);

#endif
