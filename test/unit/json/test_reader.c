#include "json/reader.h"

#include "base/limits.h"
#include "support/check.h"

static struct assay_error error;

static struct assay_json *open_json(struct assay_slice text)
{
    struct assay_json *json = NULL;
    assert_ok(assay_json_open(text, ASSAY_MAX_JSON_DEPTH, &json, &error), &error);
    assert_non_null(json);
    return json;
}

static void refuse(struct assay_slice text, enum assay_status expected)
{
    struct assay_json *json = NULL;
    error = (struct assay_error){0};
    if (assay_json_open(text, ASSAY_MAX_JSON_DEPTH, &json, &error) != expected) {
        fail_msg("not refused as it should be: %.*s", (int)text.len,
                 text.data == NULL ? "" : (const char *)text.data);
    }
    assert_null(json);
    assert_non_null(error.what);
}

static void members_are_read_by_their_type(void **state)
{
    (void)state;
    struct assay_json *json =
        open_json(ASSAY_SLICE("{\"s\":\"x\",\"i\":-9223372036854775808,\"b\":true,\"n\":null,"
                              "\"r\":1.5,\"a\":[],\"o\":{}}"));
    struct assay_slice text;
    int64_t number = 0;
    bool truth = false;
    assert_true(assay_json_get_string(json, ASSAY_SLICE("s"), &text));
    assert_slice_equal(text, ASSAY_SLICE("x"));
    assert_true(assay_json_get_i64(json, ASSAY_SLICE("i"), &number));
    assert_true(number == INT64_MIN);
    assert_true(assay_json_get_bool(json, ASSAY_SLICE("b"), &truth) && truth);
    assert_int_equal(assay_json_type(json, ASSAY_SLICE("n")), ASSAY_JSON_NULL);
    assert_int_equal(assay_json_type(json, ASSAY_SLICE("r")), ASSAY_JSON_REAL);
    assert_int_equal(assay_json_type(json, ASSAY_SLICE("a")), ASSAY_JSON_ARRAY);
    assert_int_equal(assay_json_type(json, ASSAY_SLICE("o")), ASSAY_JSON_OBJECT);
    assert_int_equal(assay_json_type(json, ASSAY_SLICE("S")), ASSAY_JSON_ABSENT);
    assay_json_close(json);
}

/* "1" is not 1, 1 is not true, and the output stays as it was. */
static void a_member_of_another_type_is_not_converted(void **state)
{
    (void)state;
    struct assay_json *json =
        open_json(ASSAY_SLICE("{\"s\":\"1\",\"i\":1,\"r\":1.0,\"b\":false,\"n\":null}"));
    struct assay_slice text = ASSAY_SLICE("before");
    int64_t number = 7;
    bool truth = true;
    assert_false(assay_json_get_i64(json, ASSAY_SLICE("s"), &number));
    assert_false(assay_json_get_i64(json, ASSAY_SLICE("r"), &number));
    assert_false(assay_json_get_i64(json, ASSAY_SLICE("b"), &number));
    assert_false(assay_json_get_i64(json, ASSAY_SLICE("absent"), &number));
    assert_false(assay_json_get_bool(json, ASSAY_SLICE("i"), &truth));
    assert_false(assay_json_get_bool(json, ASSAY_SLICE("n"), &truth));
    assert_false(assay_json_get_string(json, ASSAY_SLICE("i"), &text));
    assert_false(assay_json_get_string(json, ASSAY_SLICE("n"), &text));
    assert_int_equal(number, 7);
    assert_true(truth);
    assert_slice_equal(text, ASSAY_SLICE("before"));
    assay_json_close(json);
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    refuse((struct assay_slice){0}, ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("   "), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("[1]"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("1"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("\"{}\""), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("null"), ASSAY_ERR_SYNTAX);
}

/* Two readers of one text could each believe another of the two. */
static void a_repeated_name_is_refused_at_any_depth_and_in_any_spelling(void **state)
{
    (void)state;
    refuse(ASSAY_SLICE("{\"a\":1,\"a\":1}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":1,\"\\u0061\":2}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}"), ASSAY_ERR_SYNTAX);
}

static void what_lenient_readers_take_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1}x",
        "{\"a\":1}{}",
        "{\"a\":1,}",
        "{,}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":0x10}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":True}",
        "{\"a\":1 /* x */}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\\x41\"}",
        "{\"a\":\"\\u00g0\"}",
        "{\"a\":\"x}",
        "{\"a\":1",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":[1,]}",
        "\xEF\xBB\xBF{}",
        "{\"a\":1e400}",
        "{\"a\":9223372036854775808}",
        "{\"a\":[}]",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuse(assay_slice_of_text(texts[i]), ASSAY_ERR_SYNTAX);
    }
}

