#include "tool/suggest.h"

#include "support/check.h"

static void distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(assay_suggest_distance("revoke", "revoke"), 0);
    assert_int_equal(assay_suggest_distance("", "abc"), 3);
    assert_int_equal(assay_suggest_distance("revok", "revoke"), 1);
    assert_int_equal(assay_suggest_distance("rvoke", "revoke"), 1);
    assert_int_equal(assay_suggest_distance("reboke", "revoke"), 1);
    assert_int_equal(assay_suggest_distance("ervoke", "revoke"), 1);
    assert_int_equal(assay_suggest_distance("kitten", "sitting"), 3);
}

static void word_too_long_to_compare_is_far_from_all(void **state)
{
    (void)state;
    char text[ASSAY_SUGGEST_MAX + 2];
    memset(text, 'a', sizeof text);
    text[ASSAY_SUGGEST_MAX + 1] = '\0';
    assert_int_equal(assay_suggest_distance(text, "a"), ASSAY_SUGGEST_MAX);
    text[ASSAY_SUGGEST_MAX] = '\0';
    assert_int_equal(assay_suggest_distance(text, text), 0);
}

static const char *suggest(const char *typed)
{
    struct assay_suggestion suggestion = {.typed = typed};
    static const char *const words[] = {"add", "list", "show", "introspect", "issue", "remove"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assay_suggest_offer(&suggestion, words[i]);
    }
    return suggestion.word;
}

static void nearest_word_is_suggested_and_a_far_one_never(void **state)
{
    (void)state;
    assert_string_equal(suggest("ad"), "add");
    assert_string_equal(suggest("lsit"), "list");
    assert_string_equal(suggest("instrospect"), "introspect");
    assert_string_equal(suggest("isue"), "issue");
    assert_null(suggest("x"));
    assert_null(suggest("zzz"));
    assert_null(suggest("delete"));
    assert_null(suggest(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(word_too_long_to_compare_is_far_from_all),
        cmocka_unit_test(nearest_word_is_suggested_and_a_far_one_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
