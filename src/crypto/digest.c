#include "crypto/digest.h"

#include "crypto/crypto_priv.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct assay_digester {
    EVP_MD *sha256; /* fetched once: an implicit fetch is most of a digest's cost in OpenSSL 3 */
    EVP_MD_CTX *context;
};

enum assay_status assay_digester_open(struct assay_digester **ret_digester,
                                      struct assay_error *reterr)
{
    struct assay_digester *digester = OPENSSL_zalloc(sizeof(*digester));
    if (digester == NULL) {
        return assay_crypto_fail("no memory for a digest", reterr);
    }
    digester->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    digester->context = EVP_MD_CTX_new();
    if (digester->sha256 == NULL || digester->context == NULL ||
        EVP_DigestInit_ex2(digester->context, digester->sha256, NULL) != 1) {
        assay_digester_close(digester);
        return assay_crypto_fail("cannot set SHA-256 up", reterr);
    }
    *ret_digester = digester;
    return ASSAY_OK;
}

void assay_digester_close(struct assay_digester *digester)
{
    if (digester == NULL) {
        return;
    }
    EVP_MD_CTX_free(digester->context);
    EVP_MD_free(digester->sha256);
    OPENSSL_free(digester);
}

enum assay_status assay_sha256(struct assay_digester *digester, struct assay_slice s,
                               uint8_t ret[ASSAY_SHA256_LEN], struct assay_error *reterr)
{
    unsigned len = 0;
    /* A NULL type starts the same digest over, without looking it up again. */
    if (EVP_DigestInit_ex2(digester->context, NULL, NULL) != 1 ||
        EVP_DigestUpdate(digester->context, s.data, s.len) != 1 ||
        EVP_DigestFinal_ex(digester->context, ret, &len) != 1 || len != ASSAY_SHA256_LEN) {
        return assay_crypto_fail("SHA-256 failed", reterr);
    }
    return ASSAY_OK;
}

enum assay_status assay_hmac_sha256(struct assay_slice key, struct assay_slice s,
                                    uint8_t ret[ASSAY_SHA256_LEN], struct assay_error *reterr)
{
    size_t len = 0;
    static const uint8_t nothing[1];
    const uint8_t *data = s.len == 0 ? nothing : s.data;
    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA2-256", NULL, key.data, key.len, data, s.len, ret,
                  ASSAY_SHA256_LEN, &len) == NULL ||
        len != ASSAY_SHA256_LEN) {
        return assay_crypto_fail("HMAC-SHA-256 failed", reterr);
    }
    return ASSAY_OK;
}
