#include "crypto/crypto_priv.h"

#include <openssl/err.h>

enum assay_status assay_crypto_fail(const char *what, struct assay_error *reterr)
{
    ERR_clear_error();
    return assay_fail(ASSAY_ERR_CRYPTO, what, reterr);
}
