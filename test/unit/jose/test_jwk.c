#include "jose/jwk.h"

#include "base/base64url.h"
#include "support/check.h"
#include "support/keys.h"
#include "support/signed.h"
#include "support/vector.h"

#include <stdio.h>

static uint8_t memory[65536];
static struct assay_arena arena;
static struct assay_digester *digester;
static struct assay_error error;

static int set_up(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    return assay_digester_open(&digester, &error) == ASSAY_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    assay_digester_close(digester);
    assay_arena_release(&arena);
    return 0;
}

static enum assay_status read_text(const char *text, bool published, struct assay_jwk *ret)
{
    struct assay_json *json = NULL;
    error = (struct assay_error){0};
    assert_ok(assay_json_open(assay_slice_of_text(text), 8, &json, &error), &error);
    enum assay_status status =
        published ? assay_jwk_read(assay_json_root(json), &arena, ret, &error)
                  : assay_jwk_read_private(assay_json_root(json), &arena, ret, &error);
    assay_json_close(json);
    assert_true((status == ASSAY_OK) == (error.what == NULL));
    return status;
}

#define X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define ED "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\""

static void take(const char *text, struct assay_jwk *ret)
{
    assert_ok(read_text(text, true, ret), &error);
}

static void refuse(const char *text)
{
    struct assay_jwk jwk = {0};
    if (read_text(text, true, &jwk) != ASSAY_ERR_SYNTAX) {
        fail_msg("taken: %s", text);
    }
}

/* R7638-3-1: RFC 7638 section 3.1, RFC 8037 appendix A.3: jwk-thumbprint.json. */
static void thumbprints_are_those_of_the_rfcs(void **state)
{
    (void)state;
    json_t *vector = vector_open("jwk-thumbprint.json");
    size_t index;
    json_t *one;
    json_array_foreach(json_object_get(vector, "cases"), index, one)
    {
        struct assay_jwk jwk = {0};
        uint8_t hash[ASSAY_SHA256_LEN];
        uint8_t text[ASSAY_BASE64URL_LEN(ASSAY_SHA256_LEN)];
        signed_read_key(json_object_get(one, "jwk"), &arena, &jwk);
        assert_ok(assay_jwk_thumbprint(&jwk, digester, hash, &error), &error);
        assay_base64url_encode(assay_slice_of(hash, sizeof(hash)), text);
        assert_slice_equal(assay_slice_of(text, sizeof(text)), vector_text(one, "sha256_b64u"));
        assay_jwk_close(&jwk);
    }
    assert_int_equal(index, 4);
    json_decref(vector);
}

/* RFC 8037 appendix A.1 and A.2: a private key is its public half, and something more. */
static void a_private_key_has_the_thumbprint_of_its_public_half(void **state)
{
    (void)state;
    json_t *vector = vector_open("jws-rfc8037.json");
    json_t *cases = json_object_get(vector, "cases");
    uint8_t hashes[2][ASSAY_SHA256_LEN];
    for (size_t i = 0; i < 2; i++) {
        struct assay_jwk jwk = {0};
        signed_read_key(json_object_get(json_array_get(cases, i), "jwk"), &arena, &jwk);
        assert_int_equal(jwk.is_for_signing, i == 0);
        assert_true(jwk.is_for_verifying);
        assert_ok(assay_jwk_thumbprint(&jwk, digester, hashes[i], &error), &error);
        assay_jwk_close(&jwk);
    }
    assert_memory_equal(hashes[0], hashes[1], sizeof(hashes[0]));
    json_decref(vector);
}

static void what_is_written_is_read_as_the_same_key(void **state)
{
    (void)state;
    static struct key_numbers numbers;
    for (int kind = 0; kind < ASSAY_PKEY_SECRET; kind++) {
        keys_make((enum assay_pkey_kind)kind, &numbers);
        struct assay_jwk jwk = {.pkey = keys_open_private(&numbers),
                                .kid = ASSAY_SLICE("k\"1"),
                                .is_for_verifying = true,
                                .is_for_signing = true};
        struct assay_jwk read = {0};
        char room[4096];
        struct assay_buf out;
        struct assay_json_writer w;
        assay_buf_init(&out, room, sizeof(room) - 1);
        assay_json_init(&w, &out);
        assay_jwk_write(&jwk, &w);
        assert_false(out.spent);
        room[out.len] = 0;
        take(room, &read); /* which refuses whatever is private */
        assert_true(assay_pkey_equal(jwk.pkey, read.pkey));
        assert_slice_equal(read.kid, ASSAY_SLICE("k\"1"));
        assert_true(read.is_for_verifying && !read.is_for_signing);
        assay_jwk_close(&jwk);
        assay_jwk_close(&read);
    }
}

