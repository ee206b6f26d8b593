#include "jose/jws.h"

#include "base/base64url.h"
#include "base/limits.h"
#include "support/check.h"
#include "support/keys.h"
#include "support/signed.h"
#include "support/vector.h"

#include <stdio.h>

#define EVERY (ASSAY_ALGS_PUBLIC | ASSAY_ALGS_SHARED)

static uint8_t memory[1 << 18];
static struct assay_arena arena;
static struct assay_error error;
static struct assay_jws jws;
static uint8_t room[1 << 17];

static struct key_numbers numbers;
static struct assay_jwk ours;   /* P-256 */
static struct assay_jwk theirs; /* another */

static int make_keys(void **state)
{
    (void)state;
    keys_make(ASSAY_PKEY_P256, &numbers);
    ours = (struct assay_jwk){.pkey = keys_open_private(&numbers), .is_for_verifying = true};
    keys_make(ASSAY_PKEY_P256, &numbers);
    theirs = (struct assay_jwk){.pkey = keys_open_private(&numbers), .is_for_verifying = true};
    return 0;
}

static int close_keys(void **state)
{
    (void)state;
    assay_jwk_close(&ours);
    assay_jwk_close(&theirs);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assay_jws_close(&jws);
    assay_arena_release(&arena);
    return 0;
}

/* What becomes of `text`; `jws` is open afterwards if it is good. */
static enum assay_jose_fault fault_of(struct assay_slice text, uint32_t algs,
                                      struct assay_slice typ, struct assay_jwk *key)
{
    struct assay_jws_expect expect = {.algs = algs, .typ = typ};
    enum assay_jose_fault fault = ASSAY_JOSE_LIFETIME;
    assay_jws_close(&jws);
    assay_arena_clear(&arena);
    assert_ok(assay_jws_parse(text, &expect, &arena, &jws, &fault, &error), &error);
    if (fault == ASSAY_JOSE_OK && key != NULL) {
        assert_ok(assay_jws_verify(&jws, key, &fault, &error), &error);
    }
    return fault;
}

static void expect_fault(struct assay_slice text, enum assay_jose_fault expected)
{
    enum assay_jose_fault fault = fault_of(text, EVERY, (struct assay_slice){0}, &ours);
    if (fault != expected) {
        fail_msg("%s instead of %s: %.*s", assay_jose_fault_name(fault),
                 assay_jose_fault_name(expected), (int)(text.len < 200 ? text.len : 200),
                 text.data == NULL ? "" : (const char *)text.data);
    }
}

/* ES256 by `ours` over any header. */
static struct assay_slice sign_with_header(const char *header)
{
    return signed_token(ours.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                        assay_slice_of_text(header), ASSAY_SLICE("{}"), room, sizeof(room));
}

/* --- published examples --- */

static void verify_vector(const json_t *one)
{
    struct assay_jwk key = {0};
    struct assay_slice text = vector_text(one, "compact");
    const struct assay_alg *alg = assay_alg_find(vector_text(one, "alg"));
    struct assay_arena keep;
    uint8_t bytes[1024];
    assay_arena_init(&keep, bytes, sizeof(bytes));
    assert_non_null(alg);
    signed_read_key(json_object_get(one, "key"), &keep, &key);
    assert_int_equal(fault_of(text, ASSAY_ALG_BIT(alg->id), (struct assay_slice){0}, &key),
                     ASSAY_JOSE_OK);
    assert_slice_equal(jws.payload, vector_text(one, "payload_text"));
    assert_int_equal(fault_of(text, EVERY & ~ASSAY_ALG_BIT(alg->id), (struct assay_slice){0}, &key),
                     ASSAY_JOSE_ALG_REFUSED);
    assay_jwk_close(&key);
    assay_arena_release(&keep);
}

static void verify_file(const char *name, size_t expected)
{
    json_t *vector = vector_open(name);
    size_t index;
    size_t count = 0;
    json_t *one;
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        if (assay_slice_equal(vector_text(one, "expect"), ASSAY_SLICE("valid"))) {
            verify_vector(one);
            count++;
        }
    }
    assert_int_equal(count, expected);
    json_decref(vector);
}

