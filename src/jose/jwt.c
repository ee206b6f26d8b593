#include "jose/jwt.h"

#include "base/limits.h"

#include <assert.h>

/* --- reading --- */

static bool is_absent(const struct assay_jwt_claims *claims, struct assay_slice name)
{
    return assay_json_flat_type(&claims->all, name) == ASSAY_JSON_ABSENT;
}

/* NumericDate (RFC 7519 section 2): seconds since the epoch, fractions allowed, never text. */
static bool read_time(const struct assay_jwt_claims *claims, struct assay_slice name, bool round_up,
                      int64_t *ret)
{
    double number = 0;
    *ret = ASSAY_JWT_NO_TIME;
    if (is_absent(claims, name)) {
        return true;
    }
    if (!assay_json_flat_number(&claims->all, name, &number) || !(number >= 0) ||
        number > (double)ASSAY_MAX_TIME_S) {
        return false;
    }
    *ret = (int64_t)number; /* down */
    if (round_up && (double)*ret < number) {
        *ret += 1;
    }
    return true;
}

static bool read_times(struct assay_jwt_claims *claims)
{
    return read_time(claims, ASSAY_SLICE("exp"), false, &claims->expires_at_s) &&
           read_time(claims, ASSAY_SLICE("nbf"), true, &claims->not_before_s) &&
           read_time(claims, ASSAY_SLICE("iat"), true, &claims->issued_at_s);
}

static bool read_text(const struct assay_jwt_claims *claims, struct assay_slice name,
                      struct assay_slice *ret)
{
    return assay_json_flat_string(&claims->all, name, ret) || is_absent(claims, name);
}

static bool read_texts(struct assay_jwt_claims *claims)
{
    return read_text(claims, ASSAY_SLICE("iss"), &claims->issuer) &&
           read_text(claims, ASSAY_SLICE("sub"), &claims->subject) &&
           read_text(claims, ASSAY_SLICE("client_id"), &claims->client_id) &&
           read_text(claims, ASSAY_SLICE("jti"), &claims->jti);
}

/* RFC 6749 section 3.3: characters of a scope, and spaces between them. */
static bool is_scope(struct assay_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20 || c > 0x7E || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
}

static bool read_scope(struct assay_jwt_claims *claims)
{
    return read_text(claims, ASSAY_SLICE("scope"), &claims->scope) && is_scope(claims->scope);
}

/* One with a space would be two in the list that it becomes. */
static bool is_word(struct assay_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == ' ') {
            return false;
        }
    }
    return text.len != 0;
}

/* A string or an array of strings (RFC 7519 section 4.1.3). False when the arena is spent. */
static bool read_audience(struct assay_jwt_claims *claims, struct assay_arena *arena,
                          enum assay_jose_fault *ret_fault)
{
    struct assay_slice name = ASSAY_SLICE("aud");
    if (assay_json_flat_string(&claims->all, name, &claims->audience)) {
        *ret_fault = is_word(claims->audience) ? ASSAY_JOSE_OK : ASSAY_JOSE_CLAIM_TYPE;
        return true;
    }
    size_t left = arena->size - arena->used;
    if (is_absent(claims, name) ||
        assay_json_flat_list(&claims->all, name, arena, &claims->audience)) {
        return true;
    }
    *ret_fault = ASSAY_JOSE_CLAIM_TYPE;
    return left >= claims->all.text.len; /* else it may have been for want of room */
}

static bool read_confirmation(struct assay_jwt_claims *claims)
{
    enum assay_json_type type = assay_json_flat_type(&claims->all, ASSAY_SLICE("cnf"));
    claims->confirmed = type != ASSAY_JSON_ABSENT;
    return type == ASSAY_JSON_ABSENT || type == ASSAY_JSON_OBJECT;
}

static enum assay_status read_claims(struct assay_arena *arena, struct assay_jwt_claims *claims,
                                     enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    if (!read_times(claims) || !read_texts(claims) || !read_scope(claims) ||
        !read_confirmation(claims)) {
        *ret_fault = ASSAY_JOSE_CLAIM_TYPE;
        return ASSAY_OK;
    }
    return read_audience(claims, arena, ret_fault)
               ? ASSAY_OK
               : assay_fail(ASSAY_ERR_LIMIT, "no room for the audience of a token", reterr);
}

enum assay_status assay_jwt_claims_read(struct assay_slice payload, struct assay_arena *arena,
                                        struct assay_jwt_claims *ret,
                                        enum assay_jose_fault *ret_fault,
                                        struct assay_error *reterr)
{
    *ret = (struct assay_jwt_claims){0};
    *ret_fault = ASSAY_JOSE_OK;
    enum assay_status status =
        assay_json_flat_open(payload, ASSAY_MAX_JOSE_DEPTH, &ret->all, reterr);
    if (status == ASSAY_ERR_SYSTEM) {
        return status;
    }
    if (status != ASSAY_OK) {
        *ret_fault = ASSAY_JOSE_CLAIMS;
        return ASSAY_OK;
    }
    status = read_claims(arena, ret, ret_fault, reterr);
    if (status != ASSAY_OK || *ret_fault != ASSAY_JOSE_OK) {
        assay_jwt_claims_close(ret);
    }
    return status;
}

void assay_jwt_claims_close(struct assay_jwt_claims *claims)
{
    assay_json_flat_close(&claims->all);
    *claims = (struct assay_jwt_claims){0};
}

