#include "crypto/random.h"

#include "support/check.h"

#include <limits.h>

static void every_byte_is_filled(void **state)
{
    (void)state;
    uint8_t seen[64] = {0};
    uint8_t bytes[66];
    struct assay_error error = {0};
    /* A byte that is never written would stay 0 each time: by chance, 2^-256 for each. */
    for (int i = 0; i < 32; i++) {
        memset(bytes, 0, sizeof(bytes));
        assert_ok(assay_random(bytes + 1, 64, &error), &error);
        for (size_t at = 0; at < 64; at++) {
            seen[at] |= bytes[1 + at];
        }
        assert_int_equal(bytes[0], 0);
        assert_int_equal(bytes[65], 0);
    }
    for (size_t at = 0; at < 64; at++) {
        assert_int_not_equal(seen[at], 0);
    }
}

static void two_draws_differ(void **state)
{
    (void)state;
    uint8_t a[32];
    uint8_t b[32];
    struct assay_error error = {0};
    assert_ok(assay_random(a, sizeof(a), &error), &error);
    assert_ok(assay_random(b, sizeof(b), &error), &error);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void a_length_that_openssl_cannot_take_is_an_error(void **state)
{
    (void)state;
    uint8_t byte = 0;
    struct assay_error error = {0};
    assert_int_equal(assay_random(&byte, (size_t)INT_MAX + 1, &error), ASSAY_ERR_CRYPTO);
    assert_int_equal(assay_random(&byte, SIZE_MAX, NULL), ASSAY_ERR_CRYPTO);
    assert_ok(assay_random(&byte, 0, &error), &error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_filled),
        cmocka_unit_test(two_draws_differ),
        cmocka_unit_test(a_length_that_openssl_cannot_take_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
