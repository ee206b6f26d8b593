/* Each allocation of OpenSSL and of jansson is failed in turn: then the code could not work, which
 * is an error, and never a decision about a key or a token. */
#include "jose/jwt.h"

#include "support/check.h"
#include "support/keys.h"
#include "support/signed.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include <jansson.h>

#define NOW_S 1700000000
#define KEYS 6 /* of each public kind */

/* --- memory that fails when told to --- */

static long openssl_left = -1; /* allocations until one fails; below 0: none does */
static long jansson_left = -1;
static bool failed;

static bool fails(long *left)
{
    if (*left < 0) {
        return false;
    }
    bool now = *left == 0;
    failed |= now;
    *left -= 1;
    return now;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails(&openssl_left) ? NULL : malloc(size);
}

static void *openssl_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0) {
        free(at);
        return NULL;
    }
    return fails(&openssl_left) ? NULL : realloc(at, size);
}

static void openssl_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

static void *jansson_malloc(size_t size)
{
    return fails(&jansson_left) ? NULL : malloc(size);
}

/* --- a set, and a token by each of its keys --- */

static const enum assay_alg_id algs[KEYS] = {ASSAY_ALG_PS256, ASSAY_ALG_ES256, ASSAY_ALG_ES384,
                                             ASSAY_ALG_ES512, ASSAY_ALG_EDDSA, ASSAY_ALG_ED448};
static uint8_t set_memory[ASSAY_JWKS_ARENA];
static uint8_t memory[1 << 15];
static uint8_t set_room[1 << 14];
static uint8_t token_rooms[KEYS][4096];
static struct assay_slice set_text;
static struct assay_slice tokens[KEYS];

static const char *const kids[KEYS] = {"0", "1", "2", "3", "4", "5"};

static int make_all(void **state)
{
    (void)state;
    static struct key_numbers numbers;
    struct assay_jwk keys[KEYS] = {{0}};
    for (int i = 0; i < KEYS; i++) {
        char header[64] = "{\"alg\":\"";
        const struct assay_alg *alg = assay_alg_row(algs[i]);
        keys_make((enum assay_pkey_kind)i, &numbers);
        keys[i] = (struct assay_jwk){.pkey = keys_open_private(&numbers),
                                     .kid = assay_slice_of_text(kids[i]),
                                     .is_for_verifying = true};
        strncat(header, (const char *)alg->name.data, alg->name.len);
        strcat(header, "\",\"kid\":\"");
        strcat(header, kids[i]);
        strcat(header, "\",\"x\":-1}"); /* not plain, so that jansson has work */
        tokens[i] = signed_token(
            keys[i].pkey, alg->scheme, assay_slice_of_text(header),
            ASSAY_SLICE("{\"iss\":\"i\",\"exp\":1700000300,\"aud\":[\"a\",\"b\"],\"x\":-1}"),
            token_rooms[i], sizeof(token_rooms[i]));
    }
    set_text = signed_set_of(keys, KEYS, set_room, sizeof(set_room));
    for (int i = 0; i < KEYS; i++) {
        assay_jwk_close(&keys[i]);
    }
    return 0;
}

static enum assay_status read_set(struct assay_arena *arena, struct assay_jwks *set)
{
    struct assay_error error = {0};
    assay_arena_init(arena, set_memory, sizeof(set_memory));
    return assay_jwks_read(set_text, arena, set, &error);
}

static enum assay_status verify(const struct assay_jwks *set, struct assay_slice token,
                                enum assay_jose_fault *ret_fault)
{
    struct assay_arena arena;
    struct assay_jwt jwt;
    struct assay_error error = {0};
    struct assay_jwt_expect expect = {.jws = {.algs = ASSAY_ALGS_PUBLIC},
                                      .required = ASSAY_JWT_ISS | ASSAY_JWT_EXP,
                                      .issuer = ASSAY_SLICE("i"),
                                      .audience = ASSAY_SLICE("b")};
    assay_arena_init(&arena, memory, sizeof(memory));
    enum assay_status status =
        assay_jwt_verify(token, set, &expect, NOW_S, &arena, &jwt, ret_fault, &error);
    assay_jwt_close(&jwt);
    assay_arena_release(&arena);
    return status;
}

/* A set that lacks keys for want of memory would replace a good one. What jansson lacks mostly
 * looks like bad text, which leaves the last set as well. */
