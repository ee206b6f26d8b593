/* What signing and verifying have in common: contexts for one key and scheme. */
#ifndef ASSAY_CRYPTO_SIGNING_PRIV_H
#define ASSAY_CRYPTO_SIGNING_PRIV_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/pkey_priv.h"
#include "crypto/scheme.h"

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSAY_MAX_HASH 64 /* bytes: SHA-512 */

/* Measured with OpenSSL 3.0: hashing by ourselves and EVP_PKEY_verify on a context that stays as it
 * is costs less than EVP_DigestVerifyInit with the key each time (RS256 20.5 instead of 23.5 µs),
 * and a repeated EVP_DigestVerifyInit without the key forgets that the padding is PSS. EdDSA has no
 * hash to be made apart: there, a context that is ready is copied. */
struct assay_signing {
    enum assay_pkey_kind pkey_kind;
    struct assay_scheme scheme;
    size_t len;              /* of a signature */
    EVP_PKEY *evp;           /* NULL for HMAC */
    EVP_MD *md;              /* fetched once; NULL for EdDSA */
    EVP_MD_CTX *hash;        /* ready to hash; NULL for EdDSA and HMAC */
    EVP_PKEY_CTX *operation; /* ready to sign or verify a hash; NULL likewise */
    EVP_MD_CTX *ready;       /* for EdDSA: ready to sign or verify a message, and */
    EVP_MD_CTX *copy;        /* what it is copied to */
    EVP_MAC_CTX *mac;        /* for HMAC: it has the key */
};

/* Fails as assay_verifier_open and assay_signer_open. What was opened is closed again then. */
ASSAY_MUST_USE enum assay_status assay_signing_open(const struct assay_pkey *pkey,
                                                    struct assay_scheme scheme, bool sign,
                                                    struct assay_signing *ret,
                                                    struct assay_error *reterr);
void assay_signing_close(struct assay_signing *signing);

/* The hash of `message`, or false. */
ASSAY_MUST_USE bool assay_signing_hash(struct assay_signing *signing, struct assay_slice message,
                                       uint8_t ret[ASSAY_MAX_HASH], size_t *ret_len);

/* HMAC of `message`, signing->len bytes, or false. */
ASSAY_MUST_USE bool assay_signing_mac(struct assay_signing *signing, struct assay_slice message,
                                      uint8_t ret[ASSAY_MAX_HASH]);

#endif
