#include "base/buf.h"
#include "support/check.h"

static void what_is_appended_stands_in_order(void **state)
{
    (void)state;
    uint8_t room[16];
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append(&buf, ASSAY_SLICE("ab"));
    assay_buf_append_byte(&buf, 'c');
    assay_buf_append(&buf, (struct assay_slice){0});
    assert_slice_equal(assay_buf_slice(&buf), ASSAY_SLICE("abc"));
    assert_false(buf.spent);
}

static void the_room_can_be_filled_to_its_last_byte(void **state)
{
    (void)state;
    uint8_t room[3];
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append(&buf, ASSAY_SLICE("abc"));
    assert_false(buf.spent);
    assay_buf_append(&buf, (struct assay_slice){0});
    assert_false(buf.spent);
    assay_buf_append_byte(&buf, 'd');
    assert_true(buf.spent);
    assert_slice_equal(assay_buf_slice(&buf), ASSAY_SLICE("abc"));
}

/* Else a reply would miss something in its middle and nobody would know. */
static void after_one_append_too_many_nothing_is_written_any_more(void **state)
{
    (void)state;
    uint8_t room[4] = {0, 0, 0, 0x5A};
    struct assay_buf buf;
    assay_buf_init(&buf, room, 3);
    assay_buf_append(&buf, ASSAY_SLICE("abcd"));
    assert_true(buf.spent);
    assay_buf_append_byte(&buf, 'e');
    assert_int_equal(buf.len, 0);
    assert_int_equal(room[3], 0x5A);
}

static void no_room_at_all_takes_nothing(void **state)
{
    (void)state;
    struct assay_buf buf;
    assay_buf_init(&buf, NULL, 0);
    assay_buf_append(&buf, ASSAY_SLICE(""));
    assert_false(buf.spent);
    assay_buf_append_byte(&buf, 'a');
    assert_true(buf.spent);
}

static void numbers_are_written_at_both_ends_of_their_range(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        struct assay_slice text;
    } cases[] = {
        {0, {(const uint8_t *)"0", 1}},
        {-1, {(const uint8_t *)"-1", 2}},
        {10, {(const uint8_t *)"10", 2}},
        {INT64_MAX, {(const uint8_t *)"9223372036854775807", 19}},
        {INT64_MIN, {(const uint8_t *)"-9223372036854775808", 20}},
    };
    uint8_t room[32];
    struct assay_buf buf;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assay_buf_init(&buf, room, sizeof(room));
        assay_buf_append_i64(&buf, cases[i].value);
        assert_slice_equal(assay_buf_slice(&buf), cases[i].text);
    }
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append_u64(&buf, UINT64_MAX);
    assert_slice_equal(assay_buf_slice(&buf), ASSAY_SLICE("18446744073709551615"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_stands_in_order),
        cmocka_unit_test(the_room_can_be_filled_to_its_last_byte),
        cmocka_unit_test(after_one_append_too_many_nothing_is_written_any_more),
        cmocka_unit_test(no_room_at_all_takes_nothing),
        cmocka_unit_test(numbers_are_written_at_both_ends_of_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
