/* Authorization server metadata (RFC 8414) as the guard uses it: from the issuer to the endpoint.
 */
#ifndef ASSAY_GUARD_DISCOVERY_H
#define ASSAY_GUARD_DISCOVERY_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

/* Where metadata may lie: that of RFC 8414 section 3 first, then that of OpenID Connect Discovery.
 */
enum assay_discovery_place {
    ASSAY_DISCOVERY_OAUTH = 0,
    ASSAY_DISCOVERY_OPENID,
};
#define ASSAY_DISCOVERY_PLACES 2

/* Appends the metadata's URL. Look at out->spent. */
void assay_discovery_url(struct assay_slice issuer, enum assay_discovery_place place,
                         struct assay_buf *out);

/* What the guard uses of it. Empty: it is not named. */
struct assay_discovered {
    struct assay_slice introspection_endpoint;
    struct assay_slice mtls_introspection_endpoint; /* for who shows a certificate (RFC 8705, 5) */
    struct assay_slice jwks_uri;
};

/* Reads the metadata in `body`: it must be that of `issuer`, as bytes (RFC 8414 section 3.3). What
 * it names is copied into `arena`. ASSAY_ERR_SYNTAX when it is of another issuer or none,
 * ASSAY_ERR_LIMIT when it is nested too deeply or the arena is spent. */
ASSAY_MUST_USE enum assay_status
assay_discovery_read(struct assay_slice body, struct assay_slice issuer, struct assay_arena *arena,
                     struct assay_discovered *ret, struct assay_error *reterr);

#endif
