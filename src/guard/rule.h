/* What a location requires of a token, and whether a kept answer gives it. */
#ifndef ASSAY_GUARD_RULE_H
#define ASSAY_GUARD_RULE_H

#include "base/buf.h"
#include "base/slice.h"
#include "guard/kept.h"

#include <stddef.h>
#include <stdint.h>

/* Why a request was let through or not; `$assay_reason` is its name. */
enum assay_reason {
    ASSAY_REASON_OK = 0,
    ASSAY_REASON_NO_TOKEN,
    ASSAY_REASON_MALFORMED, /* several tokens, or what is no token: 400 */
    ASSAY_REASON_INACTIVE,  /* the server says so: 401, like the next */
    ASSAY_REASON_INVALID,   /* a signed token that is none of the issuer's, or no signed token */
    ASSAY_REASON_EXPIRED,
    ASSAY_REASON_NOT_YET, /* before nbf */
    ASSAY_REASON_WRONG_ISSUER,
    ASSAY_REASON_BOUND,           /* to a key that a bearer does not show */
    ASSAY_REASON_NO_ACCESS_TOKEN, /* a refresh token */
    ASSAY_REASON_WRONG_AUDIENCE,
    ASSAY_REASON_AUTHENTICATION, /* of the user, too weak or too old (RFC 9470) */
    ASSAY_REASON_SCOPE,          /* 403, like the next */
    ASSAY_REASON_CLAIM,
    ASSAY_REASON_UNREACHABLE,   /* trouble with the authorization server: 503, like the next */
    ASSAY_REASON_UNUSABLE,      /* it gave no answer that can be believed */
    ASSAY_REASON_AS_REJECTS_US, /* it does not accept our credentials */
    ASSAY_REASON_BUSY,          /* too many questions under way */
    ASSAY_REASON_FAULT,         /* our own: memory, or OpenSSL */
};

/* The name in lower case: "inactive", "as_rejects_us". Constant text. */
struct assay_slice assay_reason_name(enum assay_reason reason);

/* One assay_require. All of it must hold, and so must every rule of the location. */
struct assay_rule {
    struct assay_slice scope;    /* each of these words; empty: none is wanted */
    struct assay_slice audience; /* one of these words; empty: any will do */
    struct assay_slice claim;    /* the claim that must have `value`; empty: none */
    struct assay_slice value;
    struct assay_slice acr; /* how the user was authenticated: one of these words; empty: anyhow */
    int64_t auth_age_s;     /* and how long ago at most; 0: whenever */
    size_t claim_at;        /* where it stands in the claims that are kept */
    unsigned http_status;   /* 401 or 403 when it does not hold; 0: as RFC 6750 has it */
};

struct assay_rules {
    const struct assay_rule *rules;
    size_t count;
    size_t scope_at;     /* where "/scope" stands in the claims that are kept, if a rule wants it */
    size_t audience_at;  /* likewise "/aud", */
    size_t acr_at;       /* "/acr", */
    size_t auth_time_at; /* "/auth_time", */
    size_t certificate_at; /* and, whatever the rules want, ASSAY_CERTIFICATE_CLAIM */
};

/* What the rules together want of the user's authentication: the words of the first that names
 * some, and the shortest age; 0 when none does. */
void assay_rules_authentication(const struct assay_rules *rules, struct assay_slice *ret_acr,
                                int64_t *ret_age_s);

/* Appends the scope that all the rules together want, each word once: what a challenge names (RFC
 * 6750 section 3). Look at out->spent. */
void assay_rules_scope(const struct assay_rules *rules, struct assay_buf *out);

/* May a bearer use the answer `kept` where `rules` hold, at `now_s` (seconds since the epoch, the
 * wall clock read for this request)? From the second named by exp on it may not (RFC 7519 section
 * 4.1.4); `leeway_s` is allowed for nbf. `certificate` is the thumbprint of the one that the client
 * has shown on this connection (RFC 8705 section 3). `*ret_failed` is the rule that does not hold,
 * for ASSAY_REASON_SCOPE, _CLAIM, _AUTHENTICATION and _WRONG_AUDIENCE. */
enum assay_reason assay_rules_judge(const struct assay_rules *rules, const struct assay_kept *kept,
                                    struct assay_slice certificate, int64_t now_s, int64_t leeway_s,
                                    const struct assay_rule **ret_failed);

#endif
