/* base64url (RFC 4648 section 5) without padding, strict: one spelling per value. */
#ifndef ASSAY_BASE_BASE64URL_H
#define ASSAY_BASE_BASE64URL_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Characters that `len` bytes take. */
#define ASSAY_BASE64URL_LEN(len) (((len)*4 + 2) / 3)

/* Writes ASSAY_BASE64URL_LEN(s.len) characters to `out`. */
void assay_base64url_encode(struct assay_slice s, uint8_t *out);

/* Reads `text` into `out` (`size` bytes of room) and its length into `*ret_len`. ASSAY_ERR_SYNTAX
 * for any character outside the alphabet (padding and white space too), an impossible length, or
 * spare bits that are not zero; ASSAY_ERR_LIMIT when the room is too small. */
ASSAY_MUST_USE enum assay_status assay_base64url_decode(struct assay_slice text, uint8_t *out,
                                                        size_t size, size_t *ret_len,
                                                        struct assay_error *reterr);

#endif
