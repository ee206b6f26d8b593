/* What is kept of a grant: one act of authorization, which the refresh tokens of one family share.
 */
#ifndef ASSAY_RECORD_GRANT_RECORD_H
#define ASSAY_RECORD_GRANT_RECORD_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"
#include "record/token_id.h"

#include <stdint.h>

#define ASSAY_MAX_GRANT_RECORD 4096

/* Slices borrow as in assay_token_record. */
struct assay_grant_record {
    uint64_t grant; /* its id: the number of the change that made it */
    struct assay_slice client_id;
    struct assay_slice subject;
    struct assay_slice scope;
    int64_t created_at_s;
    int64_t expires_at_s;          /* of its youngest refresh token */
    struct assay_token_id current; /* its live refresh token */
};

ASSAY_MUST_USE enum assay_status assay_grant_record_write(const struct assay_grant_record *record,
                                                          uint8_t *out, size_t size,
                                                          size_t *ret_len,
                                                          struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status assay_grant_record_parse(uint64_t grant, struct assay_slice bytes,
                                                          struct assay_grant_record *ret,
                                                          struct assay_error *reterr);

#endif