/* jws-rfc7515.json, jws-rfc7520.json, jws-rfc8037.json: R7518-3.1-1, R7518-3.5-1, R8037-3.1-1. */
static void the_examples_of_the_rfcs_verify(void **state)
{
    (void)state;
    verify_file("jws-rfc7515.json", 4);
    verify_file("jws-rfc7520.json", 4);
    verify_file("jws-rfc8037.json", 1);
}

static struct assay_slice compact_of(const char *file, const char *id, json_t **ret_vector)
{
    size_t index;
    json_t *one;
    *ret_vector = vector_open(file);
    json_array_foreach(json_object_get(*ret_vector, "cases"), index, one)
    {
        if (assay_slice_equal(vector_text(one, "id"), assay_slice_of_text(id))) {
            return vector_text(one, "compact");
        }
    }
    fail_msg("%s has no %s", file, id);
    return (struct assay_slice){0};
}

/* RFC 7515 appendices A.5 (alg none), A.6 and A.7 (JSON serializations), E (crit). */
static void the_counterexamples_of_rfc_7515_are_refused(void **state)
{
    (void)state;
    json_t *vector = NULL;
    expect_fault(compact_of("jws-rfc7515.json", "7515-A.5", &vector), ASSAY_JOSE_ALG_UNKNOWN);
    json_decref(vector);
    expect_fault(compact_of("jws-rfc7515.json", "7515-E", &vector), ASSAY_JOSE_CRIT);
    json_decref(vector);
    size_t index;
    size_t count = 0;
    json_t *one;
    vector = vector_open("jws-rfc7515.json");
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        char *text = json_dumps(json_object_get(one, "json"), JSON_COMPACT);
        if (text != NULL) {
            expect_fault(assay_slice_of_text(text), ASSAY_JOSE_PARTS);
            count++;
        }
        free(text);
    }
    assert_int_equal(count, 2);
    json_decref(vector);
}

/* jws-rfc7797.json, R7797-7-1. */
static void an_unencoded_payload_is_refused(void **state)
{
    (void)state;
    json_t *vector = vector_open("jws-rfc7797.json");
    json_t *one = json_array_get(json_object_get(vector, "cases"), 0);
    expect_fault(vector_text(one, "detached_compact"), ASSAY_JOSE_CRIT);
    expect_fault(sign_with_header("{\"alg\":\"ES256\",\"b64\":false}"), ASSAY_JOSE_UNENCODED);
    expect_fault(sign_with_header("{\"alg\":\"ES256\",\"b64\":\"true\"}"), ASSAY_JOSE_UNENCODED);
    expect_fault(sign_with_header("{\"alg\":\"ES256\",\"b64\":null}"), ASSAY_JOSE_UNENCODED);
    expect_fault(sign_with_header("{\"alg\":\"ES256\",\"b64\":true}"), ASSAY_JOSE_OK);
    json_decref(vector);
}

/* jwe.json, R8725-3.2-1, R8725-3.3-1, R8725b-3.13-1, R8725b-3.15-1: nothing is decrypted, so there
 * is no oracle, no iteration count and nothing to inflate. */
static void an_encrypted_token_is_refused_and_said_to_be_one(void **state)
{
    (void)state;
    json_t *vector = vector_open("jwe.json");
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        expect_fault(vector_text(one, "compact"), ASSAY_JOSE_ENCRYPTED);
    }
    assert_int_equal(index, 7);
    json_decref(vector);
    expect_fault(ASSAY_SLICE("...."), ASSAY_JOSE_ENCRYPTED);
    expect_fault(sign_with_header("{\"alg\":\"ES256\",\"enc\":\"A128GCM\"}"), ASSAY_JOSE_ENCRYPTED);
    expect_fault(sign_with_header("{\"alg\":\"RSA1_5\",\"typ\":\"JWT\"}"), ASSAY_JOSE_ALG_UNKNOWN);
    expect_fault(sign_with_header("{\"alg\":\"PBES2-HS256+A128KW\",\"p2c\":2147483647}"),
                 ASSAY_JOSE_ALG_UNKNOWN);
}

