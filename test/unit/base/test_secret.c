#include "base/secret.h"
#include "support/check.h"

/* A-SIDE-01: what it answers; how long it takes is for test_secret_timing.c. */
static void a_difference_of_one_bit_anywhere_is_seen(void **state)
{
    (void)state;
    uint8_t a[70];
    uint8_t b[70];
    memset(a, 0x5A, sizeof(a));
    memset(b, 0x5A, sizeof(b));
    assert_true(assay_secret_equal(assay_slice_of(a, sizeof(a)), assay_slice_of(b, sizeof(b))));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(
            assay_secret_equal(assay_slice_of(a, sizeof(a)), assay_slice_of(b, sizeof(b))));
        b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
}

/* A-AUTH-09: one byte more, or the first bytes of the right secret, are another secret. */
static void a_prefix_is_another_secret(void **state)
{
    (void)state;
    struct assay_slice whole = ASSAY_SLICE("correct horse battery staple");
    for (size_t len = 0; len < whole.len; len++) {
        assert_false(assay_secret_equal(assay_slice_head(whole, len), whole));
        assert_false(assay_secret_equal(whole, assay_slice_head(whole, len)));
    }
    assert_false(assay_secret_equal(ASSAY_SLICE("Secret"), ASSAY_SLICE("secret")));
}

static void nothing_equals_nothing_and_nul_is_a_byte(void **state)
{
    (void)state;
    assert_true(assay_secret_equal((struct assay_slice){0}, ASSAY_SLICE("")));
    assert_false(assay_secret_equal(ASSAY_SLICE("a\0b"), ASSAY_SLICE("a\0c")));
}

static void wiping_leaves_zeros_and_nothing_beyond_them(void **state)
{
    (void)state;
    uint8_t room[34];
    memset(room, 0xA5, sizeof(room));
    assay_secret_wipe(room + 1, 32);
    assert_int_equal(room[0], 0xA5);
    assert_int_equal(room[33], 0xA5);
    for (size_t i = 1; i < 33; i++) {
        assert_int_equal(room[i], 0);
    }
    assay_secret_wipe(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_difference_of_one_bit_anywhere_is_seen),
        cmocka_unit_test(a_prefix_is_another_secret),
        cmocka_unit_test(nothing_equals_nothing_and_nul_is_a_byte),
        cmocka_unit_test(wiping_leaves_zeros_and_nothing_beyond_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
