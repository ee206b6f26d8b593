/* Resource indicators (RFC 8707), which name what a token is for. */
#ifndef ASSAY_OAUTH_RESOURCE_H
#define ASSAY_OAUTH_RESOURCE_H

#include "base/slice.h"

#include <stdbool.h>

/* Is `uri` an absolute URI without a fragment (RFC 8707 section 2), of the characters of RFC 3986,
 * at most ASSAY_MAX_AUDIENCE bytes? Compared as bytes ever after. */
bool assay_resource_valid(struct assay_slice uri);

#endif
