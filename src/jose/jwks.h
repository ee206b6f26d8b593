/* A set of keys that somebody published (RFC 7517 section 5), read once and kept. */
#ifndef ASSAY_JOSE_JWKS_H
#define ASSAY_JOSE_JWKS_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "jose/alg.h"
#include "jose/fault.h"
#include "jose/jwk.h"
#include "json/writer.h"

#include <stddef.h>

/* Enough for any set within its bounds. */
#define ASSAY_JWKS_ARENA 131072 /* bytes */

/* The keys that verify. Belongs to one thread, as its keys do; slices live in the arena. */
struct assay_jwks {
    struct assay_jwk *keys; /* in the arena; what they hold is owned */
    size_t count;
    size_t ignored;         /* keys that are not used, for a log */
    const char *ignored_of; /* why the first of them is not; constant text, NULL when none is */
};

/* Reads `text`, an object with an array `keys`. A key that is not good, not for verifying, or not
 * understood is ignored and counted, and so are all keys that share a `kid` with another key (the
 * same key twice is fine). So whoever adds a key cannot take the others away.
 *
 * Fails, and leaves `*ret` alone so that the last good set stays: ASSAY_ERR_SYNTAX when it is no
 * key set, ASSAY_ERR_LIMIT above ASSAY_MAX_JWKS bytes or ASSAY_MAX_JWKS_KEYS keys, for depth, or
 * when the arena is spent, ASSAY_ERR_ABSENT when no key of it can be used, ASSAY_ERR_CRYPTO and
 * ASSAY_ERR_SYSTEM when the code could not work. Close with assay_jwks_close. */
ASSAY_MUST_USE enum assay_status assay_jwks_read(struct assay_slice text, struct assay_arena *arena,
                                                 struct assay_jwks *ret,
                                                 struct assay_error *reterr);
void assay_jwks_close(struct assay_jwks *jwks);

/* The key for a token with that `kid` (data NULL: it names none) and algorithm. A `kid` is compared
 * as bytes, exactly (RFC 7517 section 4.5); without one the only key that fits is meant.
 * ASSAY_JOSE_OK and `*ret`; or KEY_UNKNOWN, which fetching the set anew may cure, KEY_UNFIT or
 * KEY_AMBIGUOUS, which it will not. */
enum assay_jose_fault assay_jwks_find(const struct assay_jwks *jwks, struct assay_slice kid,
                                      const struct assay_alg *alg, struct assay_jwk **ret);

/* Writes the public halves of `count` keys as a set. */
void assay_jwks_write(const struct assay_jwk *keys, size_t count, struct assay_json_writer *w);

#endif
