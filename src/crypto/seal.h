/* One AES block under a server key: a token's address. The cipher is a permutation of 16 bytes, so
 * an address is unique iff what it seals is, and reveals nothing of it. */
#ifndef ASSAY_CRYPTO_SEAL_H
#define ASSAY_CRYPTO_SEAL_H

#include "base/attr.h"
#include "base/status.h"

#include <stdint.h>

#define ASSAY_SEAL_KEY_LEN 32 /* bytes: AES-256 */
#define ASSAY_SEAL_BLOCK_LEN 16

/* A key made ready for both directions. Opaque; not for two threads at once. */
struct assay_seal;

/* Fails with ASSAY_ERR_CRYPTO. Close with assay_seal_close. */
ASSAY_MUST_USE enum assay_status assay_seal_open(const uint8_t key[ASSAY_SEAL_KEY_LEN],
                                                 struct assay_seal **ret_seal,
                                                 struct assay_error *reterr);

/* Wipes and frees; NULL is fine. */
void assay_seal_close(struct assay_seal *seal);

/* One block, `in` and `out` may be the same. Fail with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_seal_encrypt(struct assay_seal *seal,
                                                    const uint8_t in[ASSAY_SEAL_BLOCK_LEN],
                                                    uint8_t out[ASSAY_SEAL_BLOCK_LEN],
                                                    struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status assay_seal_decrypt(struct assay_seal *seal,
                                                    const uint8_t in[ASSAY_SEAL_BLOCK_LEN],
                                                    uint8_t out[ASSAY_SEAL_BLOCK_LEN],
                                                    struct assay_error *reterr);

#endif
