/* Claims: what is read is what JSON says, times stay within bounds, and no token outlives its exp.
 */
#include "fuzz.h"

#include "base/limits.h"
#include "jose/jwt.h"

static uint8_t memory[1 << 17];

static void says(const struct assay_json *json, struct assay_slice name, struct assay_slice read)
{
    struct assay_slice text = {0};
    must(assay_json_get_string(json, name, &text) == (read.data != NULL));
    must(assay_slice_equal(text, read));
}

static void is_time(int64_t time_s)
{
    must(time_s == ASSAY_JWT_NO_TIME || (time_s >= 0 && time_s <= ASSAY_MAX_TIME_S));
}

/* By any other reader, too. */
static void is_what_json_says(struct assay_slice payload, const struct assay_jwt_claims *claims)
{
    struct assay_json *json = NULL;
    must(assay_json_open(payload, ASSAY_MAX_JOSE_DEPTH, &json, NULL) == ASSAY_OK);
    says(json, ASSAY_SLICE("iss"), claims->issuer);
    says(json, ASSAY_SLICE("sub"), claims->subject);
    says(json, ASSAY_SLICE("jti"), claims->jti);
    says(json, ASSAY_SLICE("client_id"), claims->client_id);
    says(json, ASSAY_SLICE("scope"), claims->scope);
    is_time(claims->expires_at_s);
    is_time(claims->not_before_s);
    is_time(claims->issued_at_s);
    must(claims->confirmed == (assay_json_type(json, ASSAY_SLICE("cnf")) != ASSAY_JSON_ABSENT));
    assay_json_close(json);
}

static void judge(const struct assay_jwt_claims *claims, unsigned required, int64_t skew_s)
{
    static const int64_t times[] = {0, 1, 1700000000, ASSAY_MAX_TIME_S};
    struct assay_jwt_expect expect = {
        .required = required,
        .issuer = ASSAY_SLICE("https://as.example.com"),
        .audience = ASSAY_SLICE("https://api.example.com/"),
        .skew_s = skew_s,
        .max_lifetime_s = skew_s * 10,
    };
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (assay_jwt_judge(claims, &expect, times[i]) == ASSAY_JOSE_OK) {
            must(assay_slice_equal(claims->issuer, expect.issuer));
            must(assay_slice_has_word(claims->audience, expect.audience));
            must(claims->expires_at_s == ASSAY_JWT_NO_TIME ||
                 times[i] < claims->expires_at_s + skew_s);
            must(claims->not_before_s <= times[i] + skew_s);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_arena arena;
    struct assay_jwt_claims claims;
    enum assay_jose_fault fault;
    if (size > 65536) {
        return 0;
    }
    assay_arena_init(&arena, memory, sizeof(memory));
    must(assay_jwt_claims_read(assay_slice_of(data, size), &arena, &claims, &fault, NULL) ==
         ASSAY_OK);
    if (fault == ASSAY_JOSE_OK) {
        is_what_json_says(assay_slice_of(data, size), &claims);
        judge(&claims, ASSAY_JWT_ACCESS_TOKEN, 0);
        judge(&claims, ASSAY_JWT_ISS, ASSAY_MAX_SKEW_S);
        judge(&claims, 0, 60);
    } else {
        must(fault == ASSAY_JOSE_CLAIMS || fault == ASSAY_JOSE_CLAIM_TYPE);
    }
    assay_jwt_claims_close(&claims);
    assay_arena_release(&arena);
    return 0;
}