static void nul_and_bad_utf8_are_refused(void **state)
{
    (void)state;
    refuse(ASSAY_SLICE("{\"a\":\"x\\u0000y\"}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\\u0000\":1}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":\"x\0y\"}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{}\0"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":\"\xFF\"}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":\"\xC0\xAF\"}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":\"\xED\xA0\x80\"}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":\"\\ud800\"}"), ASSAY_ERR_SYNTAX);
    refuse(ASSAY_SLICE("{\"a\":\"\\udc00\\ud800\"}"), ASSAY_ERR_SYNTAX);
}

/* The parser calls itself for each bracket: how many there may be is looked at before it starts. */
static void depth_is_bounded_before_anything_is_parsed(void **state)
{
    (void)state;
    static uint8_t deep[200000];
    assay_json_close(open_json(ASSAY_SLICE("{\"a\":[[[[[[[1]]]]]]]}")));
    refuse(ASSAY_SLICE("{\"a\":[[[[[[[[1]]]]]]]]}"), ASSAY_ERR_LIMIT);
    refuse(ASSAY_SLICE("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}"),
           ASSAY_ERR_LIMIT);
    memset(deep, '[', sizeof(deep));
    refuse(assay_slice_of(deep, sizeof(deep)), ASSAY_ERR_LIMIT);
}

static void brackets_in_strings_are_not_depth(void **state)
{
    (void)state;
    assay_json_close(open_json(ASSAY_SLICE("{\"a\":\"[[[[[[[[[[\\\"[[[[\\\\\"}")));
    refuse(ASSAY_SLICE("{\"a\":\"\\\\\",\"b\":[[[[[[[[1]]]]]]]]}"), ASSAY_ERR_LIMIT);
}

static void the_error_points_into_the_text(void **state)
{
    (void)state;
    refuse(ASSAY_SLICE("{\"a\":1,\"b\":x}"), ASSAY_ERR_SYNTAX);
    assert_in_range(error.offset, 11, 13);
}

static void a_list_is_joined_and_what_is_no_list_of_words_is_refused(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct assay_arena arena;
    struct assay_slice list = ASSAY_SLICE("before");
    struct assay_json *json = open_json(
        ASSAY_SLICE("{\"good\":[\"a\",\"bc\"],\"one\":[\"a\"],\"none\":[],\"empty\":[\"a\",\"\"],"
                    "\"space\":[\"a b\"],\"mixed\":[\"a\",1],\"text\":\"a\",\"deep\":[[\"a\"]]}"));
    assay_arena_init(&arena, memory, sizeof(memory));
    assert_false(assay_json_get_list(json, ASSAY_SLICE("empty"), &arena, &list));
    assert_false(assay_json_get_list(json, ASSAY_SLICE("space"), &arena, &list));
    assert_false(assay_json_get_list(json, ASSAY_SLICE("mixed"), &arena, &list));
    assert_false(assay_json_get_list(json, ASSAY_SLICE("text"), &arena, &list));
    assert_false(assay_json_get_list(json, ASSAY_SLICE("deep"), &arena, &list));
    assert_false(assay_json_get_list(json, ASSAY_SLICE("absent"), &arena, &list));
    assert_slice_equal(list, ASSAY_SLICE("before"));
    assert_true(assay_json_get_list(json, ASSAY_SLICE("good"), &arena, &list));
    assert_slice_equal(list, ASSAY_SLICE("a bc"));
    assert_true(assay_json_get_list(json, ASSAY_SLICE("one"), &arena, &list));
    assert_slice_equal(list, ASSAY_SLICE("a"));
    assert_true(assay_json_get_list(json, ASSAY_SLICE("none"), &arena, &list));
    assert_int_equal(list.len, 0);
    assay_arena_release(&arena);
    assay_arena_init(&arena, memory, 3);
    assert_false(assay_json_get_list(json, ASSAY_SLICE("good"), &arena, &list));
    assay_arena_release(&arena);
    assay_json_close(json);
}

