#include "tool/text.h"

#include "support/check.h"

static uint8_t room[4096];

static struct assay_slice escaped(struct assay_slice s)
{
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof room);
    assay_text_escape(&buf, s);
    assert_false(buf.spent);
    return assay_buf_slice(&buf);
}

static void plain_text_is_shown_as_it_is(void **state)
{
    (void)state;
    assert_slice_equal(escaped(ASSAY_SLICE("alice@example.com")), ASSAY_SLICE("alice@example.com"));
    assert_slice_equal(escaped(ASSAY_SLICE("J\xC3\xBCrgen \xE2\x82\xAC \xF0\x9F\x98\x80")),
                       ASSAY_SLICE("J\xC3\xBCrgen \xE2\x82\xAC \xF0\x9F\x98\x80"));
}

/* A-CLI-02 */
static void what_a_terminal_obeys_is_escaped(void **state)
{
    (void)state;
    assert_slice_equal(escaped(ASSAY_SLICE("a\nb\r\tc")), ASSAY_SLICE("a\\nb\\r\\tc"));
    assert_slice_equal(escaped(ASSAY_SLICE("\x1B[2J")), ASSAY_SLICE("\\x1B[2J"));
    assert_slice_equal(escaped(assay_slice_of("a\0b", 3)), ASSAY_SLICE("a\\x00b"));
    assert_slice_equal(escaped(ASSAY_SLICE("\x7F")), ASSAY_SLICE("\\x7F"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xC2\x9B")), ASSAY_SLICE("\\x9B"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xE2\x80\xAE")), ASSAY_SLICE("\\u202E"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xE2\x80\x8B")), ASSAY_SLICE("\\u200B"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xEF\xBB\xBF")), ASSAY_SLICE("\\uFEFF"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xF3\xA0\x80\xA1")), ASSAY_SLICE("\\U000E0021"));
    assert_slice_equal(escaped(ASSAY_SLICE("a\\nb %n %s")), ASSAY_SLICE("a\\\\nb %n %s"));
}

/* A-CLI-02 */
static void bytes_that_are_not_utf8_are_escaped_one_by_one(void **state)
{
    (void)state;
    assert_slice_equal(escaped(ASSAY_SLICE("\xFF")), ASSAY_SLICE("\\xFF"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xC3")), ASSAY_SLICE("\\xC3"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xC0\x8A")), ASSAY_SLICE("\\xC0\\x8A"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xE0\x80\x8A")), ASSAY_SLICE("\\xE0\\x80\\x8A"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xED\xA0\x80")), ASSAY_SLICE("\\xED\\xA0\\x80"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xF4\x90\x80\x80")),
                       ASSAY_SLICE("\\xF4\\x90\\x80\\x80"));
    assert_slice_equal(escaped(ASSAY_SLICE("\xE2\x82")), ASSAY_SLICE("\\xE2\\x82"));
}

static void width_counts_characters_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(assay_text_width(ASSAY_SLICE("J\xC3\xBCrgen")), 6);
    assert_int_equal(assay_text_width(ASSAY_SLICE("")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_is_shown_as_it_is),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_are_escaped_one_by_one),
        cmocka_unit_test(width_counts_characters_not_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
