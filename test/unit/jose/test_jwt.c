#include "jose/jwt.h"

#include "base/limits.h"
#include "support/check.h"
#include "support/keys.h"
#include "support/signed.h"
#include "support/vector.h"

#include <stdio.h>

#define NOW_S 1700000000
#define ISSUER ASSAY_SLICE("https://as.example.com")
#define AUDIENCE ASSAY_SLICE("https://api.example.com/")

static uint8_t memory[1 << 18];
static uint8_t set_memory[ASSAY_JWKS_ARENA];
static struct assay_arena arena;
static struct assay_arena set_arena;
static struct assay_error error;
static struct assay_jwt jwt;
static struct assay_jwks set;
static struct assay_jwt_expect expect;
static uint8_t room[1 << 17];

static struct key_numbers numbers;
static struct assay_jwk ours;

static int make_keys(void **state)
{
    (void)state;
    keys_make(ASSAY_PKEY_P256, &numbers);
    ours = (struct assay_jwk){
        .pkey = keys_open_private(&numbers), .kid = ASSAY_SLICE("k"), .is_for_verifying = true};
    return 0;
}

static int close_keys(void **state)
{
    (void)state;
    assay_jwk_close(&ours);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_arena_init(&set_arena, set_memory, sizeof(set_memory));
    set = (struct assay_jwks){.keys = &ours, .count = 1};
    expect = (struct assay_jwt_expect){
        .jws = {.algs = ASSAY_ALGS_PUBLIC, .typ = ASSAY_SLICE("at+jwt")},
        .required = ASSAY_JWT_ACCESS_TOKEN,
        .issuer = ISSUER,
        .audience = AUDIENCE,
        .skew_s = 60,
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assay_jwt_close(&jwt);
    if (set.keys != &ours) {
        assay_jwks_close(&set);
    }
    assay_arena_release(&set_arena);
    assay_arena_release(&arena);
    return 0;
}

static enum assay_jose_fault fault_of(struct assay_slice text)
{
    enum assay_jose_fault fault = ASSAY_JOSE_OK;
    assay_jwt_close(&jwt);
    assay_arena_clear(&arena);
    assert_ok(assay_jwt_verify(text, &set, &expect, NOW_S, &arena, &jwt, &fault, &error), &error);
    if (fault != ASSAY_JOSE_OK) {
        assert_null(jwt.claims.issuer.data);
        assert_null(jwt.jws.payload.data);
    }
    return fault;
}

/* Signed by the right key, so that the claims alone decide. */
static enum assay_jose_fault fault_of_claims(struct assay_slice claims)
{
    return fault_of(
        signed_token(ours.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                     ASSAY_SLICE("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k\"}"), claims,
                     room, sizeof(room)));
}

static void expect_fault(struct assay_slice claims, enum assay_jose_fault expected)
{
    enum assay_jose_fault fault = fault_of_claims(claims);
    if (fault != expected) {
        fail_msg("%s instead of %s: %.*s", assay_jose_fault_name(fault),
                 assay_jose_fault_name(expected), (int)(claims.len < 400 ? claims.len : 400),
                 (const char *)claims.data);
    }
}

/* A good set of claims, of which one is replaced or, when `value` is NULL, left out. */
static struct assay_slice claims_with(const char *name, const char *value)
{
    static char text[8192];
    static const char *const good[][2] = {
        {"iss", "\"https://as.example.com\""},
        {"sub", "\"alice\""},
        {"aud", "\"https://api.example.com/\""},
        {"exp", "1700000300"},
        {"iat", "1699999990"},
        {"jti", "\"j\""},
        {"client_id", "\"c\""},
        {"scope", "\"read write\""},
        {"nbf", "1699999990"},
    };
    size_t len = 0;
    bool found = false;
    text[len++] = '{';
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        bool is = strcmp(good[i][0], name) == 0;
        const char *as = is ? value : good[i][1];
        found |= is;
        if (as != NULL) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%s\":%s,", good[i][0], as);
        }
    }
    if (!found && value != NULL) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\"%s\":%s,", name, value);
    }
    text[len - 1] = '}';
    return assay_slice_of(text, len);
}