static void a_member_is_written_out_as_compact_json(void **state)
{
    (void)state;
    uint8_t memory[256];
    struct assay_arena arena;
    struct assay_slice raw;
    struct assay_json *json = open_json(
        ASSAY_SLICE("{ \"a\" : { \"z\" : [ 1 , \"\\u00e9\" ], \"b\" : null }, \"t\": \"x\" }"));
    assay_arena_init(&arena, memory, sizeof(memory));
    assert_true(assay_json_get_raw(json, ASSAY_SLICE("a"), &arena, &raw));
    assert_slice_equal(raw, ASSAY_SLICE("{\"z\":[1,\"\xC3\xA9\"],\"b\":null}"));
    assert_true(assay_json_get_raw(json, ASSAY_SLICE("t"), &arena, &raw));
    assert_slice_equal(raw, ASSAY_SLICE("\"x\""));
    assert_false(assay_json_get_raw(json, ASSAY_SLICE("absent"), &arena, &raw));
    assay_arena_release(&arena);
    assay_arena_init(&arena, memory, 2);
    assert_false(assay_json_get_raw(json, ASSAY_SLICE("t"), &arena, &raw));
    assay_arena_release(&arena);
    assay_json_close(json);
}

struct seen {
    size_t count;
    size_t until;
    char names[8];
};

static bool note_member(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct seen *seen = context;
    assert_int_equal(type, ASSAY_JSON_INTEGER);
    assert_int_equal(name.len, 1);
    seen->names[seen->count++] = (char)name.data[0];
    return seen->count < seen->until;
}

static void members_come_in_order_until_one_is_enough(void **state)
{
    (void)state;
    struct assay_json *json = open_json(ASSAY_SLICE("{\"z\":1,\"a\":2,\"m\":3}"));
    struct seen all = {.until = 9};
    assert_true(assay_json_each(json, note_member, &all));
    assert_string_equal(all.names, "zam");
    struct seen two = {.until = 2};
    assert_false(assay_json_each(json, note_member, &two));
    assert_string_equal(two.names, "za");
    assay_json_close(json);
}

static bool note_item(void *context, const struct assay_json *item)
{
    struct seen *seen = context;
    int64_t number = 0;
    assert_true(assay_json_get_i64(item, ASSAY_SLICE("n"), &number));
    seen->names[seen->count++] = (char)('0' + number);
    return true;
}

static void items_come_in_order_and_each_must_be_an_object(void **state)
{
    (void)state;
    struct assay_json *json = open_json(
        ASSAY_SLICE("{\"a\":[{\"n\":3},{\"n\":1}],\"b\":[{\"n\":2},7],\"c\":{\"n\":1},\"d\":[]}"));
    struct seen good = {0};
    assert_true(assay_json_each_item(json, ASSAY_SLICE("a"), note_item, &good));
    assert_string_equal(good.names, "31");
    struct seen mixed = {0};
    assert_false(assay_json_each_item(json, ASSAY_SLICE("b"), note_item, &mixed));
    assert_string_equal(mixed.names, "2");
    assert_false(assay_json_each_item(json, ASSAY_SLICE("c"), note_item, &good));
    assert_false(assay_json_each_item(json, ASSAY_SLICE("absent"), note_item, &good));
    assert_true(assay_json_each_item(json, ASSAY_SLICE("d"), note_item, &good));
    assay_json_close(json);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    assay_json_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_by_their_type),
        cmocka_unit_test(a_member_of_another_type_is_not_converted),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(a_repeated_name_is_refused_at_any_depth_and_in_any_spelling),
        cmocka_unit_test(what_lenient_readers_take_is_refused),
        cmocka_unit_test(nul_and_bad_utf8_are_refused),
        cmocka_unit_test(depth_is_bounded_before_anything_is_parsed),
        cmocka_unit_test(brackets_in_strings_are_not_depth),
        cmocka_unit_test(the_error_points_into_the_text),
        cmocka_unit_test(a_list_is_joined_and_what_is_no_list_of_words_is_refused),
        cmocka_unit_test(a_member_is_written_out_as_compact_json),
        cmocka_unit_test(members_come_in_order_until_one_is_enough),
        cmocka_unit_test(items_come_in_order_and_each_must_be_an_object),
        cmocka_unit_test(closing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
