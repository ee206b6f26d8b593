#include "base/utf8.h"
#include "support/check.h"

/* Puts `s` behind `before` spaces and in front of `after`, since whole words of plain text are
 * skipped at once and the rest is not. */
static struct assay_slice inside(struct assay_slice s, size_t before, size_t after)
{
    static uint8_t room[64];
    memset(room, ' ', sizeof(room));
    memcpy(room + before, s.data, s.len);
    return assay_slice_of(room, before + s.len + after);
}

static void expect(struct assay_slice s, bool valid, bool text)
{
    for (size_t before = 0; before < 18; before++) {
        for (size_t after = 0; after < 18; after++) {
            assert_int_equal(assay_utf8_valid(inside(s, before, after)), valid);
            assert_int_equal(assay_utf8_is_text(inside(s, before, after)), text);
        }
    }
}

static void characters_of_each_length_are_text(void **state)
{
    (void)state;
    expect(ASSAY_SLICE("~"), true, true);
    expect(ASSAY_SLICE("\xC2\xA3"), true, true);
    expect(ASSAY_SLICE("\xE2\x82\xAC"), true, true);
    expect(ASSAY_SLICE("\xED\x9F\xBF"), true, true);
    expect(ASSAY_SLICE("\xEE\x80\x80"), true, true);
    expect(ASSAY_SLICE("\xF0\x90\x80\x80"), true, true);
    expect(ASSAY_SLICE("\xF4\x8F\xBF\xBF"), true, true);
    assert_true(assay_utf8_valid((struct assay_slice){0}));
    assert_true(assay_utf8_is_text((struct assay_slice){0}));
}

static void control_characters_are_valid_and_no_text(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        const uint8_t byte = (uint8_t)c;
        expect(assay_slice_of(&byte, 1), c < 0x80, c >= 0x20 && c < 0x7F);
    }
    expect(ASSAY_SLICE("\xC2\x80"), true, false);
    expect(ASSAY_SLICE("\xC2\x9F"), true, false);
    expect(ASSAY_SLICE("\xC2\xA0"), true, true);
}

/* RFC 3629 section 3: what decoders that are not strict take for something else. */
static void overlong_forms_surrogates_and_what_lies_beyond_are_refused(void **state)
{
    (void)state;
    expect(ASSAY_SLICE("\xC0\x80"), false, false);
    expect(ASSAY_SLICE("\xC0\xAF"), false, false);
    expect(ASSAY_SLICE("\xC1\xBF"), false, false);
    expect(ASSAY_SLICE("\xE0\x80\xAF"), false, false);
    expect(ASSAY_SLICE("\xE0\x9F\xBF"), false, false);
    expect(ASSAY_SLICE("\xED\xA0\x80"), false, false);
    expect(ASSAY_SLICE("\xED\xBF\xBF"), false, false);
    expect(ASSAY_SLICE("\xF0\x8F\xBF\xBF"), false, false);
    expect(ASSAY_SLICE("\xF4\x90\x80\x80"), false, false);
    expect(ASSAY_SLICE("\xF5\x80\x80\x80"), false, false);
    expect(ASSAY_SLICE("\xFF"), false, false);
}

static void a_character_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    struct assay_slice whole = ASSAY_SLICE("\xF0\x90\x80\x80");
    for (size_t len = 1; len < whole.len; len++) {
        expect(assay_slice_head(whole, len), false, false);
    }
    expect(ASSAY_SLICE("\xC2"), false, false);
    expect(ASSAY_SLICE("\xE2\x82"), false, false);
    expect(ASSAY_SLICE("\x80"), false, false);
    expect(ASSAY_SLICE("\xE2\x28\xA1"), false, false);
    assert_int_equal(assay_utf8_first((struct assay_slice){0}), 0);
}

/* RFC 3629 section 3, the table of the encoding. */
static void it_agrees_with_the_definition_for_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point < 0x110000; point++) {
        uint8_t text[4];
        size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
        for (size_t i = len; i-- > 1;) {
            text[i] = (uint8_t)(0x80 | (point >> 6 * (len - 1 - i) & 0x3F));
        }
        text[0] = (uint8_t)(lead[len] | point >> 6 * (len - 1));
        bool surrogate = point >= 0xD800 && point < 0xE000;
        if (assay_utf8_first(assay_slice_of(text, len)) != (surrogate ? 0 : len)) {
            fail_msg("U+%04X", point);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_each_length_are_text),
        cmocka_unit_test(control_characters_are_valid_and_no_text),
        cmocka_unit_test(overlong_forms_surrogates_and_what_lies_beyond_are_refused),
        cmocka_unit_test(a_character_that_is_cut_off_is_refused),
        cmocka_unit_test(it_agrees_with_the_definition_for_every_code_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