/* What OpenSSL and the authors of the RFCs made is what we make: RS256, HS256, Ed25519. */
static void deterministic_signatures_are_those_of_the_rfcs(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        const char *id;
        const char *header;
    } cases[] = {
        {"jws-rfc7515.json", "7515-A.1", "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}"},
        {"jws-rfc7515.json", "7515-A.2", "{\"alg\":\"RS256\"}"},
        {"jws-rfc8037.json", "8037-A.4", "{\"alg\":\"EdDSA\"}"},
    };
    for (size_t i = 0; i < 3; i++) {
        size_t index;
        json_t *one;
        json_t *vector = vector_open(cases[i].file);
        json_array_foreach(json_object_get(vector, "cases"), index, one)
        {
            struct assay_jwk key = {0};
            json_t *jwk = json_object_get(one, "private_key");
            if (!assay_slice_equal(vector_text(one, "id"), assay_slice_of_text(cases[i].id))) {
                continue;
            }
            if (!json_is_object(jwk)) {
                jwk = i == 2 ? json_object_get(json_array_get(json_object_get(vector, "cases"), 0),
                                               "jwk")
                             : json_object_get(one, "key");
            }
            signed_read_key(jwk, &arena, &key);
            assert_slice_equal(signed_token(key.pkey,
                                            assay_alg_find(vector_text(one, "alg"))->scheme,
                                            assay_slice_of_text(cases[i].header),
                                            vector_text(one, "payload_text"), room, sizeof(room)),
                               vector_text(one, "compact"));
            assay_jwk_close(&key);
        }
        json_decref(vector);
    }
}

/* --- our own --- */

static struct assay_slice sign_by(const struct assay_jwk *key, const struct assay_alg *alg,
                                  struct assay_slice payload)
{
    struct assay_signer *signer = NULL;
    struct assay_buf out;
    assay_buf_init(&out, room, sizeof(room));
    assert_ok(assay_signer_open(key->pkey, alg->scheme, &signer, &error), &error);
    assert_ok(assay_jws_sign(signer, alg, ASSAY_SLICE("kid-1"), ASSAY_SLICE("at+jwt"), payload,
                             &out, &error),
              &error);
    assay_signer_close(signer);
    return assay_buf_slice(&out);
}

static void what_is_signed_with_each_algorithm_verifies(void **state)
{
    (void)state;
    static struct key_numbers fresh;
    for (unsigned id = 0; id <= ASSAY_ALG_HS512; id++) {
        const struct assay_alg *alg = assay_alg_row((enum assay_alg_id)id);
        for (int kind = 0; kind < KEYS_KINDS; kind++) {
            if (!assay_alg_takes(alg, (enum assay_pkey_kind)kind)) {
                continue;
            }
            keys_make((enum assay_pkey_kind)kind, &fresh);
            struct assay_jwk pair = {.pkey = keys_open_private(&fresh)};
            struct assay_jwk half = {.pkey = keys_open_public(&fresh), .is_for_verifying = true};
            struct assay_slice text = sign_by(&pair, alg, ASSAY_SLICE("{\"a\":1}"));
            assert_int_equal(fault_of(text, EVERY, ASSAY_SLICE("at+jwt"), &half), ASSAY_JOSE_OK);
            assert_slice_equal(jws.payload, ASSAY_SLICE("{\"a\":1}"));
            assert_slice_equal(jws.kid, ASSAY_SLICE("kid-1"));
            assert_ptr_equal(jws.alg, alg);
            room[text.len - 20] = room[text.len - 20] == 'A' ? 'B' : 'A';
            assert_int_equal(fault_of(text, EVERY, ASSAY_SLICE("at+jwt"), &half),
                             ASSAY_JOSE_SIGNATURE);
            assay_jwk_close(&pair);
            assay_jwk_close(&half);
        }
    }
}

