/* application/x-www-form-urlencoded (RFC 6749 appendix B; WHATWG URL), strict: a bad escape, NUL or
 * bad UTF-8 is an error, a parameter given twice is seen. Which other characters a value may have
 * is for whoever reads it to say. */
#ifndef ASSAY_HTTP_FORM_H
#define ASSAY_HTTP_FORM_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* One parameter, decoded. A parameter without a value counts as absent (RFC 6749 section 3.2): it
 * is kept, with an empty value, only so that a repetition is seen. */
struct assay_form_param {
    struct assay_slice name;
    struct assay_slice value;
};

struct assay_form {
    struct assay_form_param *params; /* in the arena */
    size_t count;                    /* at most ASSAY_MAX_FORM_PARAMS */
};

/* Reads `body` into `*ret`; decoded names and values borrow from `body` where nothing needed
 * decoding and from `arena` elsewhere. ASSAY_ERR_SYNTAX with the offset of the fault when the body
 * is malformed, ASSAY_ERR_LIMIT when it has too many parameters, too long a name, or the arena is
 * spent. */
ASSAY_MUST_USE enum assay_status assay_form_parse(struct assay_slice body,
                                                  struct assay_arena *arena, struct assay_form *ret,
                                                  struct assay_error *reterr);

/* How often `name` stands in the form, compared after decoding; `*ret` (may be NULL) is its first
 * value. */
size_t assay_form_find(const struct assay_form *form, struct assay_slice name,
                       struct assay_slice *ret);

/* Form-decodes one value (as Basic credentials are, RFC 6749 section 2.3.1): '+' is a space, %XX a
 * byte. ASSAY_ERR_SYNTAX as above, ASSAY_ERR_LIMIT when the arena is spent. */
ASSAY_MUST_USE enum assay_status assay_form_decode(struct assay_slice text,
                                                   struct assay_arena *arena,
                                                   struct assay_slice *ret,
                                                   struct assay_error *reterr);

/* Appends `text` encoded: as a name or value of a form, and as each half of Basic credentials (RFC
 * 6749 section 2.3.1). */
void assay_form_encode(struct assay_slice text, struct assay_buf *out);

#endif