static void members_that_nobody_knows_are_ignored(void **state)
{
    (void)state;
    struct assay_jwk jwk = {0};
    take("{" EC ",\"x5c\":[\"AAAA\"],\"x5u\":\"https://evil\",\"nbf\":1,\"ext\":true,\"foo\":{}}",
         &jwk);
    assert_null(jwk.kid.data);
    assert_null(jwk.alg);
    assay_jwk_close(&jwk);
}

/* A-JWK-03, P-7517-2: oct; private members; members of the wrong type. */
static void a_published_key_with_anything_private_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    static const char *const values[] = {"\"AAAA\"", "\"\"", "1", "null", "[]"};
    char text[512];
    refuse("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\"}");
    refuse("{\"kty\":\"oct\"}");
    refuse("{" EC ",\"d\":\"" D "\"}");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
            snprintf(text, sizeof(text), "{" EC ",\"%s\":%s}", names[i], values[j]);
            refuse(text);
        }
    }
}

static void a_key_of_an_unknown_kind_is_refused(void **state)
{
    (void)state;
    refuse("{}");
    refuse("{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}");
    refuse("{\"kty\":\"EC\",\"x\":\"" X "\",\"y\":\"" Y "\"}");
    refuse("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" X "\",\"y\":\"" Y "\"}");
    refuse("{\"kty\":\"EC\",\"crv\":\"p-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}");
    refuse("{\"kty\":\"EC\",\"crv\":[\"P-256\"],\"x\":\"" X "\",\"y\":\"" Y "\"}");
    refuse("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" ED "\"}");
    refuse("{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" Y "\"}");
    refuse("{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AAAA\"}");
    refuse("{\"kty\":1}");
    refuse("{\"kty\":null}");
}

/* R7515-2-1, P-7515-1, A-JWK-03, A-JWK-04: padding, another alphabet, spare bits, lengths, types.
 */
static void a_number_is_strict_base64url_of_its_width(void **state)
{
    (void)state;
    static const char *const xs[] = {
        "\"" X "=\"",
        "\"" X " \"",
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV\"",  /* spare bits */
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA\"",   /* a byte short */
        "\"AH_Nzidw9sRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF\"", /* behind a zero */
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEQ\"",  /* off the curve */
        "\"\"",
        "1",
        "null",
        "[\"" X "\"]",
    };
    char text[512];
    for (size_t i = 0; i < sizeof(xs) / sizeof(xs[0]); i++) {
        snprintf(text, sizeof(text), "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":%s,\"y\":\"" Y "\"}",
                 xs[i]);
        refuse(text);
    }
    refuse("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\"}");
    refuse("{\"kty\":\"RSA\",\"e\":\"AQAB\"}");
    refuse("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}");
}

/* A-JWK-04: 1024 bits (RFC 7515 has none of those; the modulus is 2^1024 - 1). */
static void a_weak_rsa_key_is_refused(void **state)
{
    (void)state;
    char text[4096];
    uint8_t n[1100];
    char encoded[1500];
    static const size_t lens[] = {128, 255, 1025};
    memset(n, 0xFF, sizeof(n));
    for (size_t i = 0; i < 3; i++) {
        assay_base64url_encode(assay_slice_of(n, lens[i]), (uint8_t *)encoded);
        encoded[ASSAY_BASE64URL_LEN(lens[i])] = 0;
        snprintf(text, sizeof(text), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}", encoded);
        refuse(text);
    }
    assay_base64url_encode(assay_slice_of(n, 256), (uint8_t *)encoded);
    encoded[ASSAY_BASE64URL_LEN(256)] = 0;
    static const char *const es[] = {"AA", "AQ", "Ag", "AQAA", "AQAAAAAAAAAB", "AAEAAQ", ""};
    for (size_t i = 0; i < sizeof(es) / sizeof(es[0]); i++) {
        snprintf(text, sizeof(text), "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", encoded, es[i]);
        refuse(text);
    }
}

