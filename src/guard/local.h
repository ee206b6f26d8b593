/* A signed access token judged here, by its issuer's keys, instead of asked about (RFC 9068 section
 * 4). */
#ifndef ASSAY_GUARD_LOCAL_H
#define ASSAY_GUARD_LOCAL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "guard/provider.h"
#include "jose/fault.h"
#include "jose/jwks.h"

#include <stdbool.h>
#include <stdint.h>

/* Is `token` written like a signed token: in three parts? Then it is looked at as one first. */
bool assay_local_is_signed(struct assay_slice token);

/* What a look at a signed token says. */
enum assay_local_verdict {
    ASSAY_LOCAL_GOOD,    /* signed by the issuer, within its times: `*ret` tells what it says */
    ASSAY_LOCAL_BAD,     /* no token of that issuer, or none any more */
    ASSAY_LOCAL_NO_KEY,  /* its key is not among those that are known */
    ASSAY_LOCAL_FOREIGN, /* not of the kind that is judged here (no JWT after all, another `typ`, an
                          * algorithm that is not allowed): the server may know it */
    ASSAY_LOCAL_FAULT,   /* our own: memory, or OpenSSL */
};

/* Judges `token` at `now_s` (the wall clock) by `keys` of provider->issuer. `*ret_fault` names the
 * rule that it breaks, for a log. The values of `claims` go into `*out`, which ret->kept borrows
 * from; LIMIT of room is a FAULT. */
enum assay_local_verdict assay_local_judge(const struct assay_provider *provider,
                                           struct assay_slice token, const struct assay_jwks *keys,
                                           const struct assay_claims *claims, int64_t now_s,
                                           struct assay_arena *arena, struct assay_buf *out,
                                           struct assay_digester *digester, struct assay_told *ret,
                                           enum assay_jose_fault *ret_fault);

#endif