/* P-7515-1, A-JWT-11: another spelling of a revoked token would be a new token. */
static void no_other_text_is_the_same_token(void **state)
{
    (void)state;
    static const uint8_t others[] = "ABgw-_.=+/ \n\0\x80";
    static uint8_t copy[2048];
    struct assay_slice text =
        sign_by(&ours, assay_alg_row(ASSAY_ALG_ES256), ASSAY_SLICE("{\"a\":1}"));
    size_t len = text.len;
    memcpy(copy, text.data, len);
    assert_int_equal(fault_of(assay_slice_of(copy, len), EVERY, ASSAY_SLICE("at+jwt"), &ours), 0);
    for (size_t at = 0; at < len; at++) {
        for (size_t i = 0; i < sizeof(others) - 1; i++) {
            copy[at] = others[i];
            if (others[i] != room[at]) {
                assert_int_not_equal(
                    fault_of(assay_slice_of(copy, len), EVERY, ASSAY_SLICE("at+jwt"), &ours),
                    ASSAY_JOSE_OK);
            }
        }
        copy[at] = room[at] ^ 1; /* the neighbour differs in spare bits, where there are any */
        assert_int_not_equal(
            fault_of(assay_slice_of(copy, len), EVERY, ASSAY_SLICE("at+jwt"), &ours),
            ASSAY_JOSE_OK);
        copy[at] = room[at];
        assert_int_not_equal(
            fault_of(assay_slice_of(copy, at), EVERY, ASSAY_SLICE("at+jwt"), &ours), ASSAY_JOSE_OK);
    }
    for (size_t i = 0; i < sizeof(others) - 1; i++) {
        copy[len] = others[i];
        assert_int_not_equal(
            fault_of(assay_slice_of(copy, len + 1), EVERY, ASSAY_SLICE("at+jwt"), &ours), 0);
    }
}

/* A-JWT-11, R7515-7.1-1, R8725b-3.14-1: 1, 2, 4, 5 parts; empty parts; a dot at the end. */
static void a_token_has_three_parts(void **state)
{
    (void)state;
    char text[4096];
    struct assay_slice good = sign_with_header("{\"alg\":\"ES256\"}");
    char copy[2048] = {0};
    memcpy(copy, good.data, good.len);
    expect_fault((struct assay_slice){0}, ASSAY_JOSE_PARTS);
    expect_fault(ASSAY_SLICE("."), ASSAY_JOSE_PARTS);
    expect_fault(ASSAY_SLICE(".."), ASSAY_JOSE_PARTS);
    expect_fault(ASSAY_SLICE("..."), ASSAY_JOSE_PARTS);
    expect_fault(ASSAY_SLICE("......"), ASSAY_JOSE_PARTS);
    expect_fault(ASSAY_SLICE("abcd"), ASSAY_JOSE_PARTS);
    snprintf(text, sizeof(text), "%s.", copy);
    expect_fault(assay_slice_of_text(text), ASSAY_JOSE_PARTS);
    snprintf(text, sizeof(text), ".%s", copy);
    expect_fault(assay_slice_of_text(text), ASSAY_JOSE_PARTS);
    snprintf(text, sizeof(text), "%s.a.b", copy);
    expect_fault(assay_slice_of_text(text), ASSAY_JOSE_ENCRYPTED);
    snprintf(text, sizeof(text), " %s", copy);
    expect_fault(assay_slice_of_text(text), ASSAY_JOSE_BASE64URL);
    snprintf(text, sizeof(text), "%s\n", copy);
    expect_fault(assay_slice_of_text(text), ASSAY_JOSE_BASE64URL);
    *strrchr(copy, '.') = 0;
    expect_fault(assay_slice_of_text(copy), ASSAY_JOSE_PARTS);
    snprintf(text, sizeof(text), "%s.", copy); /* without a signature */
    expect_fault(assay_slice_of_text(text), ASSAY_JOSE_SIGNATURE);
}