static void expect_with(const char *name, const char *value, enum assay_jose_fault expected)
{
    expect_fault(claims_with(name, value), expected);
}

/* --- jwt-access-token.json --- */

static const struct {
    const char *id;
    enum assay_jose_fault fault;
} reasons[] = {
    {"n-typ-none", ASSAY_JOSE_TYP},
    {"n-typ-jwt", ASSAY_JOSE_TYP},
    {"n-typ-intro", ASSAY_JOSE_TYP},
    {"n-typ-set", ASSAY_JOSE_TYP},
    {"n-typ-dpop", ASSAY_JOSE_TYP},
    {"n-iss", ASSAY_JOSE_ISSUER},
    {"n-iss-slash", ASSAY_JOSE_ISSUER},
    {"n-aud", ASSAY_JOSE_AUDIENCE},
    {"n-aud-prefix", ASSAY_JOSE_AUDIENCE},
    {"n-aud-empty", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-aud-mixed", ASSAY_JOSE_CLAIM_TYPE},
    {"n-no-iss", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-no-exp", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-no-aud", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-no-sub", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-no-client_id", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-no-iat", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-no-jti", ASSAY_JOSE_CLAIM_ABSENT},
    {"n-exp", ASSAY_JOSE_EXPIRED},
    {"n-exp-eq", ASSAY_JOSE_EXPIRED},
    {"n-exp-str", ASSAY_JOSE_CLAIM_TYPE},
    {"n-exp-huge", ASSAY_JOSE_CLAIMS},
    {"n-exp-neg", ASSAY_JOSE_CLAIM_TYPE},
    {"n-nbf", ASSAY_JOSE_NOT_YET},
    {"n-dup-claim", ASSAY_JOSE_CLAIMS},
    {"n-dup-hdr", ASSAY_JOSE_HEADER},
    {"n-array", ASSAY_JOSE_CLAIMS},
    {"n-trailing", ASSAY_JOSE_CLAIMS},
    {"n-utf8", ASSAY_JOSE_CLAIMS},
    {"n-utf16", ASSAY_JOSE_CLAIMS},
    {"n-alg-none", ASSAY_JOSE_ALG_UNKNOWN},
    {"n-alg-None", ASSAY_JOSE_ALG_UNKNOWN},
    {"n-alg-NONE", ASSAY_JOSE_ALG_UNKNOWN},
    {"n-alg-nOnE", ASSAY_JOSE_ALG_UNKNOWN},
    {"n-alg-none-sig", ASSAY_JOSE_ALG_UNKNOWN},
    {"n-confusion-pem", ASSAY_JOSE_ALG_REFUSED},
    {"n-confusion-der", ASSAY_JOSE_ALG_REFUSED},
    {"n-confusion-n", ASSAY_JOSE_ALG_REFUSED},
    {"n-confusion-jwk", ASSAY_JOSE_ALG_REFUSED},
    {"n-confusion-empty", ASSAY_JOSE_ALG_REFUSED},
    {"n-alg-mismatch", ASSAY_JOSE_KEY_UNFIT},
    {"n-alg-not-allowed", ASSAY_JOSE_ALG_REFUSED},
    {"n-alg-curve", ASSAY_JOSE_KEY_UNFIT},
    {"n-alg-type", ASSAY_JOSE_MEMBER},
    {"n-embedded-jwk", ASSAY_JOSE_SIGNATURE},
    {"n-jku", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-x5u", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-unknown", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-inject-1", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-inject-2", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-inject-3", ASSAY_JOSE_HEADER}, /* a NUL */
    {"n-kid-inject-4", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-inject-5", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-inject-6", ASSAY_JOSE_KEY_UNKNOWN},
    {"n-kid-null", ASSAY_JOSE_MEMBER},
    {"n-crit-unknown", ASSAY_JOSE_CRIT},
    {"n-crit-empty", ASSAY_JOSE_CRIT},
    {"n-crit-std", ASSAY_JOSE_CRIT},
    {"n-crit-absent", ASSAY_JOSE_CRIT},
    {"n-crit-dup", ASSAY_JOSE_CRIT},
    {"n-crit-type", ASSAY_JOSE_CRIT},
    {"n-b64", ASSAY_JOSE_CRIT},
    {"n-sig-flip", ASSAY_JOSE_SIGNATURE},
    {"n-sig-empty", ASSAY_JOSE_SIGNATURE},
    {"n-sig-two-parts", ASSAY_JOSE_PARTS},
    {"n-sig-four-parts", ASSAY_JOSE_PARTS},
    {"n-five-parts", ASSAY_JOSE_ENCRYPTED},
    {"n-sig-der", ASSAY_JOSE_SIGNATURE},
    {"n-sig-zero", ASSAY_JOSE_SIGNATURE},
    {"n-sig-order", ASSAY_JOSE_SIGNATURE},
    {"n-sig-short", ASSAY_JOSE_SIGNATURE},
    {"n-sig-pad", ASSAY_JOSE_BASE64URL},
    {"n-ws", ASSAY_JOSE_BASE64URL},
    {"n-ws2", ASSAY_JOSE_BASE64URL},
    {"n-b64std", ASSAY_JOSE_BASE64URL},
    {"n-b64-tail", ASSAY_JOSE_BASE64URL},
    {"n-json-serialization", ASSAY_JOSE_PARTS},
    {"n-brace", ASSAY_JOSE_BASE64URL},
    {"n-nested", ASSAY_JOSE_NESTED},
    {"n-empty", ASSAY_JOSE_PARTS},
    {"n-dots", ASSAY_JOSE_PARTS},
};
#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

static enum assay_jose_fault reason_of(struct assay_slice id)
{
    for (size_t i = 0; i < REASONS; i++) {
        if (assay_slice_equal(id, assay_slice_of_text(reasons[i].id))) {
            return reasons[i].fault;
        }
    }
    return ASSAY_JOSE_OK;
}

static json_t *open_vectors(void)
{
    json_t *vector = vector_open("jwt-access-token.json");
    char *text = json_dumps(json_object_get(vector, "jwks"), JSON_COMPACT);
    assert_ok(assay_jwks_read(assay_slice_of_text(text), &set_arena, &set, &error), &error);
    assert_int_equal(set.ignored, 0);
    free(text);
    assert_true(assay_alg_set_read(ASSAY_SLICE("RS256 ES256 EdDSA ES512"), &expect.jws.algs));
    return vector;
}

/* R9068-4-5, and every rule of RFC 9068 section 4, 8725, 7515 and 7519 that has a vector: each case
 * fails for its own reason alone. */
static void each_vector_is_taken_or_refused_for_its_reason(void **state)
{
    (void)state;
    json_t *vector = open_vectors();
    size_t index;
    size_t refused = 0;
    json_t *one;
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        const json_t *leeway = json_object_get(one, "leeway");
        bool valid = assay_slice_equal(vector_text(one, "expect"), ASSAY_SLICE("valid"));
        if (!json_is_string(json_object_get(one, "compact"))) {
            continue; /* n-depth has a recipe: what_is_nested_deeply_is_refused */
        }
        expect.skew_s = leeway == NULL ? 60 : json_integer_value(leeway);
        enum assay_jose_fault fault = fault_of(vector_text(one, "compact"));
        if (fault != reason_of(vector_text(one, "id")) || valid != (fault == ASSAY_JOSE_OK)) {
            fail_msg("%s: %s", json_string_value(json_object_get(one, "id")),
                     assay_jose_fault_name(fault));
        }
        refused += fault != ASSAY_JOSE_OK;
    }
    assert_int_equal(index, 93);
    assert_int_equal(refused, REASONS);
    json_decref(vector);
}

/* A-JWT-01, A-JWT-02: even where HS256 is allowed the kind of key decides, and a thousand good
 * tokens between the bad ones are good all the same. */
static void a_public_key_is_never_a_shared_secret(void **state)
{
    (void)state;
    json_t *vector = open_vectors();
    json_t *cases = json_object_get(vector, "cases");
    struct assay_slice good = vector_text(json_array_get(cases, 1), "compact");
    size_t index;
    size_t count = 0;
    json_t *one;
    expect.jws.algs = ASSAY_ALGS_PUBLIC | ASSAY_ALGS_SHARED;
    json_array_foreach(cases, index, one)
    {
        struct assay_slice id = vector_text(one, "id");
        if (assay_slice_starts_with(id, ASSAY_SLICE("n-confusion-"))) {
            bool empty =
                assay_slice_equal(id, ASSAY_SLICE("n-confusion-empty")); /* without a kid */
            for (int i = 0; i < 200; i++) {
                assert_int_equal(fault_of(vector_text(one, "compact")),
                                 empty ? ASSAY_JOSE_KEY_UNKNOWN : ASSAY_JOSE_KEY_UNFIT);
                assert_int_equal(fault_of(good), ASSAY_JOSE_OK);
            }
            count++;
        }
        /* One key, one algorithm (R8725-3.1-1): allowed here, and still not for a key that says
         * RS256. */
        if (assay_slice_equal(id, ASSAY_SLICE("n-alg-not-allowed"))) {
            assert_int_equal(fault_of(vector_text(one, "compact")), ASSAY_JOSE_KEY_UNFIT);
            count++;
        }
    }
    assert_int_equal(count, 6);
    json_decref(vector);
}

/* --- claims --- */

static void the_claims_are_those_of_the_token(void **state)
{
    (void)state;
    const struct assay_json *whole = NULL;
    assert_int_equal(fault_of_claims(claims_with("x", "{\"y\":[1]}")), ASSAY_JOSE_OK);
    assert_slice_equal(jwt.claims.issuer, ISSUER);
    assert_slice_equal(jwt.claims.subject, ASSAY_SLICE("alice"));
    assert_slice_equal(jwt.claims.audience, AUDIENCE);
    assert_slice_equal(jwt.claims.client_id, ASSAY_SLICE("c"));
    assert_slice_equal(jwt.claims.jti, ASSAY_SLICE("j"));
    assert_slice_equal(jwt.claims.scope, ASSAY_SLICE("read write"));
    assert_int_equal(jwt.claims.expires_at_s, 1700000300);
    assert_int_equal(jwt.claims.not_before_s, 1699999990);
    assert_int_equal(jwt.claims.issued_at_s, 1699999990);
    assert_false(jwt.claims.confirmed);
    assert_slice_equal(jwt.jws.kid, ASSAY_SLICE("k"));
    assert_ok(assay_json_flat_whole(&jwt.claims.all, &whole, &error), &error);
    assert_non_null(assay_json_point(whole, ASSAY_SLICE("/x/y")));
    assert_int_equal(fault_of_claims(claims_with("cnf", "{\"jkt\":\"x\"}")), ASSAY_JOSE_OK);
    assert_true(jwt.claims.confirmed);
    assert_int_equal(fault_of_claims(claims_with("scope", NULL)), ASSAY_JOSE_OK);
    assert_null(jwt.claims.scope.data);
}

/* R9068-2.2-1b: present and of their type; an empty string says nothing. */
static void each_required_claim_is_there_and_of_its_type(void **state)
{
    (void)state;
    static const char *const names[] = {"iss", "sub", "aud", "exp", "iat", "jti", "client_id"};
    static const char *const wrong[] = {"null", "true", "{}", "[1]", "[[\"a\"]]"};
    for (size_t i = 0; i < 7; i++) {
        bool is_time = i == 3 || i == 4;
        expect_with(names[i], NULL, ASSAY_JOSE_CLAIM_ABSENT);
        for (size_t j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
            expect_with(names[i], wrong[j], ASSAY_JOSE_CLAIM_TYPE);
        }
        expect_with(names[i], is_time ? "\"1700000300\"" : "1", ASSAY_JOSE_CLAIM_TYPE);
        if (!is_time) {
            expect_with(names[i], "\"\"", i == 2 ? ASSAY_JOSE_CLAIM_TYPE : ASSAY_JOSE_CLAIM_ABSENT);
        }
        expect.required = ASSAY_JWT_ISS;
        expect.audience = (struct assay_slice){0};
        expect_with(names[i], NULL, i == 0 ? ASSAY_JOSE_CLAIM_ABSENT : ASSAY_JOSE_OK);
        expect.required = ASSAY_JWT_ACCESS_TOKEN;
        expect.audience = AUDIENCE;
    }
}

/* A-JWT-07, P-9068-1: finite, not negative, never text; fractions end early and begin late. */
static void times_are_finite_numbers_within_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *exp;
        enum assay_jose_fault fault;
    } cases[] = {
        {"\"1700000300\"", ASSAY_JOSE_CLAIM_TYPE},
        {"null", ASSAY_JOSE_CLAIM_TYPE},
        {"true", ASSAY_JOSE_CLAIM_TYPE},
        {"[1700000300]", ASSAY_JOSE_CLAIM_TYPE},
        {"-1", ASSAY_JOSE_CLAIM_TYPE},
        {"-0.5", ASSAY_JOSE_CLAIM_TYPE},
        {"-0", ASSAY_JOSE_EXPIRED},
        {"-0.0", ASSAY_JOSE_EXPIRED},
        {"0", ASSAY_JOSE_EXPIRED},
        {"1e3", ASSAY_JOSE_EXPIRED},
        {"1.5e10", ASSAY_JOSE_OK},
        {"1700000300.5", ASSAY_JOSE_OK},
        {"9007199254740992", ASSAY_JOSE_OK},
        {"9007199254740994", ASSAY_JOSE_CLAIM_TYPE},
        {"1e16", ASSAY_JOSE_CLAIM_TYPE},
        {"9223372036854775807", ASSAY_JOSE_CLAIM_TYPE},
        {"9223372036854775808", ASSAY_JOSE_CLAIMS},
        {"1e308", ASSAY_JOSE_CLAIM_TYPE},
        {"1e400", ASSAY_JOSE_CLAIMS},
        {"NaN", ASSAY_JOSE_CLAIMS},
        {"Infinity", ASSAY_JOSE_CLAIMS},
        {"0x65", ASSAY_JOSE_CLAIMS},
        {"01700000300", ASSAY_JOSE_CLAIMS},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_with("exp", cases[i].exp, cases[i].fault);
    }
    expect_with("nbf", "-1", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("nbf", "\"0\"", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("nbf", "0", ASSAY_JOSE_OK);
    expect_with("iat", "1e400", ASSAY_JOSE_CLAIMS);
    expect_with("iat", "-1", ASSAY_JOSE_CLAIM_TYPE);
    expect.skew_s = 0;
    expect_with("exp", "1700000000.9", ASSAY_JOSE_EXPIRED);
    expect_with("nbf", "1700000000.1", ASSAY_JOSE_NOT_YET);
    expect_with("iat", "1700000000.1", ASSAY_JOSE_ISSUED_AHEAD);
}

/* R9068-4-6, R7519-4.1.4-1: to the second, with and without leeway. */
static void a_token_is_alive_from_nbf_until_before_exp(void **state)
{
    (void)state;
    expect.skew_s = 0;
    expect_with("exp", "1700000001", ASSAY_JOSE_OK);
    expect_with("exp", "1700000000", ASSAY_JOSE_EXPIRED);
    expect_with("nbf", "1700000000", ASSAY_JOSE_OK);
    expect_with("nbf", "1700000001", ASSAY_JOSE_NOT_YET);
    expect_with("iat", "1700000000", ASSAY_JOSE_OK);
    expect_with("iat", "1700000001", ASSAY_JOSE_ISSUED_AHEAD);
    expect.skew_s = ASSAY_MAX_SKEW_S;
    expect_with("exp", "1699999701", ASSAY_JOSE_OK);
    expect_with("exp", "1699999700", ASSAY_JOSE_EXPIRED);
    expect_with("nbf", "1700000300", ASSAY_JOSE_OK);
    expect_with("nbf", "1700000301", ASSAY_JOSE_NOT_YET);
    expect_with("iat", "1700000301", ASSAY_JOSE_ISSUED_AHEAD);
    expect_with("nbf", "9007199254740992", ASSAY_JOSE_NOT_YET);
}

/* A-JWT-08: `exp` before `iat`; a life longer than allowed. */
static void a_life_is_neither_too_long_nor_backwards(void **state)
{
    (void)state;
    expect_with("exp", "1699999950", ASSAY_JOSE_OK); /* 40 s before iat, within the leeway */
    expect.skew_s = 300;
    expect_with("iat", "1700000290", ASSAY_JOSE_OK);
    expect_fault(
        ASSAY_SLICE("{\"iss\":\"https://as.example.com\",\"sub\":\"s\",\"aud\":\"https://"
                    "api.example.com/\",\"exp\":1699999900,\"iat\":1700000201,\"jti\":\"j\","
                    "\"client_id\":\"c\"}"),
        ASSAY_JOSE_LIFETIME);
    expect.max_lifetime_s = 310;
    expect_with("exp", "1700000300", ASSAY_JOSE_OK);
    expect_with("exp", "1700000301", ASSAY_JOSE_LIFETIME);
    expect_with("exp", "9007199254740992", ASSAY_JOSE_LIFETIME);
    /* Without iat it counts from now. */
    expect.required = ASSAY_JWT_ISS;
    expect_fault(
        ASSAY_SLICE("{\"iss\":\"https://as.example.com\",\"aud\":\"https://api.example.com/"
                    "\",\"exp\":1700000310}"),
        ASSAY_JOSE_OK);
    expect_fault(
        ASSAY_SLICE("{\"iss\":\"https://as.example.com\",\"aud\":\"https://api.example.com/"
                    "\",\"exp\":1700000311}"),
        ASSAY_JOSE_LIFETIME);
}

/* A-JWT-09, R9068-4-3, R8725-3.8-2. */
static void the_issuer_is_compared_as_bytes(void **state)
{
    (void)state;
    static const char *const others[] = {
        "\"https://as.example.com/\"",    "\"HTTPS://as.example.com\"",
        "\"https://AS.example.com\"",     "\"https://as.example.com \"",
        "\"https://as.example.co\"",      "\"http://as.example.com\"",
        "\"https://as.example.com:443\"", "\"https://evil.example\"",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        expect_with("iss", others[i], ASSAY_JOSE_ISSUER);
    }
    expect_with("iss", "[\"https://as.example.com\"]", ASSAY_JOSE_CLAIM_TYPE);
    /* Another spelling in JSON is the same issuer. */
    expect_with("iss", "\"https:\\/\\/as.example.c\\u006fm\"", ASSAY_JOSE_OK);
}

/* A-JWT-09, R9068-4-4, R8725-3.9-1. */
static void the_audience_names_the_reader(void **state)
{
    (void)state;
    expect_with("aud", "[\"https://x.example/\",\"https://api.example.com/\"]", ASSAY_JOSE_OK);
    assert_slice_equal(jwt.claims.audience,
                       ASSAY_SLICE("https://x.example/ https://api.example.com/"));
    expect_with("aud", "[\"https:\\/\\/api.example.com/\"]", ASSAY_JOSE_OK);
    expect_with("aud", "{\"a\":\"https://api.example.com/\"}", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("aud", "[]", ASSAY_JOSE_CLAIM_ABSENT);
    expect_with("aud", "\"https://api.example.com\"", ASSAY_JOSE_AUDIENCE);
    expect_with("aud", "\"https://api.example.com/admin\"", ASSAY_JOSE_AUDIENCE);
    expect_with("aud", "\"https://API.example.com/\"", ASSAY_JOSE_AUDIENCE);
    expect_with("aud", "[\"https://api.example.com/\",\"\"]", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("aud", "[\"https://api.example.com/\",null]", ASSAY_JOSE_CLAIM_TYPE);
    /* One with a space would be two. */
    expect_with("aud", "\"x https://api.example.com/\"", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("aud", "[\"x https://api.example.com/\"]", ASSAY_JOSE_CLAIM_TYPE);
    expect.audience = (struct assay_slice){0};
    expect_with("aud", "\"https://other.example.com/\"", ASSAY_JOSE_OK);
    expect_with("aud", NULL, ASSAY_JOSE_CLAIM_ABSENT);
}

/* RFC 6749 section 3.3. */
static void a_scope_is_of_its_characters(void **state)
{
    (void)state;
    expect_with("scope", "\"\"", ASSAY_JOSE_OK);
    expect_with("scope", "\"read\\u00e4\"", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("scope", "\"a\\\"b\"", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("scope", "\"a\\nb\"", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("scope", "[\"read\"]", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("cnf", "\"x\"", ASSAY_JOSE_CLAIM_TYPE);
    expect_with("cnf", "null", ASSAY_JOSE_CLAIM_TYPE);
}

/* A-JWT-06, R7519-4-1, R8725-3.7-1, P-JSON-1. */
static void claims_that_are_no_strict_json_object_are_refused(void **state)
{
    (void)state;
    static const struct assay_slice texts[] = {
        {NULL, 0},
        {(const uint8_t *)"[]", 2},
        {(const uint8_t *)"\"x\"", 3},
        {(const uint8_t *)"1", 1},
        {(const uint8_t *)"null", 4},
        {(const uint8_t *)"{\"a\":1}{}", 9},
        {(const uint8_t *)"\xEF\xBB\xBF{}", 5},
        {(const uint8_t *)"{\0}\0", 4},
        {(const uint8_t *)"\xFF\xFE{\0}\0", 6},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_fault(texts[i], ASSAY_JOSE_CLAIMS);
    }
    expect_with("aud\":\"https://api.example.com/\",\"x", "1", ASSAY_JOSE_CLAIMS);
    expect_with("\\u0061ud", "\"https://api.example.com/\"", ASSAY_JOSE_CLAIMS);
    expect_with("x", "{\"a\":1,\"a\":1}", ASSAY_JOSE_CLAIMS);
    expect_with("x", "\"\\ud800\"", ASSAY_JOSE_CLAIMS);
    expect_with("x", "\"\\udc00\\ud800\"", ASSAY_JOSE_CLAIMS);
    expect_with("x", "\"\xFF\"", ASSAY_JOSE_CLAIMS);
    expect_with("x", "{\"a\":1e400}", ASSAY_JOSE_CLAIMS);
    expect_fault(ASSAY_SLICE("{}"), ASSAY_JOSE_CLAIM_ABSENT);
}

/* A-JWT-06: n-depth of jwt-access-token.json, and a string of 64 KiB. */
static void what_is_nested_deeply_or_very_long_is_refused(void **state)
{
    (void)state;
    static char text[1 << 16];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\"iss\":\"https://as.example.com\",\"x\":");
    memset(text + len, '[', 10000);
    expect_fault(assay_slice_of(text, len + 10000), ASSAY_JOSE_CLAIMS);
    memset(text + len, '[', 15);
    memset(text + len + 15, ']', 15);
    text[len + 30] = '}';
    expect_fault(assay_slice_of(text, len + 31), ASSAY_JOSE_CLAIM_ABSENT);
    memset(text + len, '[', 16);
    memset(text + len + 16, ']', 16);
    text[len + 32] = '}';
    expect_fault(assay_slice_of(text, len + 33), ASSAY_JOSE_CLAIMS);
    text[len] = '"';
    memset(text + len + 1, 'x', sizeof(text) - len - 3);
    text[sizeof(text) - 2] = '"';
    text[sizeof(text) - 1] = '}';
    expect_fault(assay_slice_of(text, sizeof(text)), ASSAY_JOSE_TOO_LONG);
}

/* --- one kind of token is not another, one issuer not another --- */

/* R8725-3.12-1: every kind offered to every validator. */
static void each_kind_passes_its_own_validator_alone(void **state)
{
    (void)state;
    static const char *const kinds[] = {
        "at+jwt",   "token-introspection+jwt",   "secevent+jwt", "statuslist+jwt",
        "dpop+jwt", "client-authentication+jwt", "logout+jwt"};
    for (size_t i = 0; i < 7; i++) {
        char header[128];
        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"%s\",\"kid\":\"k\"}",
                 kinds[i]);
        for (size_t j = 0; j < 7; j++) {
            expect.jws.typ = assay_slice_of_text(kinds[j]);
            assert_int_equal(
                fault_of(signed_token(ours.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                                      assay_slice_of_text(header), claims_with("", NULL), room,
                                      sizeof(room))),
                i == j ? ASSAY_JOSE_OK : ASSAY_JOSE_TYP);
        }
    }
}

/* A-JWT-13, R8725-3.8-1: keys belong to the issuer that published them. */
static void a_key_of_another_issuer_is_none(void **state)
{
    (void)state;
    keys_make(ASSAY_PKEY_P256, &numbers);
    struct assay_jwk theirs = {.pkey = keys_open_private(&numbers), .kid = ASSAY_SLICE("k")};
    struct assay_slice text =
        signed_token(theirs.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                     ASSAY_SLICE("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k\"}"),
                     claims_with("", NULL), room, sizeof(room));
    assert_int_equal(fault_of(text), ASSAY_JOSE_SIGNATURE);
    assay_jwk_close(&theirs);
}

/* R7519-7.2-1: the claims are not looked at before the signature has been verified, and with a bad
 * one the token is refused for that, whatever it says. */
static void a_bad_signature_comes_before_bad_claims(void **state)
{
    (void)state;
    struct assay_slice text =
        signed_token(ours.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                     ASSAY_SLICE("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k\"}"),
                     ASSAY_SLICE("not even JSON"), room, sizeof(room));
    assert_int_equal(fault_of(text), ASSAY_JOSE_CLAIMS);
    room[text.len - 10] = room[text.len - 10] == 'A' ? 'B' : 'A';
    assert_int_equal(fault_of(text), ASSAY_JOSE_SIGNATURE);
}

static void a_spent_arena_is_an_error_and_not_a_fault(void **state)
{
    (void)state;
    static uint8_t little[1000];
    bool fitted = false;
    struct assay_slice text =
        signed_token(ours.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                     ASSAY_SLICE("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"k\"}"),
                     claims_with("aud", "[\"https://x.example/\",\"https://api.example.com/\"]"),
                     room, sizeof(room));
    for (size_t size = 0; size < sizeof(little); size += 3) {
        struct assay_arena small;
        enum assay_jose_fault fault;
        assay_arena_init(&small, little, size);
        enum assay_status status =
            assay_jwt_verify(text, &set, &expect, NOW_S, &small, &jwt, &fault, &error);
        assert_true(status == (fitted ? ASSAY_OK : ASSAY_ERR_LIMIT) ||
                    (!fitted && status == ASSAY_OK));
        assert_true(status != ASSAY_OK || fault == ASSAY_JOSE_OK);
        fitted |= status == ASSAY_OK;
        assay_jwt_close(&jwt);
        assay_arena_release(&small);
    }
    assert_true(fitted);
}

int main(void)
{
#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SET(each_vector_is_taken_or_refused_for_its_reason),
        WITH_SET(a_public_key_is_never_a_shared_secret),
        WITH_SET(the_claims_are_those_of_the_token),
        WITH_SET(each_required_claim_is_there_and_of_its_type),
        WITH_SET(times_are_finite_numbers_within_bounds),
        WITH_SET(a_token_is_alive_from_nbf_until_before_exp),
        WITH_SET(a_life_is_neither_too_long_nor_backwards),
        WITH_SET(the_issuer_is_compared_as_bytes),
        WITH_SET(the_audience_names_the_reader),
        WITH_SET(a_scope_is_of_its_characters),
        WITH_SET(claims_that_are_no_strict_json_object_are_refused),
        WITH_SET(what_is_nested_deeply_or_very_long_is_refused),
        WITH_SET(each_kind_passes_its_own_validator_alone),
        WITH_SET(a_key_of_another_issuer_is_none),
        WITH_SET(a_bad_signature_comes_before_bad_claims),
        WITH_SET(a_spent_arena_is_an_error_and_not_a_fault),
    };
    return cmocka_run_group_tests(tests, make_keys, close_keys);
}
