#include "crypto/verify.h"

#include "base/secret.h"
#include "crypto/crypto_priv.h"
#include "crypto/signing_priv.h"

#include <openssl/crypto.h>

#include <string.h>

struct assay_verifier {
    struct assay_signing signing;
};

enum assay_status assay_verifier_open(const struct assay_pkey *pkey, struct assay_scheme scheme,
                                      struct assay_verifier **ret, struct assay_error *reterr)
{
    struct assay_verifier *verifier = OPENSSL_zalloc(sizeof(*verifier));
    if (verifier == NULL) {
        return assay_crypto_fail("no memory for a verifier", reterr);
    }
    enum assay_status status = assay_signing_open(pkey, scheme, false, &verifier->signing, reterr);
    if (status != ASSAY_OK) {
        OPENSSL_free(verifier);
        return status;
    }
    *ret = verifier;
    return ASSAY_OK;
}

void assay_verifier_close(struct assay_verifier *verifier)
{
    if (verifier != NULL) {
        assay_signing_close(&verifier->signing);
        OPENSSL_free(verifier);
    }
}

/* --- ECDSA: r and s side by side, which OpenSSL wants in DER --- */

#define MAX_DER (3 + 2 * (3 + ASSAY_PKEY_MAX_WIDTH))

/* From 1 to n - 1; both are as wide as the field. */
static bool is_scalar(struct assay_slice s, struct assay_slice order)
{
    uint8_t any = 0;
    for (size_t i = 0; i < s.len; i++) {
        any |= s.data[i];
    }
    return any != 0 && assay_slice_compare(s, order) < 0;
}

/* An INTEGER: without leading zeros, but with one where it would else be negative. */
static uint8_t *write_integer(uint8_t *out, struct assay_slice s)
{
    while (s.len > 1 && s.data[0] == 0) {
        s = assay_slice_from(s, 1);
    }
    size_t pad = s.data[0] >> 7;
    *out++ = 0x02;
    *out++ = (uint8_t)(s.len + pad); /* below 128 */
    if (pad != 0) {
        *out++ = 0;
    }
    memcpy(out, s.data, s.len);
    return out + s.len;
}

/* Writes SEQUENCE { r, s } behind room for its own tag and length, and returns where it begins. */
static struct assay_slice write_der(uint8_t der[MAX_DER], struct assay_slice r,
                                    struct assay_slice s)
{
    uint8_t *end = write_integer(write_integer(der + 3, r), s);
    size_t len = (size_t)(end - (der + 3));
    uint8_t *start = der + 1;
    der[2] = (uint8_t)len;
    if (len > 127) {
        der[1] = 0x81;
        start = der;
    }
    *start = 0x30;
    return assay_slice_of(start, (size_t)(end - start));
}

/* False for what is no signature at all; else `*ret` is it as OpenSSL wants it. */
static bool convert(const struct assay_verifier *verifier, struct assay_slice signature,
                    uint8_t der[MAX_DER], struct assay_slice *ret)
{
    const struct assay_signing *signing = &verifier->signing;
    *ret = signature;
    if (signing->scheme.kind != ASSAY_SIGNING_ECDSA) {
        return true;
    }
    struct assay_slice order = assay_pkey_order(signing->pkey_kind);
    struct assay_slice r = assay_slice_head(signature, order.len);
    struct assay_slice s = assay_slice_from(signature, order.len);
    if (!is_scalar(r, order) || !is_scalar(s, order)) {
        return false;
    }
    *ret = write_der(der, r, s);
    return true;
}

/* --- the check --- */

/* "No" and "I could not" are told apart by the queue of errors. */
static enum assay_status conclude(int answer, bool *ret_good, struct assay_error *reterr)
{
    *ret_good = answer == 1;
    if (answer != 1 && assay_crypto_lacked_memory()) {
        return assay_fail(ASSAY_ERR_CRYPTO, "no memory to verify a signature", reterr);
    }
    return ASSAY_OK;
}

static enum assay_status check_hash(struct assay_verifier *verifier, struct assay_slice message,
                                    struct assay_slice signature, bool *ret_good,
                                    struct assay_error *reterr)
{
    struct assay_signing *signing = &verifier->signing;
    uint8_t hash[ASSAY_MAX_HASH];
    uint8_t der[MAX_DER];
    size_t len = 0;
    if (!convert(verifier, signature, der, &signature)) {
        return ASSAY_OK;
    }
    if (!assay_signing_hash(signing, message, hash, &len)) {
        return assay_crypto_fail("a message could not be hashed", reterr);
    }
    return conclude(EVP_PKEY_verify(signing->operation, signature.data, signature.len, hash, len),
                    ret_good, reterr);
}

static enum assay_status check_whole(struct assay_verifier *verifier, struct assay_slice message,
                                     struct assay_slice signature, bool *ret_good,
                                     struct assay_error *reterr)
{
    struct assay_signing *signing = &verifier->signing;
    if (EVP_MD_CTX_copy_ex(signing->copy, signing->ready) != 1) {
        return assay_crypto_fail("a key could not be set up", reterr);
    }
    return conclude(
        EVP_DigestVerify(signing->copy, signature.data, signature.len, message.data, message.len),
        ret_good, reterr);
}

static enum assay_status check_mac(struct assay_verifier *verifier, struct assay_slice message,
                                   struct assay_slice signature, bool *ret_good,
                                   struct assay_error *reterr)
{
    uint8_t mac[ASSAY_MAX_HASH];
    if (!assay_signing_mac(&verifier->signing, message, mac)) {
        return assay_crypto_fail("HMAC failed", reterr);
    }
    *ret_good = assay_secret_equal(assay_slice_of(mac, verifier->signing.len), signature);
    assay_secret_wipe(mac, sizeof(mac));
    return ASSAY_OK;
}

enum assay_status assay_verifier_check(struct assay_verifier *verifier, struct assay_slice message,
                                       struct assay_slice signature, bool *ret_good,
                                       struct assay_error *reterr)
{
    *ret_good = false;
    if (signature.len != verifier->signing.len) {
        return ASSAY_OK;
    }
    switch (verifier->signing.scheme.kind) {
    case ASSAY_SIGNING_HMAC:
        return check_mac(verifier, message, signature, ret_good, reterr);
    case ASSAY_SIGNING_EDDSA:
        return check_whole(verifier, message, signature, ret_good, reterr);
    case ASSAY_SIGNING_RSA_PKCS1:
    case ASSAY_SIGNING_RSA_PSS:
    case ASSAY_SIGNING_ECDSA:
        return check_hash(verifier, message, signature, ret_good, reterr);
    }
    return ASSAY_OK;
}
