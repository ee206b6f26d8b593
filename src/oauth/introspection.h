/* The introspection response (RFC 7662 section 2.2). */
#ifndef ASSAY_OAUTH_INTROSPECTION_H
#define ASSAY_OAUTH_INTROSPECTION_H

#include "base/buf.h"
#include "oauth/freshness.h"
#include "record/client_record.h"
#include "record/token_record.h"

/* The answer to anything that is not an active token for this caller: always these bytes. */
extern const struct assay_slice assay_introspection_inactive;

/* What one resource server is shown of a token. */
struct assay_introspection_view {
    uint32_t members;            /* ASSAY_MEMBER_* */
    struct assay_slice scope;    /* already cut to the caller's; empty: the member is left out */
    struct assay_slice audience; /* likewise */
    struct assay_slice issuer;
    struct assay_slice jti;
    const struct assay_freshness *freshness; /* for a guard; NULL: it is left out */
};

/* Writes the answer for an active `token` to `out`; look at out->spent afterwards. */
void assay_introspection_write(const struct assay_token_record *token,
                               const struct assay_introspection_view *view, struct assay_buf *out);

#endif
