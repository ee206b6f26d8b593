#include "json/writer.h"

#include "support/check.h"

#include <jansson.h>

static uint8_t room[512 * 1024];
static struct assay_buf out;
static struct assay_json_writer w;

static int fresh_writer(void **state)
{
    (void)state;
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    return 0;
}

static void expect(struct assay_slice text)
{
    assert_false(out.spent);
    assert_slice_equal(assay_buf_slice(&out), text);
}

static struct assay_slice quoted(struct assay_slice value)
{
    (void)fresh_writer(NULL);
    assay_json_string(&w, value);
    assert_false(out.spent);
    return assay_buf_slice(&out);
}

/* Another parser, jansson, reads `value` back out of what was written. */
static void reads_back_as(struct assay_slice value, struct assay_slice expected)
{
    struct assay_slice text = quoted(value);
    json_error_t error;
    json_t *json = json_loadb((const char *)text.data, text.len,
                              JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    assert_true(json_is_string(json));
    assert_slice_equal(assay_slice_of(json_string_value(json), json_string_length(json)), expected);
    json_decref(json);
}

static void members_and_items_are_parted_by_commas(void **state)
{
    (void)state;
    assay_json_object_open(&w);
    assay_json_member_bool(&w, ASSAY_SLICE("active"), true);
    assay_json_member_i64(&w, ASSAY_SLICE("exp"), -1);
    assay_json_name(&w, ASSAY_SLICE("aud"));
    assay_json_array_open(&w);
    assay_json_string(&w, ASSAY_SLICE("a"));
    assay_json_null(&w);
    assay_json_array_close(&w);
    assay_json_name(&w, ASSAY_SLICE("cnf"));
    assay_json_object_open(&w);
    assay_json_object_close(&w);
    assay_json_name(&w, ASSAY_SLICE("seq"));
    assay_json_u64(&w, UINT64_MAX);
    assay_json_object_close(&w);
    expect(ASSAY_SLICE("{\"active\":true,\"exp\":-1,\"aud\":[\"a\",null],\"cnf\":{},"
                       "\"seq\":18446744073709551615}"));
}

static void an_empty_text_is_left_out_and_an_empty_string_is_not(void **state)
{
    (void)state;
    assay_json_object_open(&w);
    assay_json_member_text(&w, ASSAY_SLICE("a"), (struct assay_slice){0});
    assay_json_member_string(&w, ASSAY_SLICE("b"), (struct assay_slice){0});
    assay_json_member_text(&w, ASSAY_SLICE("c"), ASSAY_SLICE("x"));
    assay_json_object_close(&w);
    expect(ASSAY_SLICE("{\"b\":\"\",\"c\":\"x\"}"));
}

static void a_list_becomes_an_array(void **state)
{
    (void)state;
    assay_json_object_open(&w);
    assay_json_member_list(&w, ASSAY_SLICE("a"), ASSAY_SLICE("x y\"z"));
    assay_json_member_list(&w, ASSAY_SLICE("b"), ASSAY_SLICE("x"));
    assay_json_member_list(&w, ASSAY_SLICE("c"), (struct assay_slice){0});
    assay_json_object_close(&w);
    expect(ASSAY_SLICE("{\"a\":[\"x\",\"y\\\"z\"],\"b\":[\"x\"],\"c\":[]}"));
}

static void text_that_is_json_already_goes_in_as_it_is(void **state)
{
    (void)state;
    assay_json_object_open(&w);
    assay_json_member_i64(&w, ASSAY_SLICE("a"), 1);
    assay_json_raw(&w, ASSAY_SLICE("\"b\":2,\"c\":[3]"));
    assay_json_member_i64(&w, ASSAY_SLICE("d"), 4);
    assay_json_object_close(&w);
    expect(ASSAY_SLICE("{\"a\":1,\"b\":2,\"c\":[3],\"d\":4}"));
}

/* A-TOK-21, RFC 8259 section 7 */
static void what_would_end_or_bend_a_string_is_escaped(void **state)
{
    (void)state;
    assert_slice_equal(quoted(ASSAY_SLICE("a\"b\\c")), ASSAY_SLICE("\"a\\\"b\\\\c\""));
    assert_slice_equal(quoted(ASSAY_SLICE("\b\f\n\r\t")), ASSAY_SLICE("\"\\b\\f\\n\\r\\t\""));
    assert_slice_equal(quoted(ASSAY_SLICE("a\0\x1f")), ASSAY_SLICE("\"a\\u0000\\u001f\""));
    assert_slice_equal(quoted(ASSAY_SLICE("\",\"active\":true,\"x\":\"")),
                       ASSAY_SLICE("\"\\\",\\\"active\\\":true,\\\"x\\\":\\\"\""));
    assert_slice_equal(quoted(ASSAY_SLICE("/\x7f")), ASSAY_SLICE("\"/\x7f\""));
}

/* A-TOK-21: a name is a string too. */
static void names_are_escaped_as_strings_are(void **state)
{
    (void)state;
    assay_json_object_open(&w);
    assay_json_member_i64(&w, ASSAY_SLICE("a\":1,\"b"), 2);
    assay_json_object_close(&w);
    expect(ASSAY_SLICE("{\"a\\\":1,\\\"b\":2}"));
}

/* A-TOK-21: they end a line in JavaScript; their neighbours do not. */
static void line_separators_are_escaped(void **state)
{
    (void)state;
    assert_slice_equal(quoted(ASSAY_SLICE("a\xE2\x80\xA8\xE2\x80\xA9z")),
                       ASSAY_SLICE("\"a\\u2028\\u2029z\""));
    assert_slice_equal(quoted(ASSAY_SLICE("\xE2\x80\xA7\xE2\x80\xAA")),
                       ASSAY_SLICE("\"\xE2\x80\xA7\xE2\x80\xAA\""));
}

/* A-TOK-21: a lone surrogate, an overlong form, a character that is cut off. */
static void what_is_not_utf8_becomes_the_replacement_character(void **state)
{
    (void)state;
    reads_back_as(ASSAY_SLICE("a\xFFz"), ASSAY_SLICE("a\xEF\xBF\xBDz"));
    reads_back_as(ASSAY_SLICE("\xED\xA0\x80"), ASSAY_SLICE("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"));
    reads_back_as(ASSAY_SLICE("\xC0\xA2"), ASSAY_SLICE("\xEF\xBF\xBD\xEF\xBF\xBD"));
    reads_back_as(ASSAY_SLICE("a\xE2\x80"), ASSAY_SLICE("a\xEF\xBF\xBD\xEF\xBF\xBD"));
    reads_back_as(ASSAY_SLICE("\xE2\""), ASSAY_SLICE("\xEF\xBF\xBD\""));
}

/* A-TOK-21: ASCII one by one, and both ends of each length of UTF-8. */
static void another_parser_reads_every_character_back(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        const uint8_t text[] = {'a', (uint8_t)c, 'z'};
        reads_back_as(assay_slice_of(text, 3), assay_slice_of(text, 3));
    }
    reads_back_as(ASSAY_SLICE("\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"
                              "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
                  ASSAY_SLICE("\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF"
                              "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
}

/* `text` with the byte at `at` as another parser should read it: itself, or the replacement
 * character where it is part of no UTF-8. */
static struct assay_slice with_replacement(const uint8_t *text, size_t len, size_t at,
                                           uint8_t out_text[64])
{
    static const uint8_t replacement[] = {0xEF, 0xBF, 0xBD};
    if (text[at] < 0x80) {
        return assay_slice_of(text, len);
    }
    memcpy(out_text, text, at);
    memcpy(out_text + at, replacement, 3);
    memcpy(out_text + at + 3, text + at + 1, len - at - 1);
    return assay_slice_of(out_text, len + 2);
}

/* A-TOK-21: bytes are looked at by eights and sixteens, and none of them may be overlooked: every
 * byte at every place of strings of every length up to 40. */
static void no_byte_is_overlooked_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t len = 1; len <= 40; len++) {
        uint8_t *text = malloc(len); /* of its exact size, for the sanitizers */
        assert_non_null(text);
        memset(text, 'a', len);
        for (size_t at = 0; at < len; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                uint8_t expected[64];
                text[at] = (uint8_t)byte;
                reads_back_as(assay_slice_of(text, len), with_replacement(text, len, at, expected));
            }
            text[at] = 'a';
        }
        free(text);
    }
}

