/* Basic and Bearer credentials (RFC 7617, RFC 6750 section 2.1). */
#ifndef ASSAY_HTTP_AUTHORIZATION_H
#define ASSAY_HTTP_AUTHORIZATION_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

enum assay_auth_scheme {
    ASSAY_SCHEME_NONE = 0, /* no Authorization value */
    ASSAY_SCHEME_BASIC,
    ASSAY_SCHEME_BEARER,
    ASSAY_SCHEME_OTHER,
};

/* Which scheme `value` names (case-insensitive) and what stands behind it, without the spaces
 * between. */
enum assay_auth_scheme assay_authorization_scheme(struct assay_slice value,
                                                  struct assay_slice *ret_rest);

/* Decodes the base64 (standard alphabet, padded, strict) of Basic credentials into the arena and
 * splits them at the first colon; neither half is form-decoded. ASSAY_ERR_SYNTAX when it is not
 * base64 or has no colon, ASSAY_ERR_LIMIT when the arena is spent. */
ASSAY_MUST_USE enum assay_status
assay_basic_parse(struct assay_slice rest, struct assay_arena *arena, struct assay_slice *ret_user,
                  struct assay_slice *ret_password, struct assay_error *reterr);

/* Appends `Basic ` and the base64 of `user`, a colon and `password`, neither encoded otherwise. */
void assay_basic_write(struct assay_slice user, struct assay_slice password, struct assay_buf *out);

#endif
