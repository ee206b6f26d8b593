/* One JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037 section 2), read once and kept ready to
 * verify with; its thumbprint (RFC 7638). */
#ifndef ASSAY_JOSE_JWK_H
#define ASSAY_JOSE_JWK_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "crypto/pkey.h"
#include "crypto/verify.h"
#include "jose/alg.h"
#include "json/reader.h"
#include "json/writer.h"

#include <stdbool.h>
#include <stdint.h>

/* A key. Belongs to one thread: verifiers are opened when they are first needed, and kept. */
struct assay_jwk {
    struct assay_pkey *pkey;     /* owned */
    struct assay_slice kid;      /* data NULL: it has none; in the arena it was read into */
    const struct assay_alg *alg; /* what it is restricted to; NULL: whatever fits its kind */
    bool is_for_verifying;       /* by `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3) */
    bool is_for_signing;         /* likewise, and it has a private half */
    struct assay_verifier *verifiers[ASSAY_ALG_SLOTS]; /* private; owned */
};

/* Reads a key that somebody published. `kid` is copied into the arena. ASSAY_ERR_SYNTAX, with what
 * is wrong: no object, a `kty` or `crv` that we do not know, a member that is missing, of the wrong
 * type or not strict base64url, numbers that make no good key (crypto/pkey.h), `kty` "oct" or
 * anything private (a published secret is none), a `kid` above ASSAY_MAX_KID, an `alg` that is not
 * of signatures or does not fit, a `key_ops` that repeats itself. Members it does not know are
 * ignored. ASSAY_ERR_LIMIT when the arena is spent, ASSAY_ERR_CRYPTO when OpenSSL could not work.
 * Close with assay_jwk_close. */
ASSAY_MUST_USE enum assay_status assay_jwk_read(const struct assay_json_value *value,
                                                struct assay_arena *arena, struct assay_jwk *ret,
                                                struct assay_error *reterr);

/* The same of a key of our own, which may have a private half or be a shared secret. */
ASSAY_MUST_USE enum assay_status assay_jwk_read_private(const struct assay_json_value *value,
                                                        struct assay_arena *arena,
                                                        struct assay_jwk *ret,
                                                        struct assay_error *reterr);

/* Frees, and wipes what is secret. */
void assay_jwk_close(struct assay_jwk *jwk);

/* Is the key for verifying, and for that algorithm: by its kind, its curve, its own `alg`? */
bool assay_jwk_fits(const struct assay_jwk *jwk, const struct assay_alg *alg);

/* Is `signature` that of `message` by that key? The key must fit (asserted). ASSAY_ERR_SYNTAX for a
 * shared secret that is shorter than the hash (RFC 7518 section 3.2); ASSAY_ERR_CRYPTO when OpenSSL
 * could not work. */
ASSAY_MUST_USE enum assay_status
assay_jwk_verify(struct assay_jwk *jwk, const struct assay_alg *alg, struct assay_slice message,
                 struct assay_slice signature, bool *ret_good, struct assay_error *reterr);

/* Writes the public key as an object, with `kid`, `alg` and `use` where it has them. Never anything
 * private; a shared secret is not written at all (asserted). */
void assay_jwk_write(const struct assay_jwk *jwk, struct assay_json_writer *w);

/* SHA-256 over the members that make the key, in the one spelling that RFC 7638 gives them. Of a
 * shared secret it lets guesses be tested: do not publish it. Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_jwk_thumbprint(const struct assay_jwk *jwk,
                                                      struct assay_digester *digester,
                                                      uint8_t ret[ASSAY_SHA256_LEN],
                                                      struct assay_error *reterr);

#endif
