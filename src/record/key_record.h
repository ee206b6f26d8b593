/* A sealing key and its state. (Signing keys come with JWTs.) */
#ifndef ASSAY_RECORD_KEY_RECORD_H
#define ASSAY_RECORD_KEY_RECORD_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/seal.h"

#include <stdint.h>

#define ASSAY_KEY_RECORD_LEN 64

struct assay_key_record {
    uint8_t generation; /* 1 to 255: what token records name it by */
    int64_t created_at_s;
    uint8_t key[ASSAY_SEAL_KEY_LEN]; /* secret: wiped by whoever holds the record */
};

void assay_key_record_write(const struct assay_key_record *record,
                            uint8_t out[ASSAY_KEY_RECORD_LEN]);
ASSAY_MUST_USE enum assay_status assay_key_record_parse(uint8_t generation,
                                                        struct assay_slice bytes,
                                                        struct assay_key_record *ret,
                                                        struct assay_error *reterr);

#endif
