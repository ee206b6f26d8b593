#include "support/check.h"

static void a_cut_yields_each_field_and_then_ends(void **state)
{
    (void)state;
    struct assay_slice rest = ASSAY_SLICE("a&&b");
    assert_slice_equal(assay_slice_cut(&rest, '&'), ASSAY_SLICE("a"));
    assert_slice_equal(assay_slice_cut(&rest, '&'), ASSAY_SLICE(""));
    assert_slice_equal(assay_slice_cut(&rest, '&'), ASSAY_SLICE("b"));
    assert_null(rest.data);
}

static void order_is_by_bytes_then_by_length(void **state)
{
    (void)state;
    assert_true(assay_slice_compare(ASSAY_SLICE("a"), ASSAY_SLICE("ab")) < 0);
    assert_true(assay_slice_compare(ASSAY_SLICE("b"), ASSAY_SLICE("ab")) > 0);
    assert_int_equal(assay_slice_compare(ASSAY_SLICE(""), (struct assay_slice){0}), 0);
}

static void only_ascii_letters_fold(void **state)
{
    (void)state;
    assert_true(assay_slice_equal_nocase(ASSAY_SLICE("BaSiC"), ASSAY_SLICE("basic")));
    assert_false(assay_slice_equal_nocase(ASSAY_SLICE("["), ASSAY_SLICE("{")));
    assert_false(assay_slice_equal_nocase(ASSAY_SLICE("a"), ASSAY_SLICE("ab")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_yields_each_field_and_then_ends),
        cmocka_unit_test(order_is_by_bytes_then_by_length),
        cmocka_unit_test(only_ascii_letters_fold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
