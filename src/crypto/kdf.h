/* scrypt (RFC 7914), for client secrets that the operator brings along. */
#ifndef ASSAY_CRYPTO_KDF_H
#define ASSAY_CRYPTO_KDF_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

#define ASSAY_SCRYPT_SALT_LEN 16
#define ASSAY_SCRYPT_LEN 32

/* scrypt of `secret` under `salt` with N = 2^15, r = 8, p = 1: about 32 MiB and 50 to 100 ms of one
 * core. Never on an event loop. Fails with ASSAY_ERR_CRYPTO (also when memory is short). */
ASSAY_MUST_USE enum assay_status assay_scrypt(struct assay_slice secret,
                                              const uint8_t salt[ASSAY_SCRYPT_SALT_LEN],
                                              uint8_t ret[ASSAY_SCRYPT_LEN],
                                              struct assay_error *reterr);

#endif