/* A-JWK-05, R7517-4.2-1, R7517-4.4-1. */
static void a_key_is_for_what_it_says(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        bool verifies;
    } cases[] = {
        {"", true},
        {",\"use\":\"sig\"", true},
        {",\"use\":\"enc\"", false},
        {",\"use\":\"SIG\"", false},
        {",\"use\":\"\"", false},
        {",\"key_ops\":[\"verify\"]", true},
        {",\"key_ops\":[\"sign\",\"verify\"]", true},
        {",\"key_ops\":[\"sign\"]", false},
        {",\"key_ops\":[]", false},
        {",\"key_ops\":[\"deriveKey\"]", false},
        {",\"use\":\"enc\",\"key_ops\":[\"verify\"]", false},
        {",\"use\":\"sig\",\"key_ops\":[\"encrypt\"]", false},
    };
    char text[512];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_jwk jwk = {0};
        snprintf(text, sizeof(text), "{" EC "%s}", cases[i].members);
        take(text, &jwk);
        assert_int_equal(jwk.is_for_verifying, cases[i].verifies);
        assert_int_equal(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_ES256)), cases[i].verifies);
        assert_false(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_ES512)));
        assert_false(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_HS256)));
        assert_false(jwk.is_for_signing);
        assay_jwk_close(&jwk);
    }
    refuse("{" EC ",\"use\":1}");
    refuse("{" EC ",\"key_ops\":\"verify\"}");
    refuse("{" EC ",\"key_ops\":[\"verify\",\"verify\"]}");
    refuse("{" EC ",\"key_ops\":[1]}");
    refuse("{" EC ",\"key_ops\":{}}");
    refuse("{" EC
           ",\"key_ops\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\","
           "\"m\",\"n\",\"o\",\"p\",\"q\"]}");
}

static void a_key_with_an_algorithm_takes_no_other(void **state)
{
    (void)state;
    struct assay_jwk jwk = {0};
    take("{" EC ",\"alg\":\"ES256\"}", &jwk);
    assert_ptr_equal(jwk.alg, assay_alg_row(ASSAY_ALG_ES256));
    assay_jwk_close(&jwk);
    refuse("{" EC ",\"alg\":\"ES512\"}");
    refuse("{" EC ",\"alg\":\"RS256\"}");
    refuse("{" EC ",\"alg\":\"HS256\"}");
    refuse("{" EC ",\"alg\":\"none\"}");
    refuse("{" EC ",\"alg\":\"ECDH-ES\"}");
    refuse("{" EC ",\"alg\":\"\"}");
    refuse("{" EC ",\"alg\":null}");
    take("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED "\",\"alg\":\"EdDSA\"}", &jwk);
    assert_true(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_ED25519)));
    assert_false(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_ED448)));
    assay_jwk_close(&jwk);
    take("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED "\",\"alg\":\"Ed25519\"}", &jwk);
    assert_true(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_EDDSA)));
    assay_jwk_close(&jwk);
    refuse("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" ED "\",\"alg\":\"Ed448\"}");
}

/* R8725-3.10-1: bounded, and bytes like any other. */
static void a_kid_is_any_string_of_at_most_256_bytes(void **state)
{
    (void)state;
    char kid[300];
    char text[1024];
    struct assay_jwk jwk = {0};
    take("{" EC ",\"kid\":\"\"}", &jwk);
    assert_non_null(jwk.kid.data);
    assert_int_equal(jwk.kid.len, 0);
    assay_jwk_close(&jwk);
    take("{" EC ",\"kid\":\"../../etc/passwd' OR 1=1--%n%s\"}", &jwk);
    assert_slice_equal(jwk.kid, ASSAY_SLICE("../../etc/passwd' OR 1=1--%n%s"));
    assay_jwk_close(&jwk);
    memset(kid, 'k', sizeof(kid));
    kid[256] = 0;
    snprintf(text, sizeof(text), "{" EC ",\"kid\":\"%s\"}", kid);
    take(text, &jwk);
    assay_jwk_close(&jwk);
    kid[256] = 'k';
    kid[257] = 0;
    snprintf(text, sizeof(text), "{" EC ",\"kid\":\"%s\"}", kid);
    refuse(text);
    refuse("{" EC ",\"kid\":1}");
    refuse("{" EC ",\"kid\":null}");
    refuse("{" EC ",\"kid\":[\"a\"]}");
}

