#include "guard/local.h"

#include "jose/jwt.h"

#include <string.h>

bool assay_local_is_signed(struct assay_slice token)
{
    struct assay_slice rest = token;
    for (int dots = 0; dots < 2; dots++) {
        struct assay_slice part = assay_slice_cut(&rest, '.');
        if (part.len == 0 || rest.len == 0) {
            return false;
        }
    }
    return memchr(rest.data, '.', rest.len) == NULL;
}

static struct assay_jwt_expect expected(const struct assay_provider *provider)
{
    bool standard = assay_slice_equal_nocase(provider->jwt_type, ASSAY_SLICE("at+jwt"));
    return (struct assay_jwt_expect){
        .jws = {.algs = provider->jwt_algorithms, .typ = provider->jwt_type},
        /* Servers with a type of their own have claims of their own, too. */
        .required = standard ? ASSAY_JWT_ACCESS_TOKEN : ASSAY_JWT_ISS | ASSAY_JWT_EXP,
        .issuer = provider->issuer,
        .skew_s = provider->leeway_s,
    };
}

static enum assay_local_verdict verdict_of(enum assay_jose_fault fault)
{
    switch (fault) {
    case ASSAY_JOSE_OK:
        return ASSAY_LOCAL_GOOD;
    case ASSAY_JOSE_KEY_UNKNOWN:
        return ASSAY_LOCAL_NO_KEY;
    case ASSAY_JOSE_BASE64URL:
    case ASSAY_JOSE_HEADER:
    case ASSAY_JOSE_TYP:
    case ASSAY_JOSE_ALG_UNKNOWN:
    case ASSAY_JOSE_ALG_REFUSED:
        return ASSAY_LOCAL_FOREIGN;
    case ASSAY_JOSE_TOO_LONG:
    case ASSAY_JOSE_PARTS:
    case ASSAY_JOSE_ENCRYPTED:
    case ASSAY_JOSE_MEMBER:
    case ASSAY_JOSE_CRIT:
    case ASSAY_JOSE_UNENCODED:
    case ASSAY_JOSE_COMPRESSED:
    case ASSAY_JOSE_NESTED:
    case ASSAY_JOSE_KEY_AMBIGUOUS:
    case ASSAY_JOSE_KEY_UNFIT:
    case ASSAY_JOSE_SIGNATURE:
    case ASSAY_JOSE_CLAIMS:
    case ASSAY_JOSE_CLAIM_TYPE:
    case ASSAY_JOSE_CLAIM_ABSENT:
    case ASSAY_JOSE_ISSUER:
    case ASSAY_JOSE_AUDIENCE:
    case ASSAY_JOSE_EXPIRED:
    case ASSAY_JOSE_NOT_YET:
    case ASSAY_JOSE_ISSUED_AHEAD:
    case ASSAY_JOSE_LIFETIME:
        return ASSAY_LOCAL_BAD;
    }
    return ASSAY_LOCAL_BAD;
}

static enum assay_status make_marks(const struct assay_jwt_claims *claims,
                                    struct assay_digester *digester, struct assay_told *ret)
{
    enum assay_status status = ASSAY_OK;
    if (claims->subject.len != 0) {
        status =
            assay_mark_make(digester, ASSAY_MARK_SUBJECT, claims->subject, &ret->subject, NULL);
    }
    if (status == ASSAY_OK && claims->client_id.len != 0) {
        status =
            assay_mark_make(digester, ASSAY_MARK_CLIENT, claims->client_id, &ret->client, NULL);
    }
    return status;
}

/* A time that is past every use is not said: 0. */
static int64_t time_or_zero(int64_t time_s)
{
    return time_s == ASSAY_JWT_NO_TIME ? 0 : time_s;
}

static bool take(struct assay_jwt_claims *said, const struct assay_claims *claims,
                 struct assay_arena *arena, struct assay_buf *out, struct assay_digester *digester,
                 struct assay_told *ret)
{
    const struct assay_json *json = NULL;
    *ret = (struct assay_told){0};
    if (assay_json_flat_whole(&said->all, &json, NULL) != ASSAY_OK ||
        assay_kept_write_values(json, claims, arena, out, &ret->kept.values, NULL) != ASSAY_OK) {
        return false;
    }
    ret->kept.active = true;
    ret->kept.fault = assay_kept_binding(json);
    ret->kept.expires_at_s = time_or_zero(said->expires_at_s);
    ret->kept.not_before_s = time_or_zero(said->not_before_s);
    return make_marks(said, digester, ret) == ASSAY_OK;
}

enum assay_local_verdict assay_local_judge(const struct assay_provider *provider,
                                           struct assay_slice token, const struct assay_jwks *keys,
                                           const struct assay_claims *claims, int64_t now_s,
                                           struct assay_arena *arena, struct assay_buf *out,
                                           struct assay_digester *digester, struct assay_told *ret,
                                           enum assay_jose_fault *ret_fault)
{
    struct assay_jwt_expect expect = expected(provider);
    struct assay_jwt jwt;
    if (assay_jwt_verify(token, keys, &expect, now_s, arena, &jwt, ret_fault, NULL) != ASSAY_OK) {
        return ASSAY_LOCAL_FAULT;
    }
    enum assay_local_verdict verdict = verdict_of(*ret_fault);
    if (verdict == ASSAY_LOCAL_GOOD) {
        verdict = take(&jwt.claims, claims, arena, out, digester, ret) ? ASSAY_LOCAL_GOOD
                                                                       : ASSAY_LOCAL_FAULT;
        assay_jwt_close(&jwt);
    }
    return verdict;
}
