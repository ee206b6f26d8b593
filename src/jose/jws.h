/* JSON Web Signatures in the compact serialization (RFC 7515), read strictly: one spelling per
 * token. Parsing and verifying are apart, so that the caller finds the key in between. */
#ifndef ASSAY_JOSE_JWS_H
#define ASSAY_JOSE_JWS_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/sign.h"
#include "jose/alg.h"
#include "jose/fault.h"
#include "jose/jwk.h"
#include "json/flat.h"

#include <stdint.h>

/* What a caller takes; a token has no say in it. */
struct assay_jws_expect {
    uint32_t algs;          /* the algorithms that are allowed, as ASSAY_ALG_BIT */
    struct assay_slice typ; /* "at+jwt": what `typ` must be, with or without "application/", in any
                             * case (RFC 9068 section 4). Empty: not looked at, which only a caller
                             * can afford whose keys sign nothing else (RFC 8725 section 3.11) */
};

/* A JWS that is well-formed and expected, and not yet verified. Slices borrow from the text, the
 * arena or `header`. */
struct assay_jws {
    struct assay_json_flat header; /* owned. Keys that it brings along (`jwk`, `jku`, `x5u`, `x5c`)
                                    * are nobody's: nothing here looks at them (RFC 8725 section
                                    * 3.10) */
    const struct assay_alg *alg;
    struct assay_slice kid;     /* data NULL: it names none. Hostile bytes: compare, never print */
    struct assay_slice input;   /* what is signed: header, dot, payload, as they came */
    struct assay_slice payload; /* decoded; not to be acted on before it is verified */
    struct assay_slice signature;
};

/* Takes `text` apart. `*ret_fault` is ASSAY_JOSE_OK and `*ret` filled, or the first rule that is
 * broken and `*ret` empty. The arena needs three quarters of the text. Fails with ASSAY_ERR_LIMIT
 * when that is spent, ASSAY_ERR_SYSTEM when there is no memory. Close with assay_jws_close. */
ASSAY_MUST_USE enum assay_status assay_jws_parse(struct assay_slice text,
                                                 const struct assay_jws_expect *expect,
                                                 struct assay_arena *arena, struct assay_jws *ret,
                                                 enum assay_jose_fault *ret_fault,
                                                 struct assay_error *reterr);
void assay_jws_close(struct assay_jws *jws);

/* Is it signed by `key`? ASSAY_JOSE_OK, KEY_UNFIT (the key decides what it is used for, not the
 * token; RFC 8725 section 3.1) or SIGNATURE. Fails as assay_jwk_verify. */
ASSAY_MUST_USE enum assay_status assay_jws_verify(const struct assay_jws *jws,
                                                  struct assay_jwk *key,
                                                  enum assay_jose_fault *ret_fault,
                                                  struct assay_error *reterr);

/* Appends a JWS over `payload` to `out`: `typ` and `kid` are in its header unless they are empty.
 * `signer` is one for `alg`. Look at out->spent. Fails with ASSAY_ERR_LIMIT when `out` is spent,
 * ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_jws_sign(struct assay_signer *signer,
                                                const struct assay_alg *alg, struct assay_slice kid,
                                                struct assay_slice typ, struct assay_slice payload,
                                                struct assay_buf *out, struct assay_error *reterr);

#endif
