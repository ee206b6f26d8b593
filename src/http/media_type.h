/* Media types (RFC 9110 section 8.3.1). */
#ifndef ASSAY_HTTP_MEDIA_TYPE_H
#define ASSAY_HTTP_MEDIA_TYPE_H

#include "base/slice.h"

#include <stdbool.h>

/* Does the Content-Type `value` name `type` ("application/json"), whatever parameters stand behind
 * it? Case-insensitive; the whole name, not a prefix of it. */
bool assay_media_type_is(struct assay_slice value, struct assay_slice type);

#endif
