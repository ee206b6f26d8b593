/* What every stored record must keep, whatever is in it. */
#ifndef ASSAY_TEST_SUPPORT_STORED_H
#define ASSAY_TEST_SUPPORT_STORED_H

#include "base/slice.h"
#include "base/status.h"

/* Reads `bytes` under the key the record was written under. */
typedef enum assay_status stored_parse(struct assay_slice bytes, void *context);

/* F-28: `bytes` is read; with any bit flipped, any byte short or too many, it is ASSAY_ERR_CORRUPT.
 * So it is when its version is another one and its check is right for that: `key` is what the check
 * covers besides. */
void stored_check(struct assay_slice key, struct assay_slice bytes, stored_parse *parse,
                  void *context);

/* The bytes of `text`, two hexadecimal digits each, blanks between; into `out`. */
struct assay_slice stored_hex(const char *text, uint8_t *out, size_t size);

/* Puts the check over `key` and `bytes` in the last four bytes. */
void stored_seal(struct assay_slice key, uint8_t *bytes, size_t len);

#endif
