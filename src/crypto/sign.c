#include "crypto/sign.h"

#include "base/secret.h"
#include "crypto/crypto_priv.h"
#include "crypto/signing_priv.h"

#include <openssl/crypto.h>

#include <string.h>

struct assay_signer {
    struct assay_signing signing;
};

enum assay_status assay_signer_open(const struct assay_pkey *pkey, struct assay_scheme scheme,
                                    struct assay_signer **ret, struct assay_error *reterr)
{
    struct assay_signer *signer = OPENSSL_zalloc(sizeof(*signer));
    if (signer == NULL) {
        return assay_crypto_fail("no memory for a signer", reterr);
    }
    enum assay_status status = assay_signing_open(pkey, scheme, true, &signer->signing, reterr);
    if (status != ASSAY_OK) {
        OPENSSL_free(signer);
        return status;
    }
    *ret = signer;
    return ASSAY_OK;
}

void assay_signer_close(struct assay_signer *signer)
{
    if (signer != NULL) {
        assay_signing_close(&signer->signing);
        OPENSSL_free(signer);
    }
}

/* --- ECDSA: OpenSSL gives DER, wanted are r and s side by side --- */

/* Cuts an INTEGER off `*rest`. OpenSSL wrote it, so lengths are short and numbers positive; what is
 * otherwise is refused all the same. */
static bool take_integer(struct assay_slice *rest, struct assay_slice *ret)
{
    if (rest->len < 2 || rest->data[0] != 0x02 || rest->data[1] > rest->len - 2) {
        return false;
    }
    size_t len = rest->data[1];
    *ret = assay_slice_head(assay_slice_from(*rest, 2), len);
    *rest = assay_slice_from(*rest, 2 + len);
    while (ret->len > 0 && ret->data[0] == 0) {
        *ret = assay_slice_from(*ret, 1);
    }
    return true;
}

static bool place(struct assay_slice number, uint8_t *out, size_t width)
{
    if (number.len > width) {
        return false;
    }
    memset(out, 0, width - number.len);
    memcpy(out + width - number.len, number.data, number.len);
    return true;
}

static bool convert(struct assay_slice der, uint8_t *out, size_t width)
{
    struct assay_slice r = {0};
    struct assay_slice s = {0};
    size_t head = der.len > 1 && der.data[1] == 0x81 ? 3 : 2;
    if (der.len < head || der.data[0] != 0x30) {
        return false;
    }
    struct assay_slice rest = assay_slice_from(der, head);
    return take_integer(&rest, &r) && take_integer(&rest, &s) && rest.len == 0 &&
           place(r, out, width) && place(s, out + width, width);
}

/* --- the signature --- */

static bool sign_hash(struct assay_signing *signing, struct assay_slice message, uint8_t *out)
{
    uint8_t hash[ASSAY_MAX_HASH];
    uint8_t der[ASSAY_MAX_SIGNATURE];
    size_t hash_len = 0;
    size_t len = sizeof(der);
    if (!assay_signing_hash(signing, message, hash, &hash_len) ||
        EVP_PKEY_sign(signing->operation, der, &len, hash, hash_len) != 1) {
        return false;
    }
    if (signing->scheme.kind == ASSAY_SIGNING_ECDSA) {
        return convert(assay_slice_of(der, len), out, signing->len / 2);
    }
    memcpy(out, der, len);
    return len == signing->len;
}

static bool sign_whole(struct assay_signing *signing, struct assay_slice message, uint8_t *out)
{
    size_t len = ASSAY_MAX_SIGNATURE;
    return EVP_MD_CTX_copy_ex(signing->copy, signing->ready) == 1 &&
           EVP_DigestSign(signing->copy, out, &len, message.data, message.len) == 1 &&
           len == signing->len;
}

static bool sign_mac(struct assay_signing *signing, struct assay_slice message, uint8_t *out)
{
    uint8_t mac[ASSAY_MAX_HASH];
    bool done = assay_signing_mac(signing, message, mac);
    if (done) {
        memcpy(out, mac, signing->len);
    }
    assay_secret_wipe(mac, sizeof(mac));
    return done;
}

static bool sign(struct assay_signing *signing, struct assay_slice message, uint8_t *out)
{
    switch (signing->scheme.kind) {
    case ASSAY_SIGNING_HMAC:
        return sign_mac(signing, message, out);
    case ASSAY_SIGNING_EDDSA:
        return sign_whole(signing, message, out);
    case ASSAY_SIGNING_RSA_PKCS1:
    case ASSAY_SIGNING_RSA_PSS:
    case ASSAY_SIGNING_ECDSA:
        return sign_hash(signing, message, out);
    }
    return false;
}

enum assay_status assay_signer_sign(struct assay_signer *signer, struct assay_slice message,
                                    uint8_t out[ASSAY_MAX_SIGNATURE], size_t *ret_len,
                                    struct assay_error *reterr)
{
    if (!sign(&signer->signing, message, out)) {
        return assay_crypto_fail("a signature could not be made", reterr);
    }
    *ret_len = signer->signing.len;
    return ASSAY_OK;
}