/* base64url.json, R7515-2-1: as header, payload and signature. */
static void each_part_is_strict_base64url(void **state)
{
    (void)state;
    json_t *vector = vector_open("base64url.json");
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        const char *bad = json_string_value(json_object_get(one, "text"));
        char text[512];
        if (!assay_slice_equal(vector_text(one, "expect"), ASSAY_SLICE("invalid"))) {
            continue;
        }
        snprintf(text, sizeof(text), "%s.e30.AAAA", bad);
        expect_fault(assay_slice_of_text(text), ASSAY_JOSE_BASE64URL);
        snprintf(text, sizeof(text), "eyJhbGciOiJFUzI1NiJ9.%s.AAAA", bad);
        expect_fault(assay_slice_of_text(text), ASSAY_JOSE_BASE64URL);
        snprintf(text, sizeof(text), "eyJhbGciOiJFUzI1NiJ9.e30.%s", bad);
        expect_fault(assay_slice_of_text(text), ASSAY_JOSE_BASE64URL);
    }
    json_decref(vector);
}

/* R7515-4-1, R7515-4.1.1-1, R7515-4.1.11-1, R7519-5.2-1, A-JWT-01, A-JWT-03, A-JWT-04, A-JWT-06:
 * each of them is signed by the right key. */
static void a_header_that_breaks_a_rule_is_refused_for_that_rule(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum assay_jose_fault fault;
    } cases[] = {
        {"{\"alg\":\"ES256\"}", ASSAY_JOSE_OK},
        {"{\"alg\":\"ES256\",\"x\":{\"y\":[1,2.5,null]},\"z\":\"\\u00e4\"}", ASSAY_JOSE_OK},
        {"{\"\\u0061lg\":\"ES256\"}", ASSAY_JOSE_OK},
        {"{}", ASSAY_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"none\"}", ASSAY_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"NoNe\"}", ASSAY_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"\"}", ASSAY_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"es256\"}", ASSAY_JOSE_ALG_UNKNOWN},
        {"{\"alg\":\"ES256 \"}", ASSAY_JOSE_ALG_UNKNOWN},
        {"{\"alg\":256}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":null}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":[\"ES256\"]}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":{\"a\":\"ES256\"}}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":\"ES384\"}", ASSAY_JOSE_KEY_UNFIT},
        {"{\"alg\":\"RS256\"}", ASSAY_JOSE_KEY_UNFIT},
        {"{\"alg\":\"HS256\"}", ASSAY_JOSE_KEY_UNFIT},
        {"{\"alg\":\"EdDSA\"}", ASSAY_JOSE_KEY_UNFIT},
        {"{\"alg\":\"ES256\",\"kid\":null}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":\"ES256\",\"kid\":7}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":\"ES256\",\"typ\":[\"at+jwt\"]}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":\"ES256\",\"cty\":1}", ASSAY_JOSE_MEMBER},
        {"{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", ASSAY_JOSE_CRIT},
        {"{\"alg\":\"ES256\",\"crit\":[]}", ASSAY_JOSE_CRIT},
        {"{\"alg\":\"ES256\",\"crit\":null}", ASSAY_JOSE_CRIT},
        {"{\"alg\":\"ES256\",\"crit\":[\"x\",\"x\"],\"x\":1}", ASSAY_JOSE_CRIT},
        {"{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":true}", ASSAY_JOSE_CRIT},
        {"{\"alg\":\"ES256\",\"zip\":\"DEF\"}", ASSAY_JOSE_COMPRESSED},
        {"{\"alg\":\"ES256\",\"cty\":\"JWT\"}", ASSAY_JOSE_NESTED},
        {"{\"alg\":\"ES256\",\"cty\":\"application/jwt\"}", ASSAY_JOSE_NESTED},
        {"{\"alg\":\"ES256\",\"cty\":\"example\"}", ASSAY_JOSE_OK},
        {"{\"alg\":\"none\",\"alg\":\"ES256\"}", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",\"\\u0061lg\":\"ES256\"}", ASSAY_JOSE_HEADER},
        {"[\"alg\",\"ES256\"]", ASSAY_JOSE_HEADER},
        {"\"alg\"", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\"} ", ASSAY_JOSE_OK},
        {"{\"alg\":\"ES256\"}x", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",}", ASSAY_JOSE_HEADER},
        {"\xEF\xBB\xBF{\"alg\":\"ES256\"}", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",\"kid\":\"\\u0000\"}", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",\"kid\":\"\\ud800\"}", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",\"kid\":\"\xFF\"}", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",\"x\":1e400}", ASSAY_JOSE_HEADER},
        {"{\"alg\":\"ES256\",\"x\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", ASSAY_JOSE_HEADER},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_fault(sign_with_header(cases[i].header), cases[i].fault);
    }
}