/* --- judging --- */

/* A claim that is an empty string says nothing. */
static unsigned present(const struct assay_jwt_claims *claims)
{
    return (claims->issuer.len != 0 ? ASSAY_JWT_ISS : 0U) |
           (claims->subject.len != 0 ? ASSAY_JWT_SUB : 0U) |
           (claims->audience.len != 0 ? ASSAY_JWT_AUD : 0U) |
           (claims->expires_at_s != ASSAY_JWT_NO_TIME ? ASSAY_JWT_EXP : 0U) |
           (claims->issued_at_s != ASSAY_JWT_NO_TIME ? ASSAY_JWT_IAT : 0U) |
           (claims->jti.len != 0 ? ASSAY_JWT_JTI : 0U) |
           (claims->client_id.len != 0 ? ASSAY_JWT_CLIENT_ID : 0U);
}

static enum assay_jose_fault judge_lifetime(const struct assay_jwt_claims *claims,
                                            const struct assay_jwt_expect *expect, int64_t now_s)
{
    bool issued = claims->issued_at_s != ASSAY_JWT_NO_TIME;
    if (claims->expires_at_s == ASSAY_JWT_NO_TIME) {
        return ASSAY_JOSE_OK;
    }
    if (issued && claims->expires_at_s + expect->skew_s < claims->issued_at_s) {
        return ASSAY_JOSE_LIFETIME;
    }
    int64_t from = issued ? claims->issued_at_s : now_s;
    return expect->max_lifetime_s != 0 && claims->expires_at_s - from > expect->max_lifetime_s
               ? ASSAY_JOSE_LIFETIME
               : ASSAY_JOSE_OK;
}

/* No sum overflows: times are below 2^53, the clocks' difference is bounded. */
static enum assay_jose_fault judge_times(const struct assay_jwt_claims *claims,
                                         const struct assay_jwt_expect *expect, int64_t now_s)
{
    if (claims->expires_at_s != ASSAY_JWT_NO_TIME &&
        now_s >= claims->expires_at_s + expect->skew_s) {
        return ASSAY_JOSE_EXPIRED;
    }
    if (claims->not_before_s > now_s + expect->skew_s) {
        return ASSAY_JOSE_NOT_YET;
    }
    if (claims->issued_at_s > now_s + expect->skew_s) {
        return ASSAY_JOSE_ISSUED_AHEAD;
    }
    return judge_lifetime(claims, expect, now_s);
}

enum assay_jose_fault assay_jwt_judge(const struct assay_jwt_claims *claims,
                                      const struct assay_jwt_expect *expect, int64_t now_s)
{
    assert(expect->issuer.len != 0);
    assert(expect->skew_s >= 0 && expect->skew_s <= ASSAY_MAX_SKEW_S);
    assert(now_s >= 0 && now_s <= ASSAY_MAX_TIME_S);
    if ((expect->required & ~present(claims)) != 0) {
        return ASSAY_JOSE_CLAIM_ABSENT;
    }
    if (!assay_slice_equal(claims->issuer, expect->issuer)) {
        return ASSAY_JOSE_ISSUER;
    }
    if (expect->audience.len != 0 && !assay_slice_has_word(claims->audience, expect->audience)) {
        return ASSAY_JOSE_AUDIENCE;
    }
    return judge_times(claims, expect, now_s);
}

/* --- all of it --- */

static enum assay_status check_signature(const struct assay_jws *jws, const struct assay_jwks *keys,
                                         enum assay_jose_fault *ret_fault,
                                         struct assay_error *reterr)
{
    struct assay_jwk *key = NULL;
    *ret_fault = assay_jwks_find(keys, jws->kid, jws->alg, &key);
    return *ret_fault == ASSAY_JOSE_OK ? assay_jws_verify(jws, key, ret_fault, reterr) : ASSAY_OK;
}

static enum assay_status check_claims(const struct assay_jwt_expect *expect, int64_t now_s,
                                      struct assay_arena *arena, struct assay_jwt *jwt,
                                      enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    enum assay_status status =
        assay_jwt_claims_read(jwt->jws.payload, arena, &jwt->claims, ret_fault, reterr);
    if (status == ASSAY_OK && *ret_fault == ASSAY_JOSE_OK) {
        *ret_fault = assay_jwt_judge(&jwt->claims, expect, now_s);
    }
    return status;
}

enum assay_status assay_jwt_verify(struct assay_slice text, const struct assay_jwks *keys,
                                   const struct assay_jwt_expect *expect, int64_t now_s,
                                   struct assay_arena *arena, struct assay_jwt *ret,
                                   enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    *ret = (struct assay_jwt){0};
    enum assay_status status =
        assay_jws_parse(text, &expect->jws, arena, &ret->jws, ret_fault, reterr);
    if (status == ASSAY_OK && *ret_fault == ASSAY_JOSE_OK) {
        status = check_signature(&ret->jws, keys, ret_fault, reterr);
    }
    if (status == ASSAY_OK && *ret_fault == ASSAY_JOSE_OK) {
        status = check_claims(expect, now_s, arena, ret, ret_fault, reterr);
    }
    if (status != ASSAY_OK || *ret_fault != ASSAY_JOSE_OK) {
        assay_jwt_close(ret);
    }
    return status;
}

void assay_jwt_close(struct assay_jwt *jwt)
{
    assay_jwt_claims_close(&jwt->claims);
    assay_jws_close(&jwt->jws);
}
