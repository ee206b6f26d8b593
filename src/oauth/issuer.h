/* The issuer identifier: what an authorization server calls itself (RFC 8414 section 2). */
#ifndef ASSAY_OAUTH_ISSUER_H
#define ASSAY_OAUTH_ISSUER_H

#include "base/slice.h"

/* NULL when `url` may be an issuer: https, or http on this very machine (for development); a host,
 * no user, query or fragment (RFC 8414 section 2); a path, if any, of plain segments, since it is
 * compared with request paths as bytes; at most ASSAY_MAX_AUDIENCE bytes. Else what would be right,
 * constant text. */
const char *assay_issuer_fault(struct assay_slice url);

/* The path of `issuer`, without a slash at its end; empty for a bare host. */
struct assay_slice assay_issuer_path(struct assay_slice issuer);

#endif
