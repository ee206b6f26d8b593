#include "support/check.h"

static void a_refusal_sets_the_error_and_returns_the_status(void **state)
{
    (void)state;
    struct assay_error error = {.what = "older", .offset = 7};
    assert_int_equal(assay_fail(ASSAY_ERR_STORE, "no answer", &error), ASSAY_ERR_STORE);
    assert_string_equal(error.what, "no answer");
    assert_int_equal(error.offset, 0);
    assert_int_equal(assay_fail(ASSAY_ERR_LIMIT, "nobody asks", NULL), ASSAY_ERR_LIMIT);
}

static void every_status_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = ASSAY_OK; a <= ASSAY_ERR_SYSTEM; a++) {
        assert_string_not_equal(assay_status_name((enum assay_status)a), "unknown");
        for (int b = ASSAY_OK; b < a; b++) {
            assert_string_not_equal(assay_status_name((enum assay_status)a),
                                    assay_status_name((enum assay_status)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_sets_the_error_and_returns_the_status),
        cmocka_unit_test(every_status_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
