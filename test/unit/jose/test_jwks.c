#include "jose/jwks.h"

#include "base/limits.h"
#include "support/check.h"

#include <stdio.h>

#define EC1                                                                                        \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC2                                                                                        \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","      \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define ED                                                                                         \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""

static uint8_t memory[ASSAY_JWKS_ARENA];
static struct assay_arena arena;
static struct assay_error error;
static struct assay_jwks set;

static int set_up(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assay_jwks_close(&set);
    assay_arena_release(&arena);
    return 0;
}

static void take(struct assay_slice text)
{
    assert_ok(assay_jwks_read(text, &arena, &set, &error), &error);
}

/* What was read before stays as it was. */
static void refuse(struct assay_slice text, enum assay_status expected)
{
    struct assay_jwks other = {.count = 7, .ignored = 8};
    error = (struct assay_error){0};
    assert_int_equal(assay_jwks_read(text, &arena, &other, &error), expected);
    assert_int_equal(other.count, 7);
    assert_int_equal(other.ignored, 8);
    assert_non_null(error.what);
    assay_arena_clear(&arena);
}

static enum assay_jose_fault find(struct assay_slice kid, enum assay_alg_id id)
{
    struct assay_jwk *key = NULL;
    enum assay_jose_fault fault = assay_jwks_find(&set, kid, assay_alg_row(id), &key);
    assert_true((fault == ASSAY_JOSE_OK) == (key != NULL));
    return fault;
}

/* R7517-4.5-1: exact, case-sensitive; R7517-5-1. */
static void a_key_is_found_by_its_kid_and_algorithm(void **state)
{
    (void)state;
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"},{" EC2
                     "}],\"other\":1}"));
    assert_int_equal(set.count, 3);
    assert_int_equal(find(ASSAY_SLICE("a"), ASSAY_ALG_ES256), ASSAY_JOSE_OK);
    assert_int_equal(find(ASSAY_SLICE("b"), ASSAY_ALG_EDDSA), ASSAY_JOSE_OK);
    assert_int_equal(find(ASSAY_SLICE("b"), ASSAY_ALG_ED25519), ASSAY_JOSE_OK);
    assert_int_equal(find(ASSAY_SLICE("A"), ASSAY_ALG_ES256), ASSAY_JOSE_KEY_UNKNOWN);
    assert_int_equal(find(ASSAY_SLICE("a "), ASSAY_ALG_ES256), ASSAY_JOSE_KEY_UNKNOWN);
    assert_int_equal(find(ASSAY_SLICE(""), ASSAY_ALG_ES256), ASSAY_JOSE_KEY_UNKNOWN);
    assert_int_equal(find(ASSAY_SLICE("a"), ASSAY_ALG_RS256), ASSAY_JOSE_KEY_UNFIT);
    assert_int_equal(find(ASSAY_SLICE("b"), ASSAY_ALG_ES256), ASSAY_JOSE_KEY_UNFIT);
    assert_int_equal(find(ASSAY_SLICE("a"), ASSAY_ALG_HS256), ASSAY_JOSE_KEY_UNFIT);
}

/* Without a kid only a key that is the only one to fit can be meant. */
static void without_a_kid_the_only_key_that_fits_is_found(void **state)
{
    (void)state;
    struct assay_slice none = {0};
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"}]}"));
    assert_int_equal(find(none, ASSAY_ALG_ES256), ASSAY_JOSE_OK);
    assert_int_equal(find(none, ASSAY_ALG_EDDSA), ASSAY_JOSE_OK);
    assert_int_equal(find(none, ASSAY_ALG_RS256), ASSAY_JOSE_KEY_UNKNOWN);
    assert_int_equal(find(none, ASSAY_ALG_HS256), ASSAY_JOSE_KEY_UNKNOWN);
    assay_jwks_close(&set);
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC2 ",\"kid\":\"b\"}]}"));
    assert_int_equal(find(none, ASSAY_ALG_ES256), ASSAY_JOSE_KEY_AMBIGUOUS);
    assay_jwks_close(&set);
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC1 ",\"kid\":\"b\"}]}"));
    assert_int_equal(find(none, ASSAY_ALG_ES256), ASSAY_JOSE_OK);
}

