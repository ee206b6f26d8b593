/* private_key_jwt: the guard shows who it is by a token that it signs for each question (RFC 7523
 * section 2.2, as its successor tightens it: the issuer is the only audience). */
#ifndef ASSAY_GUARD_ASSERTION_H
#define ASSAY_GUARD_ASSERTION_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/sign.h"
#include "jose/jwk.h"

#include <stdint.h>

#define ASSAY_ASSERTION_LIFE_S 60   /* which also bounds how far the server's clock may be ahead */
#define ASSAY_MAX_ASSERTION 4096    /* bytes */
#define ASSAY_ASSERTION_ARENA 65536 /* enough for any key */

/* The key, ready to sign. Belongs to one thread. */
struct assay_assertion_key {
    struct assay_jwk jwk;
    const struct assay_alg *alg;
    struct assay_signer *signer;
};

/* Opens the private key that `text`, a JWK, is; its `kid` lies in the arena. ASSAY_ERR_SYNTAX, with
 * what is wrong, when it is none, has no `alg`, or is a secret that both sides know;
 * ASSAY_ERR_LIMIT, ASSAY_ERR_CRYPTO. Close with assay_assertion_close. */
ASSAY_MUST_USE enum assay_status assay_assertion_open(struct assay_slice text,
                                                      struct assay_arena *arena,
                                                      struct assay_assertion_key *ret,
                                                      struct assay_error *reterr);
void assay_assertion_close(struct assay_assertion_key *key);

/* Appends an assertion by the client `client_id` for the server `issuer`, good from `now_s` on
 * (seconds since the epoch). Each one has a `jti` of its own: servers refuse a second use. Fails
 * with ASSAY_ERR_LIMIT when `out` is spent, ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_assertion_write(struct assay_assertion_key *key,
                                                       struct assay_slice client_id,
                                                       struct assay_slice issuer, int64_t now_s,
                                                       struct assay_buf *out,
                                                       struct assay_error *reterr);

#endif