static void a_key_of_ours_may_be_private(void **state)
{
    (void)state;
    struct assay_jwk jwk = {0};
    assert_ok(read_text("{" EC ",\"d\":\"" D "\"}", false, &jwk), &error);
    assert_true(jwk.is_for_signing && assay_pkey_is_private(jwk.pkey));
    assay_jwk_close(&jwk);
    assert_ok(read_text("{" EC "}", false, &jwk), &error);
    assert_false(jwk.is_for_signing);
    assay_jwk_close(&jwk);
    assert_ok(read_text("{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}", false, &jwk), &error);
    assert_true(assay_jwk_fits(&jwk, assay_alg_row(ASSAY_ALG_HS256)));
    /* RFC 7518 section 3.2: but three bytes are no secret for HS256. */
    bool good = false;
    assert_int_equal(
        assay_jwk_verify(&jwk, jwk.alg, ASSAY_SLICE("m"), ASSAY_SLICE("s"), &good, &error),
        ASSAY_ERR_SYNTAX);
    assert_false(good);
    assay_jwk_close(&jwk);
    assert_int_equal(read_text("{" EC ",\"d\":\"" X "\"}", false, &jwk), ASSAY_ERR_SYNTAX);
    assert_int_equal(read_text("{" EC ",\"d\":1}", false, &jwk), ASSAY_ERR_SYNTAX);
}

static void a_value_that_is_no_object_is_no_key(void **state)
{
    (void)state;
    struct assay_json *json = NULL;
    struct assay_jwk jwk = {0};
    assert_ok(assay_json_open(ASSAY_SLICE("{\"a\":[1,\"x\",null,[],true]}"), 8, &json, &error),
              &error);
    const struct assay_json_value *array =
        assay_json_value_member(assay_json_root(json), ASSAY_SLICE("a"));
    for (size_t i = 0; i < 6; i++) { /* and one behind the end */
        assert_int_equal(assay_jwk_read(assay_json_value_item(array, i), &arena, &jwk, &error),
                         ASSAY_ERR_SYNTAX);
    }
    assay_json_close(json);
}

static void a_spent_arena_is_an_error(void **state)
{
    (void)state;
    uint8_t little[4];
    struct assay_arena small;
    struct assay_json *json = NULL;
    struct assay_jwk jwk = {0};
    assay_arena_init(&small, little, sizeof(little));
    assert_ok(assay_json_open(ASSAY_SLICE("{" EC ",\"kid\":\"12345\"}"), 8, &json, &error), &error);
    assert_int_equal(assay_jwk_read(assay_json_root(json), &small, &jwk, &error), ASSAY_ERR_LIMIT);
    assay_json_close(json);
    assay_arena_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thumbprints_are_those_of_the_rfcs),
        cmocka_unit_test(a_private_key_has_the_thumbprint_of_its_public_half),
        cmocka_unit_test(what_is_written_is_read_as_the_same_key),
        cmocka_unit_test(members_that_nobody_knows_are_ignored),
        cmocka_unit_test(a_published_key_with_anything_private_is_refused),
        cmocka_unit_test(a_key_of_an_unknown_kind_is_refused),
        cmocka_unit_test(a_number_is_strict_base64url_of_its_width),
        cmocka_unit_test(a_weak_rsa_key_is_refused),
        cmocka_unit_test(a_key_is_for_what_it_says),
        cmocka_unit_test(a_key_with_an_algorithm_takes_no_other),
        cmocka_unit_test(a_kid_is_any_string_of_at_most_256_bytes),
        cmocka_unit_test(a_key_of_ours_may_be_private),
        cmocka_unit_test(a_value_that_is_no_object_is_no_key),
        cmocka_unit_test(a_spent_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