static void read_sets(long *left)
{
    size_t failures = 0;
    for (long n = 0;; n++) {
        struct assay_arena arena;
        struct assay_jwks set = {0};
        failed = false;
        *left = n;
        enum assay_status status = read_set(&arena, &set);
        *left = -1;
        if (status == ASSAY_OK) {
            /* jansson 2.14 drops characters of a long string for which it has no room. */
            size_t lost = failed && left == &jansson_left ? 1 : 0;
            assert_in_range(set.count, KEYS - lost, KEYS);
            assert_int_equal(set.count + set.ignored, KEYS);
            assay_jwks_close(&set);
        } else {
            assert_true(status == ASSAY_ERR_CRYPTO || left == &jansson_left);
            assert_true(status == ASSAY_ERR_SYNTAX || left == &openssl_left);
            failures++;
        }
        assay_arena_release(&arena);
        ERR_clear_error();
        if (!failed) {
            break;
        }
    }
    assert_true(failures > 20);
}

static void a_set_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    read_sets(&openssl_left);
    read_sets(&jansson_left);
}

/* What a token may be when memory was lacking: what it is; or, where OpenSSL says "no" when it
 * means "I could not", and jansson "bad text", refused. */
static bool is_fair(enum assay_jose_fault fault, enum assay_jose_fault expected, const long *left)
{
    if (!failed || fault == expected) {
        return fault == expected;
    }
    return left == &openssl_left ? fault == ASSAY_JOSE_SIGNATURE
                                 : fault == ASSAY_JOSE_HEADER || fault == ASSAY_JOSE_CLAIMS;
}

/* Verifies a token with each allocation failing in turn, with keys that have verified before
 * (`warm`) or not. Returns how often that showed. */
static size_t verify_failing(long *left, struct assay_slice token, bool warm,
                             enum assay_jose_fault expected)
{
    size_t failures = 0;
    for (long n = 0;; n++) {
        struct assay_arena arena;
        struct assay_jwks set = {0};
        enum assay_jose_fault fault = ASSAY_JOSE_LIFETIME;
        assert_int_equal(read_set(&arena, &set), ASSAY_OK);
        if (warm) {
            assert_int_equal(verify(&set, token, &fault), ASSAY_OK);
        }
        failed = false;
        *left = n;
        enum assay_status status = verify(&set, token, &fault);
        *left = -1;
        assert_true(status == ASSAY_OK || status == ASSAY_ERR_CRYPTO);
        assert_true(status != ASSAY_OK || is_fair(fault, expected, left));
        failures += status != ASSAY_OK || fault != expected;
        /* And then it works again. */
        assert_int_equal(verify(&set, token, &fault), ASSAY_OK);
        assert_int_equal(fault, expected);
        assay_jwks_close(&set);
        assay_arena_release(&arena);
        ERR_clear_error();
        if (!failed) {
            return failures;
        }
    }
}

static void want_of_memory_is_an_error_while_a_token_is_verified(void **state)
{
    (void)state;
    for (size_t key = 0; key < KEYS; key++) {
        assert_true(verify_failing(&openssl_left, tokens[key], false, ASSAY_JOSE_OK) > 0);
        (void)verify_failing(&openssl_left, tokens[key], true, ASSAY_JOSE_OK);
        assert_true(verify_failing(&jansson_left, tokens[key], true, ASSAY_JOSE_OK) > 20);
    }
}

static void want_of_memory_lets_no_bad_token_pass(void **state)
{
    (void)state;
    for (size_t key = 0; key < KEYS; key++) {
        uint8_t *flipped = &token_rooms[key][tokens[key].len - 20];
        uint8_t was = *flipped;
        *flipped = was == 'A' ? 'B' : 'A';
        (void)verify_failing(&openssl_left, tokens[key], false, ASSAY_JOSE_SIGNATURE);
        (void)verify_failing(&openssl_left, tokens[key], true, ASSAY_JOSE_SIGNATURE);
        *flipped = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_is_read_whole_or_not_at_all),
        cmocka_unit_test(want_of_memory_is_an_error_while_a_token_is_verified),
        cmocka_unit_test(want_of_memory_lets_no_bad_token_pass),
    };
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1) {
        return 1;
    }
    json_set_alloc_funcs(jansson_malloc, free);
    return cmocka_run_group_tests(tests, make_all, NULL);
}
