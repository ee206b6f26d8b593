/* What the store is to look at once a time has come: it cleans itself without searching. */
#ifndef ASSAY_RECORD_END_RECORD_H
#define ASSAY_RECORD_END_RECORD_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "record/cutoff.h"

#include <stdint.h>

/* The kinds, each in an order of its own, since not all follow the same clock. */
enum assay_end_kind {
    ASSAY_END_CUTOFF = 'c', /* detail: the cutoff's key */
    ASSAY_END_GRANT = 'g',  /* detail: the grant's number, 8 bytes big-endian */
    ASSAY_END_ONCE = 'o',   /* detail: the one-time id */
    ASSAY_END_SALT = 's',   /* detail: class (1) and number (8) of a rotated refresh token */
};

struct assay_end_record {
    enum assay_end_kind kind;
    int64_t until_s; /* seconds since the epoch: not to be looked at before */
    uint64_t seq;    /* number of its own, which tells entries of one second apart */
    struct assay_slice detail;
};

/* The key: kind (1), until (8, big-endian), number (8, big-endian). The longest value. */
#define ASSAY_END_KEY_LEN 17
#define ASSAY_END_VALUE_SIZE (1 + 2 + ASSAY_CUTOFF_KEY_SIZE + 4)

void assay_end_key(const struct assay_end_record *record, uint8_t out[ASSAY_END_KEY_LEN]);

/* As assay_token_record_write and _parse; the check covers key and value. What was parsed borrows
 * from `bytes`. */
ASSAY_MUST_USE enum assay_status assay_end_record_write(const struct assay_end_record *record,
                                                        uint8_t *out, size_t size, size_t *ret_len,
                                                        struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status assay_end_record_parse(struct assay_slice key,
                                                        struct assay_slice bytes,
                                                        struct assay_end_record *ret,
                                                        struct assay_error *reterr);

#endif
