#include "crypto/pkey.h"

#include "support/check.h"
#include "support/keys.h"
#include "support/vector.h"

static struct key_numbers keys[KEYS_KINDS];

static int make_keys(void **state)
{
    (void)state;
    for (int kind = 0; kind < KEYS_KINDS; kind++) {
        keys_make((enum assay_pkey_kind)kind, &keys[kind]);
    }
    return 0;
}

static enum assay_status try_key(const struct assay_pkey_parts *parts)
{
    struct assay_pkey *pkey = NULL;
    struct assay_error error = {0};
    enum assay_status status = assay_pkey_open(parts, &pkey, &error);
    assert_true((status == ASSAY_OK) == (pkey != NULL));
    assert_true((status == ASSAY_OK) == (error.what == NULL));
    assay_pkey_close(pkey);
    return status;
}

#define assert_refused(parts) assert_int_equal(try_key(parts), ASSAY_ERR_SYNTAX)

static struct assay_pkey_parts public_of(enum assay_pkey_kind kind)
{
    struct assay_pkey_parts parts = keys[kind].parts;
    parts.d = (struct assay_slice){0};
    return parts;
}

static void a_key_is_kept_as_the_numbers_it_was_made_of(void **state)
{
    (void)state;
    for (int kind = 0; kind < KEYS_KINDS; kind++) {
        struct assay_pkey *pair = keys_open_private(&keys[kind]);
        struct assay_pkey *half = keys_open_public(&keys[kind]);
        assert_int_equal(assay_pkey_kind(pair), kind);
        assert_true(assay_pkey_is_private(pair));
        assert_int_equal(assay_pkey_is_private(half), kind == ASSAY_PKEY_SECRET);
        assert_true(assay_pkey_equal(pair, half));
        const struct assay_pkey_parts *parts = assay_pkey_parts(pair);
        assert_slice_equal(parts->n, keys[kind].parts.n);
        assert_slice_equal(parts->e, keys[kind].parts.e);
        assert_slice_equal(parts->x, keys[kind].parts.x);
        assert_slice_equal(parts->y, keys[kind].parts.y);
        assert_slice_equal(parts->k, keys[kind].parts.k);
        assert_int_equal(parts->d.len, 0);
        assay_pkey_close(pair);
        assay_pkey_close(half);
    }
}

static void two_keys_are_not_equal(void **state)
{
    (void)state;
    static struct key_numbers other;
    for (int kind = 1; kind < ASSAY_PKEY_SECRET; kind++) {
        keys_make((enum assay_pkey_kind)kind, &other);
        struct assay_pkey *a = keys_open_public(&keys[kind]);
        struct assay_pkey *b = keys_open_public(&other);
        assert_false(assay_pkey_equal(a, b));
        assay_pkey_close(a);
        assay_pkey_close(b);
    }
}

/* A-JWK-04, R7518-3.3-1: 1024 and 2040 bits, 32,768 bits, an even or zero modulus. */
static void an_rsa_modulus_is_odd_and_of_2048_to_8192_bits(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    struct assay_pkey_parts parts = public_of(ASSAY_PKEY_RSA);
    memset(bytes, 0xFF, sizeof(bytes));
    static const size_t bad[] = {0, 1, 128, 255, 1025, 4096};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        parts.n = assay_slice_of(bytes, bad[i]);
        assert_refused(&parts);
    }
    parts.n = assay_slice_of(bytes, 1024);
    assert_int_equal(try_key(&parts), ASSAY_OK);
    parts.n = assay_slice_of(bytes, 256);
    assert_int_equal(try_key(&parts), ASSAY_OK);
    bytes[0] = 0x7F; /* 2047 bits */
    assert_refused(&parts);
    bytes[0] = 0; /* 2048 bits behind a zero */
    parts.n = assay_slice_of(bytes, 257);
    assert_refused(&parts);
    bytes[0] = 0xFF;
    bytes[255] = 0xFE;
    parts.n = assay_slice_of(bytes, 256);
    assert_refused(&parts);
    memset(bytes, 0, sizeof(bytes));
    assert_refused(&parts);
}

/* A-JWK-04: e of 0, 1, 2, 2^64 + 1. */
static void an_rsa_exponent_is_odd_and_from_3_to_below_2_to_the_32(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[9];
        size_t len;
        enum assay_status status;
    } cases[] = {
        {{0}, 0, ASSAY_ERR_SYNTAX},
        {{0}, 1, ASSAY_ERR_SYNTAX},
        {{1}, 1, ASSAY_ERR_SYNTAX},
        {{2}, 1, ASSAY_ERR_SYNTAX},
        {{3}, 1, ASSAY_OK},
        {{1, 0, 0}, 3, ASSAY_ERR_SYNTAX},
        {{1, 0, 1}, 3, ASSAY_OK},
        {{0, 1, 0, 1}, 4, ASSAY_ERR_SYNTAX},
        {{0xFF, 0xFF, 0xFF, 0xFF}, 4, ASSAY_OK},
        {{1, 0, 0, 0, 1}, 5, ASSAY_ERR_SYNTAX},
        {{1, 0, 0, 0, 0, 0, 0, 0, 1}, 9, ASSAY_ERR_SYNTAX},
    };
    struct assay_pkey_parts parts = public_of(ASSAY_PKEY_RSA);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        parts.e = assay_slice_of(cases[i].bytes, cases[i].len);
        assert_int_equal(try_key(&parts), cases[i].status);
    }
}

