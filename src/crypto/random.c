#include "crypto/random.h"

#include "crypto/crypto_priv.h"

#include <limits.h>

#include <openssl/rand.h>

enum assay_status assay_random(void *out, size_t len, struct assay_error *reterr)
{
    if (len > INT_MAX || RAND_bytes(out, (int)len) != 1) {
        return assay_crypto_fail("the random generator failed", reterr);
    }
    return ASSAY_OK;
}
