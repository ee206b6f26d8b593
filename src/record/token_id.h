/* What names a token in the store and in events. */
#ifndef ASSAY_RECORD_TOKEN_ID_H
#define ASSAY_RECORD_TOKEN_ID_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_SEQ_MAX ((UINT64_C(1) << 57) - 1) /* a store number has 57 bits */
#define ASSAY_LIFETIME_CLASSES 128              /* 7 bits */

/* The place of a token: the tree of its lifetime class and its number there. The number alone is
 * unique; 0 is nobody's. */
struct assay_token_id {
    uint8_t lifetime_class; /* below ASSAY_LIFETIME_CLASSES */
    uint64_t seq;           /* 1 to ASSAY_SEQ_MAX */
};

bool assay_token_id_equal(struct assay_token_id a, struct assay_token_id b);

/* The class of a token that lives `lifetime_s` seconds (1 to ASSAY_MAX_LIFETIME_S): four classes an
 * octave, so that the tokens of one class expire nearly in the order of their numbers. Monotonic;
 * below ASSAY_LIFETIME_CLASSES. */
uint8_t assay_lifetime_class(int64_t lifetime_s);

#endif
