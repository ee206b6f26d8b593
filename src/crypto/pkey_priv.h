/* What is inside a key, for the files of crypto/ that work with it. */
#ifndef ASSAY_CRYPTO_PKEY_PRIV_H
#define ASSAY_CRYPTO_PKEY_PRIV_H

#include "crypto/pkey.h"

#include <openssl/evp.h>

struct assay_pkey {
    EVP_PKEY *evp; /* NULL for a shared secret */
    bool is_private;
    struct assay_pkey_parts parts; /* borrow from `bytes` */
    uint8_t *bytes;
    size_t len;
};

/* n of the group: what r, s and d are below. As wide as the field. Empty but for the P- curves. */
struct assay_slice assay_pkey_order(enum assay_pkey_kind kind);

/* Is the public key `x` a point of that Edwards curve, in its one spelling, and not of small order?
 * Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_edwards_check(enum assay_pkey_kind kind,
                                                     struct assay_slice x, bool *ret_good,
                                                     struct assay_error *reterr);

/* Are x and y a point of the curve that OpenSSL calls `name`? Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_weierstrass_check(const char *name, struct assay_slice x,
                                                         struct assay_slice y, bool *ret_good,
                                                         struct assay_error *reterr);

#endif
