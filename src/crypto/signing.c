#include "crypto/crypto_priv.h"
#include "crypto/signing_priv.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <string.h>

/* --- which keys fit --- */

struct hash {
    const char *name; /* OpenSSL's; each as long as the others */
    size_t len;       /* bytes */
};

static const struct hash hashes[] = {
    [ASSAY_HASH_OWN] = {"", 0},
    [ASSAY_HASH_SHA256] = {"SHA2-256", 32},
    [ASSAY_HASH_SHA384] = {"SHA2-384", 48},
    [ASSAY_HASH_SHA512] = {"SHA2-512", 64},
};

static bool is_curve_of(enum assay_pkey_kind kind, enum assay_hash hash)
{
    return (kind == ASSAY_PKEY_P256 && hash == ASSAY_HASH_SHA256) ||
           (kind == ASSAY_PKEY_P384 && hash == ASSAY_HASH_SHA384) ||
           (kind == ASSAY_PKEY_P521 && hash == ASSAY_HASH_SHA512);
}

/* Bytes of a signature by that key, 0 when it does not fit the scheme. */
static size_t signature_len(const struct assay_pkey *pkey, struct assay_scheme scheme)
{
    enum assay_pkey_kind kind = assay_pkey_kind(pkey);
    size_t hash = hashes[scheme.hash].len;
    bool edwards = kind == ASSAY_PKEY_ED25519 || kind == ASSAY_PKEY_ED448;
    switch (scheme.kind) {
    case ASSAY_SIGNING_RSA_PKCS1:
    case ASSAY_SIGNING_RSA_PSS:
        return kind == ASSAY_PKEY_RSA && hash != 0 ? pkey->parts.n.len : 0;
    case ASSAY_SIGNING_ECDSA:
        return is_curve_of(kind, scheme.hash) ? 2 * assay_pkey_width(kind) : 0;
    case ASSAY_SIGNING_EDDSA:
        return edwards && hash == 0 ? 2 * assay_pkey_width(kind) : 0;
    case ASSAY_SIGNING_HMAC:
        return kind == ASSAY_PKEY_SECRET && pkey->parts.k.len >= hash ? hash : 0;
    }
    return 0;
}

/* --- contexts --- */

static bool set_padding(const struct assay_signing *s)
{
    if (s->scheme.kind == ASSAY_SIGNING_RSA_PKCS1) {
        return EVP_PKEY_CTX_set_rsa_padding(s->operation, RSA_PKCS1_PADDING) == 1;
    }
    return s->scheme.kind != ASSAY_SIGNING_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(s->operation, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_mgf1_md(s->operation, s->md) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(s->operation, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool open_operation(struct assay_signing *s, bool sign)
{
    s->hash = EVP_MD_CTX_new();
    s->operation = EVP_PKEY_CTX_new_from_pkey(NULL, s->evp, NULL);
    return s->hash != NULL && s->operation != NULL &&
           EVP_DigestInit_ex2(s->hash, s->md, NULL) == 1 &&
           (sign ? EVP_PKEY_sign_init(s->operation) : EVP_PKEY_verify_init(s->operation)) == 1 &&
           EVP_PKEY_CTX_set_signature_md(s->operation, s->md) == 1 && set_padding(s);
}

static bool open_whole(struct assay_signing *s, bool sign)
{
    s->ready = EVP_MD_CTX_new();
    s->copy = EVP_MD_CTX_new();
    return s->ready != NULL && s->copy != NULL &&
           (sign ? EVP_DigestSignInit_ex(s->ready, NULL, NULL, NULL, NULL, s->evp, NULL)
                 : EVP_DigestVerifyInit_ex(s->ready, NULL, NULL, NULL, NULL, s->evp, NULL)) == 1;
}

static bool open_mac(struct assay_signing *s, struct assay_slice secret)
{
    char digest[sizeof("SHA2-256")] = {0}; /* OpenSSL's type wants one that could be written to */
    memcpy(digest, hashes[s->scheme.hash].name, strlen(hashes[s->scheme.hash].name));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    s->mac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context has its own share */
    return s->mac != NULL && EVP_MAC_init(s->mac, secret.data, secret.len, params) == 1;
}

static bool open_contexts(struct assay_signing *s, const struct assay_pkey *pkey, bool sign)
{
    if (s->scheme.kind == ASSAY_SIGNING_HMAC) {
        return open_mac(s, pkey->parts.k);
    }
    if (EVP_PKEY_up_ref(pkey->evp) != 1) {
        return false;
    }
    s->evp = pkey->evp;
    if (s->scheme.kind == ASSAY_SIGNING_EDDSA) {
        return open_whole(s, sign);
    }
    s->md = EVP_MD_fetch(NULL, hashes[s->scheme.hash].name, NULL);
    return s->md != NULL && open_operation(s, sign);
}

enum assay_status assay_signing_open(const struct assay_pkey *pkey, struct assay_scheme scheme,
                                     bool sign, struct assay_signing *ret,
                                     struct assay_error *reterr)
{
    *ret = (struct assay_signing){.pkey_kind = assay_pkey_kind(pkey), .scheme = scheme};
    ret->len = signature_len(pkey, scheme);
    if (ret->len == 0) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the key does not fit the algorithm", reterr);
    }
    if (sign && !assay_pkey_is_private(pkey)) {
        return assay_fail(ASSAY_ERR_SYNTAX, "a public key cannot sign", reterr);
    }
    if (!open_contexts(ret, pkey, sign)) {
        assay_signing_close(ret);
        return assay_crypto_fail("a key could not be set up", reterr);
    }
    return ASSAY_OK;
}

void assay_signing_close(struct assay_signing *signing)
{
    EVP_MAC_CTX_free(signing->mac);
    EVP_MD_CTX_free(signing->copy);
    EVP_MD_CTX_free(signing->ready);
    EVP_PKEY_CTX_free(signing->operation);
    EVP_MD_CTX_free(signing->hash);
    EVP_MD_free(signing->md);
    EVP_PKEY_free(signing->evp);
    *signing = (struct assay_signing){0};
}

/* --- digests --- */

bool assay_signing_hash(struct assay_signing *signing, struct assay_slice message,
                        uint8_t ret[ASSAY_MAX_HASH], size_t *ret_len)
{
    unsigned len = 0;
    bool done = EVP_DigestInit_ex2(signing->hash, NULL, NULL) == 1 &&
                EVP_DigestUpdate(signing->hash, message.data, message.len) == 1 &&
                EVP_DigestFinal_ex(signing->hash, ret, &len) == 1;
    *ret_len = len;
    return done;
}

bool assay_signing_mac(struct assay_signing *signing, struct assay_slice message,
                       uint8_t ret[ASSAY_MAX_HASH])
{
    size_t len = 0;
    /* Without a key it starts over with the one it has. */
    return EVP_MAC_init(signing->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(signing->mac, message.data, message.len) == 1 &&
           EVP_MAC_final(signing->mac, ret, &len, ASSAY_MAX_HASH) == 1 && len == signing->len;
}