/* A-JWT-10, R9068-4-1, R8725-3.11-1: with or without "application/", in any case, nothing else. */
static void the_type_is_what_was_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *typ;
        bool good;
    } cases[] = {
        {"at+jwt", true},
        {"AT+JWT", true},
        {"application/at+jwt", true},
        {"APPLICATION/at+JWT", true},
        {"JWT", false},
        {"", false},
        {"application/", false},
        {"application/application/at+jwt", false},
        {"text/at+jwt", false},
        {"at+jwt;v=1", false},
        {" at+jwt", false},
        {"at jwt", false},
        {"dpop+jwt", false},
        {"secevent+jwt", false},
        {"token-introspection+jwt", false},
        {"statuslist+jwt", false},
        {"client-authentication+jwt", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char header[128];
        snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"%s\"}", cases[i].typ);
        assert_int_equal(fault_of(sign_with_header(header), EVERY, ASSAY_SLICE("at+jwt"), &ours),
                         cases[i].good ? ASSAY_JOSE_OK : ASSAY_JOSE_TYP);
    }
    assert_int_equal(
        fault_of(sign_with_header("{\"alg\":\"ES256\"}"), EVERY, ASSAY_SLICE("at+jwt"), &ours),
        ASSAY_JOSE_TYP);
}

/* A-JWT-05, R7515-4.1.3-1, R8725-3.10-2: what the token brings along is no key. */
static void a_key_in_the_header_is_nobodys(void **state)
{
    (void)state;
    static const char *const brought[] = {"\"jku\":\"https://evil.example.com/jwks.json\"",
                                          "\"x5u\":\"https://evil.example.com/c.pem\"",
                                          "\"x5c\":[\"MIIB\"]"};
    static uint8_t set[1024];
    struct assay_slice text = signed_set_of(&theirs, 1, set, sizeof(set) - 1);
    set[text.len - 2] = 0; /* {"keys":[ ... ]} */
    for (size_t i = 0; i < 4; i++) {
        char header[2048];
        if (i < 3) {
            snprintf(header, sizeof(header), "{\"alg\":\"ES256\",%s}", brought[i]);
        } else {
            snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%s}",
                     (const char *)set + strlen("{\"keys\":["));
        }
        struct assay_slice evil =
            signed_token(theirs.pkey, assay_alg_row(ASSAY_ALG_ES256)->scheme,
                         assay_slice_of_text(header), ASSAY_SLICE("{}"), room, sizeof(room));
        expect_fault(evil, ASSAY_JOSE_SIGNATURE);
        assert_int_equal(fault_of(evil, EVERY, (struct assay_slice){0}, &theirs), ASSAY_JOSE_OK);
        expect_fault(sign_with_header(header), ASSAY_JOSE_OK);
    }
}