/* A-TOK-21: 64 KiB of what takes most room. */
static void a_long_string_of_escapes_is_written_whole(void **state)
{
    (void)state;
    static uint8_t text[65536];
    memset(text, 1, sizeof(text));
    struct assay_slice written = quoted(assay_slice_of(text, sizeof(text)));
    assert_int_equal(written.len, 6 * sizeof(text) + 2);
    reads_back_as(assay_slice_of(text, sizeof(text)), assay_slice_of(text, sizeof(text)));
}

/* Wherever the room ends, the writer stops there and says so. */
static void a_value_that_does_not_fit_leaves_the_buffer_spent(void **state)
{
    (void)state;
    static const struct assay_slice value = {(const uint8_t *)"a\n\xE2\x80\xA8\xFFz", 7};
    size_t whole = quoted(value).len;
    for (size_t size = 0; size < whole; size++) {
        uint8_t *small = malloc(size == 0 ? 1 : size);
        assert_non_null(small);
        assay_buf_init(&out, small, size);
        assay_json_init(&w, &out);
        assay_json_string(&w, value);
        assert_true(out.spent);
        assert_true(out.len <= size);
        free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(members_and_items_are_parted_by_commas, fresh_writer),
        cmocka_unit_test_setup(an_empty_text_is_left_out_and_an_empty_string_is_not, fresh_writer),
        cmocka_unit_test_setup(a_list_becomes_an_array, fresh_writer),
        cmocka_unit_test_setup(text_that_is_json_already_goes_in_as_it_is, fresh_writer),
        cmocka_unit_test_setup(what_would_end_or_bend_a_string_is_escaped, fresh_writer),
        cmocka_unit_test_setup(names_are_escaped_as_strings_are, fresh_writer),
        cmocka_unit_test_setup(line_separators_are_escaped, fresh_writer),
        cmocka_unit_test_setup(what_is_not_utf8_becomes_the_replacement_character, fresh_writer),
        cmocka_unit_test_setup(another_parser_reads_every_character_back, fresh_writer),
        cmocka_unit_test_setup(no_byte_is_overlooked_wherever_it_stands, fresh_writer),
        cmocka_unit_test_setup(a_long_string_of_escapes_is_written_whole, fresh_writer),
        cmocka_unit_test_setup(a_value_that_does_not_fit_leaves_the_buffer_spent, fresh_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