/* A-JWK-02, P-7517-2. */
static void different_keys_with_one_kid_are_both_unused(void **state)
{
    (void)state;
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" ED ",\"kid\":\"b\"},{" EC2
                     ",\"kid\":\"a\"},{" EC1 ",\"kid\":\"a\"}]}"));
    assert_int_equal(set.count, 1);
    assert_int_equal(set.ignored, 3);
    assert_string_equal(set.ignored_of, "two keys have the same kid");
    assert_int_equal(find(ASSAY_SLICE("a"), ASSAY_ALG_ES256), ASSAY_JOSE_KEY_UNKNOWN);
    assert_int_equal(find((struct assay_slice){0}, ASSAY_ALG_ES256), ASSAY_JOSE_KEY_UNKNOWN);
    assert_int_equal(find(ASSAY_SLICE("b"), ASSAY_ALG_EDDSA), ASSAY_JOSE_OK);
}

static void the_same_key_twice_is_fine(void **state)
{
    (void)state;
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC1
                     ",\"kid\":\"a\",\"use\":\"sig\"}]}"));
    assert_int_equal(set.ignored, 0);
    assert_int_equal(find(ASSAY_SLICE("a"), ASSAY_ALG_ES256), ASSAY_JOSE_OK);
}

/* A-JWK-03, A-JWK-04, A-JWK-05, R7517-5-1. */
static void a_bad_key_is_ignored_and_the_others_work(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{}",
        "1",
        "null",
        "[]",
        "\"x\"",
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T\",\"kid\":\"a\"}",
        "{\"kty\":\"XYZ\",\"kid\":\"a\"}",
        "{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"kid\":\"a\"}",
        "{" EC2 ",\"kid\":\"a\",\"d\":\"AAAA\"}",
        "{" EC2 ",\"kid\":\"a\",\"use\":\"enc\"}",
        "{" EC2 ",\"kid\":\"a\",\"key_ops\":[\"sign\"]}",
        "{" EC2 ",\"kid\":\"a\",\"alg\":\"RS256\"}",
        "{" EC2 ",\"kid\":1}",
    };
    char text[2048];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (int first = 0; first < 2; first++) {
            snprintf(text, sizeof(text), "{\"keys\":[%s%s{" EC1 ",\"kid\":\"a\"}%s%s]}",
                     first == 1 ? bad[i] : "", first == 1 ? "," : "", first == 0 ? "," : "",
                     first == 0 ? bad[i] : "");
            take(assay_slice_of_text(text));
            assert_int_equal(set.count, 1);
            assert_int_equal(set.ignored, 1);
            assert_non_null(set.ignored_of);
            assert_int_equal(find(ASSAY_SLICE("a"), ASSAY_ALG_ES256), ASSAY_JOSE_OK);
            assay_jwks_close(&set);
            assay_arena_clear(&arena);
        }
    }
}

/* A-JWK-06: none of these replaces a good set. */
static void what_is_no_key_set_leaves_the_last_one(void **state)
{
    (void)state;
    refuse(ASSAY_SLICE("{}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("[]"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE(""), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("<html><body>200</body></html>"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"keys\":[{" EC1 "}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"keys\":{}}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"keys\":null}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"keys\":[],\"keys\":[{" EC1 "}]}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"keys\":[{" EC1 "}]} x"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"keys\":[]}"), ASSAY_ERR_ABSENT);
    refuse(ASSAY_SLICE("{\"keys\":[{\"kty\":\"XYZ\"}]}"), ASSAY_ERR_ABSENT);
    refuse(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\"},{" EC2 ",\"kid\":\"a\"}]}"),
           ASSAY_ERR_ABSENT);
}