/* P-6750-2, R8725-3.10-1: beyond these nothing is decoded. */
static void text_header_and_signature_are_bounded(void **state)
{
    (void)state;
    static uint8_t text[ASSAY_MAX_JWS + 2];
    static const char head[] = "eyJhbGciOiJFUzI1NiJ9.";
    memset(text, 'A', sizeof(text));
    memcpy(text, head, sizeof(head) - 1);
    text[ASSAY_MAX_JWS - 5] = '.';
    expect_fault(assay_slice_of(text, ASSAY_MAX_JWS + 1), ASSAY_JOSE_TOO_LONG);
    expect_fault(assay_slice_of(text, ASSAY_MAX_JWS - 1), ASSAY_JOSE_SIGNATURE);
    memset(text, 'A', sizeof(text));
    memcpy(text, head, sizeof(head) - 1);
    text[30] = '.';
    size_t longest = ASSAY_BASE64URL_LEN(ASSAY_MAX_SIGNATURE);
    expect_fault(assay_slice_of(text, 31 + longest + 1), ASSAY_JOSE_TOO_LONG);
    memset(text, 'A', sizeof(text));
    text[ASSAY_MAX_JOSE_HEADER + 1] = '.';
    text[ASSAY_MAX_JOSE_HEADER + 5] = '.';
    expect_fault(assay_slice_of(text, ASSAY_MAX_JOSE_HEADER + 10), ASSAY_JOSE_TOO_LONG);
}

static void a_spent_arena_is_an_error_and_not_a_fault(void **state)
{
    (void)state;
    static uint8_t little[300];
    struct assay_slice text = sign_with_header("{\"alg\":\"ES256\"}");
    struct assay_jws_expect expect = {.algs = EVERY};
    bool fitted = false;
    for (size_t size = 0; size < sizeof(little); size++) {
        struct assay_arena small;
        enum assay_jose_fault fault;
        assay_arena_init(&small, little, size);
        enum assay_status status = assay_jws_parse(text, &expect, &small, &jws, &fault, &error);
        assert_true(status == ASSAY_OK || status == ASSAY_ERR_LIMIT);
        assert_true(!fitted || status == ASSAY_OK);
        fitted |= status == ASSAY_OK;
        assay_jws_close(&jws);
        assay_arena_release(&small);
    }
    assert_true(fitted);
}

static void what_does_not_fit_is_not_signed(void **state)
{
    (void)state;
    const struct assay_alg *alg = assay_alg_row(ASSAY_ALG_ES256);
    struct assay_signer *signer = NULL;
    struct assay_buf out;
    assert_ok(assay_signer_open(ours.pkey, alg->scheme, &signer, &error), &error);
    for (size_t size = 0; size < 140; size++) {
        struct assay_slice none = {0};
        assay_buf_init(&out, room, size);
        enum assay_status status =
            assay_jws_sign(signer, alg, none, none, ASSAY_SLICE("{}"), &out, &error);
        assert_int_equal(status, out.spent ? ASSAY_ERR_LIMIT : ASSAY_OK);
        assert_int_equal(status == ASSAY_OK, size >= 20 + 1 + 3 + 1 + 86);
    }
    assay_signer_close(signer);
}

int main(void)
{
#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_ARENA(the_examples_of_the_rfcs_verify),
        WITH_ARENA(the_counterexamples_of_rfc_7515_are_refused),
        WITH_ARENA(an_unencoded_payload_is_refused),
        WITH_ARENA(an_encrypted_token_is_refused_and_said_to_be_one),
        WITH_ARENA(deterministic_signatures_are_those_of_the_rfcs),
        WITH_ARENA(what_is_signed_with_each_algorithm_verifies),
        WITH_ARENA(no_other_text_is_the_same_token),
        WITH_ARENA(a_token_has_three_parts),
        WITH_ARENA(each_part_is_strict_base64url),
        WITH_ARENA(a_header_that_breaks_a_rule_is_refused_for_that_rule),
        WITH_ARENA(the_type_is_what_was_asked_for),
        WITH_ARENA(a_key_in_the_header_is_nobodys),
        WITH_ARENA(text_header_and_signature_are_bounded),
        WITH_ARENA(a_spent_arena_is_an_error_and_not_a_fault),
        WITH_ARENA(what_does_not_fit_is_not_signed),
    };
    return cmocka_run_group_tests(tests, make_keys, close_keys);
}
