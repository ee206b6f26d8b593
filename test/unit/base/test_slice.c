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

static void a_word_is_found_whole_and_not_in_part(void **state)
{
    (void)state;
    struct assay_slice list = ASSAY_SLICE("read reads write");
    assert_true(assay_slice_has_word(list, ASSAY_SLICE("read")));
    assert_true(assay_slice_has_word(list, ASSAY_SLICE("reads")));
    assert_true(assay_slice_has_word(list, ASSAY_SLICE("write")));
    assert_false(assay_slice_has_word(list, ASSAY_SLICE("rea")));
    assert_false(assay_slice_has_word(list, ASSAY_SLICE("eads")));
    assert_false(assay_slice_has_word(list, ASSAY_SLICE("Read")));
    assert_false(assay_slice_has_word(list, ASSAY_SLICE("read reads")));
    assert_false(assay_slice_has_word((struct assay_slice){0}, ASSAY_SLICE("read")));
    assert_false(assay_slice_has_word(list, (struct assay_slice){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cut_yields_each_field_and_then_ends),
        cmocka_unit_test(order_is_by_bytes_then_by_length),
        cmocka_unit_test(only_ascii_letters_fold),
        cmocka_unit_test(a_word_is_found_whole_and_not_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
