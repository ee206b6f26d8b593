#include "guard/assertion.h"

#include "jose/jwt.h"
#include "support/check.h"

#define NOW_S INT64_C(1700000000)
#define ISSUER ASSAY_SLICE("https://as.example.com")

/* The key of RFC 7515 appendix A.3. */
#define PUBLIC                                                                                     \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"g1\",\"alg\":\"ES256\""
#define PRIVATE PUBLIC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\""

static uint8_t key_memory[ASSAY_ASSERTION_ARENA];
static struct assay_arena key_arena;
static struct assay_assertion_key key;
static struct assay_error error;

static enum assay_status open_key(const char *text)
{
    assay_arena_init(&key_arena, key_memory, sizeof(key_memory));
    error = (struct assay_error){0};
    return assay_assertion_open(assay_slice_of_text(text), &key_arena, &key, &error);
}

static void close_key(void)
{
    assay_assertion_close(&key);
    assay_arena_release(&key_arena);
}

static void what_is_no_key_to_sign_with_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{" PUBLIC "}", "{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}",
        "{" PRIVATE ",\"use\":\"enc\"}", "{" PRIVATE ",\"key_ops\":[\"verify\"]}", "{" PRIVATE "}x",
        "-----BEGIN PRIVATE KEY-----",
        /* without alg */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
        "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (open_key(bad[i]) == ASSAY_OK) {
            fail_msg("%s", bad[i]);
        }
        assert_non_null(error.what);
        assert_null(key.signer);
        assay_arena_release(&key_arena);
    }
}

static struct assay_slice write_one(struct assay_buf *out, uint8_t *room, size_t size)
{
    assay_buf_init(out, room, size);
    assert_ok(assay_assertion_write(&key, ASSAY_SLICE("gate \"way\""), ISSUER, NOW_S, out, &error),
              &error);
    return assay_buf_slice(out);
}

/* R7523-2.2-1 R7523b-2 R7523b-4 */
static void it_is_signed_for_the_issuer_alone(void **state)
{
    static uint8_t set_memory[ASSAY_JWKS_ARENA];
    static uint8_t memory[16384];
    uint8_t room[2][ASSAY_MAX_ASSERTION];
    struct assay_buf out[2];
    struct assay_arena set_arena;
    struct assay_arena arena;
    struct assay_jwks set;
    struct assay_jwt jwt[2];
    enum assay_jose_fault fault = ASSAY_JOSE_OK;
    struct assay_jwt_expect expect = {
        .jws = {.algs = ASSAY_ALG_BIT(ASSAY_ALG_ES256),
                .typ = ASSAY_SLICE("client-authentication+jwt")},
        .required = ASSAY_JWT_ISS | ASSAY_JWT_SUB | ASSAY_JWT_AUD | ASSAY_JWT_EXP | ASSAY_JWT_IAT |
                    ASSAY_JWT_JTI,
        .issuer = ASSAY_SLICE("gate \"way\""),
        .audience = ISSUER,
    };
    (void)state;
    assert_ok(open_key("{" PRIVATE "}"), &error);
    assay_arena_init(&set_arena, set_memory, sizeof(set_memory));
    assay_arena_init(&arena, memory, sizeof(memory));
    assert_ok(assay_jwks_read(ASSAY_SLICE("{\"keys\":[{" PUBLIC "}]}"), &set_arena, &set, &error),
              &error);
    for (int i = 0; i < 2; i++) {
        assert_ok(assay_jwt_verify(write_one(&out[i], room[i], sizeof(room[i])), &set, &expect,
                                   NOW_S, &arena, &jwt[i], &fault, &error),
                  &error);
        assert_int_equal(fault, ASSAY_JOSE_OK);
        assert_slice_equal(jwt[i].claims.subject, expect.issuer);
        assert_slice_equal(jwt[i].claims.audience, ISSUER);
        assert_int_equal(jwt[i].claims.expires_at_s, NOW_S + ASSAY_ASSERTION_LIFE_S);
    }
    assert_false(assay_slice_equal(jwt[0].claims.jti, jwt[1].claims.jti));
    assay_jwt_close(&jwt[0]);
    assay_jwt_close(&jwt[1]);
    assay_jwks_close(&set);
    assay_arena_release(&arena);
    assay_arena_release(&set_arena);
    close_key();
}

static void without_room_there_is_none(void **state)
{
    uint8_t room[64];
    struct assay_buf out;
    (void)state;
    assert_ok(open_key("{" PRIVATE "}"), &error);
    assay_buf_init(&out, room, sizeof(room));
    assert_int_equal(
        assay_assertion_write(&key, ASSAY_SLICE("gateway"), ISSUER, NOW_S, &out, &error),
        ASSAY_ERR_LIMIT);
    close_key();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_key_to_sign_with_is_refused),
        cmocka_unit_test(it_is_signed_for_the_issuer_alone),
        cmocka_unit_test(without_room_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
