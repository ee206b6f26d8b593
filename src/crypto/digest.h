/* SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) on EVP, and CRC-32C. */
#ifndef ASSAY_CRYPTO_DIGEST_H
#define ASSAY_CRYPTO_DIGEST_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdint.h>

#define ASSAY_SHA256_LEN 32

/* Contexts made once and used for every digest of one thread, since making them is what costs. */
struct assay_digester;

/* Fails with ASSAY_ERR_CRYPTO. Not for two threads at once. */
ASSAY_MUST_USE enum assay_status assay_digester_open(struct assay_digester **ret_digester,
                                                     struct assay_error *reterr);
void assay_digester_close(struct assay_digester *digester);

/* SHA-256 of `s`. Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_sha256(struct assay_digester *digester, struct assay_slice s,
                                              uint8_t ret[ASSAY_SHA256_LEN],
                                              struct assay_error *reterr);

/* HMAC-SHA-256 of `s` under `key`. Rare, so it makes its own context. Fails with ASSAY_ERR_CRYPTO.
 */
ASSAY_MUST_USE enum assay_status assay_hmac_sha256(struct assay_slice key, struct assay_slice s,
                                                   uint8_t ret[ASSAY_SHA256_LEN],
                                                   struct assay_error *reterr);

/* CRC-32C (Castagnoli) of `s`, continuing from `crc` (0 to start). An error check, not a defence.
 */
uint32_t assay_crc32c(uint32_t crc, struct assay_slice s);

#endif
