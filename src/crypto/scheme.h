/* How something is signed, whatever a protocol calls it: the names are in jose/alg.h. */
#ifndef ASSAY_CRYPTO_SCHEME_H
#define ASSAY_CRYPTO_SCHEME_H

enum assay_hash {
    ASSAY_HASH_OWN = 0, /* EdDSA brings its own */
    ASSAY_HASH_SHA256,
    ASSAY_HASH_SHA384,
    ASSAY_HASH_SHA512,
};

enum assay_signing_kind {
    ASSAY_SIGNING_RSA_PKCS1 = 0, /* RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2) */
    ASSAY_SIGNING_RSA_PSS,       /* RSASSA-PSS; MGF1 and salt as the hash (RFC 7518 section 3.5) */
    ASSAY_SIGNING_ECDSA,         /* r and s side by side, as wide as the curve's field */
    ASSAY_SIGNING_EDDSA,         /* RFC 8032, of the message itself */
    ASSAY_SIGNING_HMAC,          /* RFC 2104, under a shared secret */
};

struct assay_scheme {
    enum assay_signing_kind kind;
    enum assay_hash hash;
};

#endif
