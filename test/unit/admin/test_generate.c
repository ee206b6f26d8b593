#include "admin/generate.h"

#include "support/check.h"

static void generated_text_is_letters_and_digits_each_about_as_often(void **state)
{
    (void)state;
    static uint8_t room[62 * 1000];
    struct assay_arena arena;
    struct assay_slice text;
    struct assay_error error = {0};
    assay_arena_init(&arena, room, sizeof room);
    assert_ok(assay_admin_generate(&arena, sizeof room, &text, &error), &error);
    assert_int_equal(text.len, sizeof room);

    unsigned counts[256] = {0};
    unsigned seen = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
        seen += counts[c]++ == 0;
    }
    assert_int_equal(seen, 62);
    for (size_t i = 0; i < 256; i++) {
        /* 1000 expected, deviation about 31: eight of those either way */
        assert_true(counts[i] == 0 || (counts[i] > 750 && counts[i] < 1250));
    }
    assay_arena_release(&arena);
}

static void two_are_never_the_same(void **state)
{
    (void)state;
    uint8_t room[128];
    struct assay_arena arena;
    struct assay_slice a;
    struct assay_slice b;
    struct assay_error error = {0};
    assay_arena_init(&arena, room, sizeof room);
    assert_ok(assay_admin_generate(&arena, ASSAY_GENERATED_ID_LEN, &a, &error), &error);
    assert_ok(assay_admin_generate(&arena, ASSAY_GENERATED_ID_LEN, &b, &error), &error);
    assert_false(assay_slice_equal(a, b));
    assay_arena_release(&arena);
}

static void spent_arena_is_an_error(void **state)
{
    (void)state;
    uint8_t room[8];
    struct assay_arena arena;
    struct assay_slice text;
    struct assay_error error = {0};
    assay_arena_init(&arena, room, sizeof room);
    assert_int_equal(assay_admin_generate(&arena, 22, &text, &error), ASSAY_ERR_LIMIT);
    assay_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_text_is_letters_and_digits_each_about_as_often),
        cmocka_unit_test(two_are_never_the_same),
        cmocka_unit_test(spent_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