/* A-JWK-01: 10 MB, 10,000 keys, a depth of 1,000. */
static void a_set_is_bounded_in_bytes_keys_and_depth(void **state)
{
    (void)state;
    static char text[ASSAY_MAX_JWKS + 2];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\"keys\":[{" EC1 "}]}");
    memset(text + len, ' ', sizeof(text) - len);
    take(assay_slice_of(text, ASSAY_MAX_JWKS));
    assay_jwks_close(&set);
    refuse(assay_slice_of(text, ASSAY_MAX_JWKS + 1), ASSAY_ERR_LIMIT);
    for (size_t count = ASSAY_MAX_JWKS_KEYS; count <= ASSAY_MAX_JWKS_KEYS + 1; count++) {
        len = (size_t)snprintf(text, sizeof(text), "{\"keys\":[{" EC1 "}");
        for (size_t i = 1; i < count; i++) {
            len += (size_t)snprintf(text + len, sizeof(text) - len, ",{}");
        }
        len += (size_t)snprintf(text + len, sizeof(text) - len, "]}");
        if (count == ASSAY_MAX_JWKS_KEYS) {
            take(assay_slice_of(text, len));
            assert_int_equal(set.ignored, ASSAY_MAX_JWKS_KEYS - 1);
            assay_jwks_close(&set);
        } else {
            refuse(assay_slice_of(text, len), ASSAY_ERR_LIMIT);
        }
    }
    memset(text, '[', 1000);
    refuse(assay_slice_of(text, 1000), ASSAY_ERR_LIMIT);
}

/* The arena that jwks.h names is enough for the largest set, and a smaller one is an error. */
static void a_set_of_100_keys_fits_its_arena(void **state)
{
    (void)state;
    static char text[ASSAY_MAX_JWKS];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\"keys\":[");
    for (int i = 0; i < ASSAY_MAX_JWKS_KEYS; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s{" EC1 ",\"kid\":\"%0256d\"}",
                                i == 0 ? "" : ",", i);
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "]}");
    take(assay_slice_of(text, len));
    assert_int_equal(set.count, ASSAY_MAX_JWKS_KEYS);
    assay_jwks_close(&set);
    static uint8_t little[20000];
    for (size_t size = 0; size <= sizeof(little); size += 5000) {
        struct assay_arena small;
        assay_arena_init(&small, little, size);
        assert_int_equal(assay_jwks_read(assay_slice_of(text, len), &small, &set, &error),
                         ASSAY_ERR_LIMIT);
        assay_arena_release(&small);
    }
}

static void a_set_is_written_as_it_is_read(void **state)
{
    (void)state;
    static uint8_t room[4096];
    struct assay_buf out;
    struct assay_json_writer w;
    take(ASSAY_SLICE("{\"keys\":[{" EC1 ",\"kid\":\"a\",\"alg\":\"ES256\"},{" ED "}]}"));
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_jwks_write(set.keys, set.count, &w);
    assay_jwks_close(&set);
    take(assay_buf_slice(&out));
    assert_int_equal(set.count, 2);
    assert_int_equal(set.ignored, 0);
    assert_ptr_equal(set.keys[0].alg, assay_alg_row(ASSAY_ALG_ES256));
    assert_slice_equal(set.keys[0].kid, ASSAY_SLICE("a"));
    assert_null(set.keys[1].kid.data);
}

int main(void)
{
#define WITH_SET(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_SET(a_key_is_found_by_its_kid_and_algorithm),
        WITH_SET(without_a_kid_the_only_key_that_fits_is_found),
        WITH_SET(different_keys_with_one_kid_are_both_unused),
        WITH_SET(the_same_key_twice_is_fine),
        WITH_SET(a_bad_key_is_ignored_and_the_others_work),
        WITH_SET(what_is_no_key_set_leaves_the_last_one),
        WITH_SET(a_set_is_bounded_in_bytes_keys_and_depth),
        WITH_SET(a_set_of_100_keys_fits_its_arena),
        WITH_SET(a_set_is_written_as_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