/* A-JWK-04: off the curve, at infinity (which has no coordinates; zeros stand for it), short or
 * long coordinates, coordinates above the field. */
static void a_point_is_on_its_curve_and_its_coordinates_have_its_width(void **state)
{
    (void)state;
    static uint8_t bytes[80];
    for (int kind = ASSAY_PKEY_P256; kind <= ASSAY_PKEY_P521; kind++) {
        size_t width = assay_pkey_width((enum assay_pkey_kind)kind);
        struct assay_pkey_parts parts = public_of((enum assay_pkey_kind)kind);
        struct assay_slice y = parts.y;
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes + 1, y.data, width);
        parts.y = assay_slice_of(bytes, width + 1);
        assert_refused(&parts);
        parts.y = assay_slice_of(bytes + 1, width - 1);
        assert_refused(&parts);
        parts.y = (struct assay_slice){0};
        assert_refused(&parts);
        bytes[width] ^= 1;
        parts.y = assay_slice_of(bytes + 1, width);
        assert_refused(&parts);
        memset(bytes, 0xFF, sizeof(bytes));
        parts.y = assay_slice_of(bytes, width);
        assert_refused(&parts);
        memset(bytes, 0, sizeof(bytes));
        parts.x = assay_slice_of(bytes, width);
        parts.y = parts.x;
        assert_refused(&parts);
    }
}

/* x + p is x by the mathematics, and would be a second spelling of the key. P-521 has room for it
 * in its last byte: p is 2^521 - 1. */
static void a_coordinate_is_below_the_field(void **state)
{
    (void)state;
    static struct key_numbers fresh;
    uint8_t bytes[66];
    for (int i = 0; i < 20; i++) {
        keys_make(ASSAY_PKEY_P521, &fresh);
        struct assay_pkey_parts parts = fresh.parts;
        parts.d = (struct assay_slice){0};
        struct assay_slice *coordinate = i % 2 == 0 ? &parts.x : &parts.y;
        memcpy(bytes, coordinate->data, sizeof(bytes));
        bytes[0] = (uint8_t)(bytes[0] + 2); /* + 2^521 */
        size_t at = sizeof(bytes) - 1;
        while (bytes[at]-- == 0) { /* - 1 */
            at--;
        }
        *coordinate = assay_slice_of(bytes, sizeof(bytes));
        assert_refused(&parts);
    }
}

/* P-256 and P-384 points are none of each other's. */
static void a_point_of_another_curve_is_refused(void **state)
{
    (void)state;
    struct assay_pkey_parts parts = public_of(ASSAY_PKEY_P256);
    parts.kind = ASSAY_PKEY_P384;
    assert_refused(&parts);
    parts.kind = ASSAY_PKEY_P521;
    assert_refused(&parts);
    parts = public_of(ASSAY_PKEY_ED25519);
    parts.kind = ASSAY_PKEY_ED448;
    assert_refused(&parts);
}

/* About half of all y have no x; OpenSSL takes them all. The points are held against OpenSSL's own:
 * each public key that it makes is good. */
static void an_edwards_key_is_a_point_in_its_one_spelling(void **state)
{
    (void)state;
    static struct key_numbers fresh;
    static uint8_t bytes[64];
    for (int kind = ASSAY_PKEY_ED25519; kind <= ASSAY_PKEY_ED448; kind++) {
        size_t width = assay_pkey_width((enum assay_pkey_kind)kind);
        size_t good = 0;
        for (int i = 0; i < 50; i++) {
            keys_make((enum assay_pkey_kind)kind, &fresh);
            assay_pkey_close(keys_open_public(&fresh));
            struct assay_pkey_parts parts = fresh.parts;
            parts.d = (struct assay_slice){0};
            memcpy(bytes, parts.x.data, width);
            bytes[0] ^= 0x55;
            parts.x = assay_slice_of(bytes, width);
            good += try_key(&parts) == ASSAY_OK;
        }
        assert_in_range(good, 8, 42);
        struct assay_pkey_parts parts = public_of((enum assay_pkey_kind)kind);
        parts.x = assay_slice_of(bytes, width - 1);
        assert_refused(&parts);
        parts.x = assay_slice_of(bytes, width + 1);
        assert_refused(&parts);
        parts = public_of((enum assay_pkey_kind)kind);
        parts.y = parts.x;
        assert_refused(&parts);
    }
}

