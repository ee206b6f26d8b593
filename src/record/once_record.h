/* A one-time id that was seen: an assertion or a proof is good once. */
#ifndef ASSAY_RECORD_ONCE_RECORD_H
#define ASSAY_RECORD_ONCE_RECORD_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/digest.h"

#include <stdint.h>

#define ASSAY_ONCE_LEN 13 /* bytes of the value; its key is the id's SHA-256 */

struct assay_once_record {
    uint8_t id_sha256[ASSAY_SHA256_LEN];
    int64_t keep_until_s; /* what bears the id is refused for its age from then on */
};

void assay_once_record_write(const struct assay_once_record *record, uint8_t out[ASSAY_ONCE_LEN]);
ASSAY_MUST_USE enum assay_status assay_once_record_parse(struct assay_slice id_sha256,
                                                         struct assay_slice bytes,
                                                         struct assay_once_record *ret,
                                                         struct assay_error *reterr);

#endif
