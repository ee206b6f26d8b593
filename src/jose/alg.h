/* The algorithms of JWS, a row each (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864). "none"
 * is no row. */
#ifndef ASSAY_JOSE_ALG_H
#define ASSAY_JOSE_ALG_H

#include "base/attr.h"
#include "base/slice.h"
#include "crypto/pkey.h"
#include "crypto/scheme.h"

#include <stdbool.h>
#include <stdint.h>

enum assay_alg_id {
    ASSAY_ALG_RS256 = 0,
    ASSAY_ALG_RS384,
    ASSAY_ALG_RS512,
    ASSAY_ALG_PS256,
    ASSAY_ALG_PS384,
    ASSAY_ALG_PS512,
    ASSAY_ALG_ES256,
    ASSAY_ALG_ES384,
    ASSAY_ALG_ES512,
    ASSAY_ALG_EDDSA, /* with either Edwards curve */
    ASSAY_ALG_ED25519,
    ASSAY_ALG_ED448,
    ASSAY_ALG_HS256,
    ASSAY_ALG_HS384,
    ASSAY_ALG_HS512,
};

/* Sets of algorithms are bits: ASSAY_ALG_BIT(ASSAY_ALG_ES256) | ... */
#define ASSAY_ALG_BIT(id) (UINT32_C(1) << (id))

/* Those that a public key verifies; and those under a secret that both sides have. */
#define ASSAY_ALGS_PUBLIC (ASSAY_ALG_BIT(ASSAY_ALG_HS256) - 1)
#define ASSAY_ALGS_SHARED                                                                          \
    (ASSAY_ALG_BIT(ASSAY_ALG_HS256) | ASSAY_ALG_BIT(ASSAY_ALG_HS384) |                             \
     ASSAY_ALG_BIT(ASSAY_ALG_HS512))

/* At most so many schemes are possible with one key: RSA has them. */
#define ASSAY_ALG_SLOTS 6

struct assay_alg {
    struct assay_slice name; /* as `alg` has it; compared as bytes */
    enum assay_alg_id id;
    unsigned keys;              /* kinds of keys that fit, as bits 1 << enum assay_pkey_kind */
    unsigned slot;              /* numbers the schemes that are possible with one key */
    struct assay_scheme scheme; /* which fixes hash, padding and the length of the signature */
};

/* The row of that name, NULL when there is none. */
const struct assay_alg *assay_alg_find(struct assay_slice name);

/* The row of that id. */
const struct assay_alg *assay_alg_row(enum assay_alg_id id);

/* Does a key of that kind fit? */
bool assay_alg_takes(const struct assay_alg *alg, enum assay_pkey_kind kind);

/* Is what `key_alg` (of a key; NULL: it does not say) restricts the key to the same as `alg`?
 * "EdDSA" and the names of its curves are, the curve being the key's. */
bool assay_alg_agrees(const struct assay_alg *alg, const struct assay_alg *key_alg);

/* Reads a list of names parted by single spaces into a set. False when one is no algorithm, or the
 * list is empty. */
ASSAY_MUST_USE bool assay_alg_set_read(struct assay_slice list, uint32_t *ret);

#endif