/* Under such a key one signature is good for many messages. */
static void an_edwards_key_is_not_of_small_order(void **state)
{
    (void)state;
    static const char *const ed25519[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        /* the same points, y above the field */
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    uint8_t bytes[64] = {0};
    struct assay_pkey_parts parts = {.kind = ASSAY_PKEY_ED25519};
    for (size_t i = 0; i < sizeof(ed25519) / sizeof(ed25519[0]); i++) {
        parts.x = assay_slice_of(
            bytes, vector_bytes(assay_slice_of_text(ed25519[i]), bytes, sizeof(bytes)));
        assert_refused(&parts);
    }
    /* Ed448: y = 0, 1 and -1, and a byte behind the field that is not 0. */
    memset(bytes, 0, sizeof(bytes));
    parts = (struct assay_pkey_parts){.kind = ASSAY_PKEY_ED448, .x = assay_slice_of(bytes, 57)};
    assert_refused(&parts);
    bytes[0] = 1;
    assert_refused(&parts);
    memset(bytes, 0xFF, 56);
    bytes[0] = 0xFE;
    bytes[28] = 0xFE;
    assert_refused(&parts);
    memcpy(bytes, keys[ASSAY_PKEY_ED448].parts.x.data, 57);
    assert_int_equal(try_key(&parts), ASSAY_OK);
    bytes[56] |= 1;
    assert_refused(&parts);
}

static void a_private_half_of_another_key_is_refused(void **state)
{
    (void)state;
    static struct key_numbers other;
    for (int kind = 0; kind < ASSAY_PKEY_SECRET; kind++) {
        keys_make((enum assay_pkey_kind)kind, &other);
        struct assay_pkey_parts parts = keys[kind].parts;
        parts.d = other.parts.d;
        assert_refused(&parts);
        parts = keys[kind].parts;
        parts.d = assay_slice_head(parts.d, parts.d.len - 1);
        assert_refused(&parts);
    }
}

static void a_private_rsa_key_has_all_its_numbers_and_they_belong_together(void **state)
{
    (void)state;
    static struct key_numbers other;
    keys_make(ASSAY_PKEY_RSA, &other);
    for (int i = 0; i < 5; i++) {
        struct assay_pkey_parts parts = keys[ASSAY_PKEY_RSA].parts;
        struct assay_slice *members[] = {&parts.p, &parts.q, &parts.dp, &parts.dq, &parts.qi};
        const struct assay_slice others[] = {other.parts.p, other.parts.q, other.parts.dp,
                                             other.parts.dq, other.parts.qi};
        *members[i] = (struct assay_slice){0};
        assert_refused(&parts);
        *members[i] = others[i];
        assert_refused(&parts);
    }
}

/* d = 0 and d = n sign with what everybody knows. */
static void a_private_key_of_a_curve_is_below_its_order(void **state)
{
    (void)state;
    uint8_t bytes[66] = {0};
    for (int kind = ASSAY_PKEY_P256; kind <= ASSAY_PKEY_P521; kind++) {
        struct assay_pkey_parts parts = keys[kind].parts;
        memset(bytes, 0, sizeof(bytes));
        parts.d = assay_slice_of(bytes, parts.d.len);
        assert_refused(&parts);
        memset(bytes, 0xFF, sizeof(bytes));
        assert_refused(&parts);
    }
}

static void a_shared_secret_is_neither_empty_nor_endless(void **state)
{
    (void)state;
    static uint8_t bytes[ASSAY_PKEY_MAX_SECRET + 1];
    struct assay_pkey_parts parts = {.kind = ASSAY_PKEY_SECRET};
    assert_refused(&parts);
    parts.k = assay_slice_of(bytes, ASSAY_PKEY_MAX_SECRET + 1);
    assert_refused(&parts);
    parts.k = assay_slice_of(bytes, ASSAY_PKEY_MAX_SECRET);
    assert_int_equal(try_key(&parts), ASSAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_kept_as_the_numbers_it_was_made_of),
        cmocka_unit_test(two_keys_are_not_equal),
        cmocka_unit_test(an_rsa_modulus_is_odd_and_of_2048_to_8192_bits),
        cmocka_unit_test(an_rsa_exponent_is_odd_and_from_3_to_below_2_to_the_32),
        cmocka_unit_test(a_point_is_on_its_curve_and_its_coordinates_have_its_width),
        cmocka_unit_test(a_coordinate_is_below_the_field),
        cmocka_unit_test(a_point_of_another_curve_is_refused),
        cmocka_unit_test(an_edwards_key_is_a_point_in_its_one_spelling),
        cmocka_unit_test(an_edwards_key_is_not_of_small_order),
        cmocka_unit_test(a_private_half_of_another_key_is_refused),
        cmocka_unit_test(a_private_rsa_key_has_all_its_numbers_and_they_belong_together),
        cmocka_unit_test(a_private_key_of_a_curve_is_below_its_order),
        cmocka_unit_test(a_shared_secret_is_neither_empty_nor_endless),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
