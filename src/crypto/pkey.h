/* Keys to sign and verify with, made once from their numbers and kept: RSA, elliptic curves and
 * Edwards curves on EVP_PKEY, and shared secrets. What is no good key never becomes one. */
#ifndef ASSAY_CRYPTO_PKEY_H
#define ASSAY_CRYPTO_PKEY_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum assay_pkey_kind {
    ASSAY_PKEY_RSA = 0,
    ASSAY_PKEY_P256,
    ASSAY_PKEY_P384,
    ASSAY_PKEY_P521,
    ASSAY_PKEY_ED25519,
    ASSAY_PKEY_ED448,
    ASSAY_PKEY_SECRET, /* shared; for HMAC alone */
};

#define ASSAY_PKEY_MAX_RSA_LEN 1024 /* bytes of the largest modulus: 8192 bits */
#define ASSAY_PKEY_MIN_RSA_LEN 256  /* and of the smallest: 2048 bits (RFC 7518 section 3.3) */
#define ASSAY_PKEY_MAX_WIDTH 66     /* bytes of a coordinate: P-521 */
#define ASSAY_PKEY_MAX_SECRET 1024  /* bytes */

/* The numbers of a key, as RFC 7518 section 6 and RFC 8037 section 2 name them: big-endian without
 * leading zeros for RSA, exactly as wide as the field for x, y and d of a curve. What a kind does
 * not have is left empty; an empty `d` makes a public key. Borrows. */
struct assay_pkey_parts {
    enum assay_pkey_kind kind;
    struct assay_slice n;
    struct assay_slice e;
    struct assay_slice x;
    struct assay_slice y;
    struct assay_slice k; /* the shared secret */
    struct assay_slice d;
    struct assay_slice p; /* RSA wants p, q, dp, dq and qi where it has d */
    struct assay_slice q;
    struct assay_slice dp;
    struct assay_slice dq;
    struct assay_slice qi;
};

/* A key. Opaque, never changed once made: contexts that work with it are in crypto/verify.h and
 * crypto/sign.h. */
struct assay_pkey;

/* Makes the key; `parts` is read and not kept. ASSAY_ERR_SYNTAX, with what is wrong, for a key that
 * must not be used: RSA outside 2048 to 8192 bits, an even modulus, an exponent that is even, below
 * 3 or above 2^32 - 1; a coordinate of another length, a point off its curve or of small order;
 * private numbers that do not belong to the public ones; an empty secret or one above
 * ASSAY_PKEY_MAX_SECRET. ASSAY_ERR_CRYPTO when OpenSSL could not work. Close with
 * assay_pkey_close. */
ASSAY_MUST_USE enum assay_status assay_pkey_open(const struct assay_pkey_parts *parts,
                                                 struct assay_pkey **ret,
                                                 struct assay_error *reterr);

/* Wipes and frees; NULL is fine. */
void assay_pkey_close(struct assay_pkey *pkey);

enum assay_pkey_kind assay_pkey_kind(const struct assay_pkey *pkey);

/* Can it sign? A shared secret can. */
bool assay_pkey_is_private(const struct assay_pkey *pkey);

/* Its public numbers, and `k` of a shared secret; they live as long as the key. */
const struct assay_pkey_parts *assay_pkey_parts(const struct assay_pkey *pkey);

/* The same public numbers (or the same secret, compared in constant time). */
bool assay_pkey_equal(const struct assay_pkey *a, const struct assay_pkey *b);

/* Bytes of a coordinate of that curve, and of d; 0 for RSA and secrets. */
size_t assay_pkey_width(enum assay_pkey_kind kind);

#endif
