/* JSON Web Tokens: claims read and held against what a caller expects (RFC 7519 section 4.1, RFC
 * 8725, RFC 9068 section 4). */
#ifndef ASSAY_JOSE_JWT_H
#define ASSAY_JOSE_JWT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "jose/fault.h"
#include "jose/jwks.h"
#include "jose/jws.h"
#include "json/flat.h"

#include <stdbool.h>
#include <stdint.h>

/* Claims that a kind of JWT must have. */
enum assay_jwt_claim {
    ASSAY_JWT_ISS = 1 << 0,
    ASSAY_JWT_SUB = 1 << 1,
    ASSAY_JWT_AUD = 1 << 2,
    ASSAY_JWT_EXP = 1 << 3,
    ASSAY_JWT_IAT = 1 << 4,
    ASSAY_JWT_JTI = 1 << 5,
    ASSAY_JWT_CLIENT_ID = 1 << 6,
};

/* RFC 9068 section 2.2: all of them. */
#define ASSAY_JWT_ACCESS_TOKEN 0x7FU

/* What is expected of one kind of JWT from one issuer. Borrows. */
struct assay_jwt_expect {
    struct assay_jws_expect jws;
    unsigned required;           /* enum assay_jwt_claim, or-ed */
    struct assay_slice issuer;   /* compared as bytes with `iss`; not empty (asserted), or keys of
                                  * one issuer could speak for another (RFC 8725 section 3.8) */
    struct assay_slice audience; /* must be one of `aud`, as bytes. Empty: not looked at, for a
                                  * caller that does so itself */
    int64_t skew_s;              /* that clocks may differ; 0 to ASSAY_MAX_SKEW_S (asserted) */
    int64_t max_lifetime_s;      /* from `iat` (else from now) to `exp`; 0: any */
};

#define ASSAY_JWT_NO_TIME (-1)

/* The registered claims. Slices borrow from the payload, `all` or the arena; of what
 * is absent data is NULL. */
struct assay_jwt_claims {
    struct assay_json_flat
        all; /* owned; for claims by name, or by pointer (assay_json_flat_whole) */
    struct assay_slice issuer;
    struct assay_slice subject;
    struct assay_slice audience; /* a list, parted by single spaces */
    struct assay_slice client_id;
    struct assay_slice jti;
    struct assay_slice scope;
    int64_t expires_at_s; /* ASSAY_JWT_NO_TIME when absent; fractions end a token early and */
    int64_t not_before_s; /* begin it late */
    int64_t issued_at_s;
    bool confirmed; /* bound to a key (`cnf`, RFC 7800): no bearer token */
};

/* Reads a payload whose signature has been verified. Faults: CLAIMS, CLAIM_TYPE (also for a time
 * that is negative or above ASSAY_MAX_TIME_S, and for an audience with a space in it); `*ret` is
 * then empty. Fails with ASSAY_ERR_LIMIT when the arena is spent, ASSAY_ERR_SYSTEM when there is no
 * memory. Close with assay_jwt_claims_close. */
ASSAY_MUST_USE enum assay_status assay_jwt_claims_read(struct assay_slice payload,
                                                       struct assay_arena *arena,
                                                       struct assay_jwt_claims *ret,
                                                       enum assay_jose_fault *ret_fault,
                                                       struct assay_error *reterr);
void assay_jwt_claims_close(struct assay_jwt_claims *claims);

/* Holds claims against what is expected at `now_s` (seconds since the epoch). `exp` is the first
 * second in which the token is dead (RFC 7519 section 4.1.4). */
enum assay_jose_fault assay_jwt_judge(const struct assay_jwt_claims *claims,
                                      const struct assay_jwt_expect *expect, int64_t now_s);

/* A JWT that was verified. */
struct assay_jwt {
    struct assay_jws jws;
    struct assay_jwt_claims claims;
};

/* All of it, in the order of RFC 7519 section 7.2: parses `text`, finds the key among `keys` (those
 * of the expected issuer), verifies, reads the claims and judges them. `*ret_fault` is
 * ASSAY_JOSE_OK and `*ret` filled, or why the token is refused and `*ret` empty. KEY_UNKNOWN alone
 * is worth fetching the keys anew, seldom. The arena needs one and a half times the
 * text at most. Fails as assay_jws_parse and assay_jwk_verify do. Close with assay_jwt_close. */
ASSAY_MUST_USE enum assay_status
assay_jwt_verify(struct assay_slice text, const struct assay_jwks *keys,
                 const struct assay_jwt_expect *expect, int64_t now_s, struct assay_arena *arena,
                 struct assay_jwt *ret, enum assay_jose_fault *ret_fault,
                 struct assay_error *reterr);
void assay_jwt_close(struct assay_jwt *jwt);

#endif
