#include "crypto/crypto_priv.h"

#include <openssl/err.h>

enum assay_status assay_crypto_fail(const char *what, struct assay_error *reterr)
{
    ERR_clear_error();
    return assay_fail(ASSAY_ERR_CRYPTO, what, reterr);
}

bool assay_crypto_lacked_memory(void)
{
    bool lacked = false;
    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        lacked |= ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    }
    return lacked;
}
