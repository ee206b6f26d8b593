#include "crypto/kdf.h"

#include "crypto/crypto_priv.h"

#include <openssl/evp.h>

enum assay_status assay_scrypt(struct assay_slice secret, const uint8_t salt[ASSAY_SCRYPT_SALT_LEN],
                               uint8_t ret[ASSAY_SCRYPT_LEN], struct assay_error *reterr)
{
    static const uint64_t cost = 1 << 15;
    static const uint64_t block = 8;
    static const uint64_t parallel = 1;
    static const uint64_t max_memory = 64 << 20; /* N * r * 128 is 32 MiB */
    const char *text = secret.len == 0 ? "" : (const char *)secret.data;
    if (EVP_PBE_scrypt(text, secret.len, salt, ASSAY_SCRYPT_SALT_LEN, cost, block, parallel,
                       max_memory, ret, ASSAY_SCRYPT_LEN) != 1) {
        return assay_crypto_fail("scrypt failed", reterr);
    }
    return ASSAY_OK;
}
