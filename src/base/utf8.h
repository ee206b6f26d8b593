/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef ASSAY_BASE_UTF8_H
#define ASSAY_BASE_UTF8_H

#include "base/slice.h"

#include <stdbool.h>

/* Length in bytes of the character that `s` starts with, 0 when it starts with none. */
size_t assay_utf8_first(struct assay_slice s);

/* All of `s` is UTF-8. */
bool assay_utf8_valid(struct assay_slice s);

/* All of `s` is UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F). */
bool assay_utf8_is_text(struct assay_slice s);

#endif
