#include "json/flat.h"

#include "base/limits.h"
#include "support/check.h"

#include <stdio.h>

static struct assay_json_flat flat;
static struct assay_error error;
static uint8_t memory[65536];
static struct assay_arena arena;

static int set_up(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assay_arena_release(&arena);
    return 0;
}

static void open_flat(struct assay_slice text, bool plain)
{
    assert_ok(assay_json_flat_open(text, ASSAY_MAX_JOSE_DEPTH, &flat, &error), &error);
    assert_int_equal(flat.json == NULL, plain);
}

#define PLAIN                                                                                      \
    "{\"s\":\"x\",\"i\":1700000300,\"b\":true,\"n\":null,\"a\":[\"x\",\"y\"],\"e\":[],\"f\":"      \
    "false}"

/* Once as it lies there, once as the reader has it: the same. */
static void members_are_read_by_their_type_either_way(void **state)
{
    (void)state;
    static uint8_t other[sizeof(PLAIN) + 16] = "{\"o\":-1,";
    memcpy(other + 8, &PLAIN[1], sizeof(PLAIN) - 2);
    for (int i = 0; i < 2; i++) {
        struct assay_slice text = {0};
        double number = 0;
        bool truth = false;
        open_flat(i == 0 ? ASSAY_SLICE(PLAIN) : assay_slice_of(other, 8 + sizeof(PLAIN) - 2),
                  i == 0);
        assert_true(assay_json_flat_string(&flat, ASSAY_SLICE("s"), &text));
        assert_slice_equal(text, ASSAY_SLICE("x"));
        assert_true(assay_json_flat_number(&flat, ASSAY_SLICE("i"), &number));
        assert_true(number == 1700000300);
        assert_true(assay_json_flat_bool(&flat, ASSAY_SLICE("b"), &truth) && truth);
        assert_true(assay_json_flat_bool(&flat, ASSAY_SLICE("f"), &truth) && !truth);
        assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("n")), ASSAY_JSON_NULL);
        assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("a")), ASSAY_JSON_ARRAY);
        assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("S")), ASSAY_JSON_ABSENT);
        assert_true(assay_json_flat_list(&flat, ASSAY_SLICE("a"), &arena, &text));
        assert_slice_equal(text, ASSAY_SLICE("x y"));
        assert_true(assay_json_flat_list(&flat, ASSAY_SLICE("e"), &arena, &text));
        assert_slice_equal(text, ASSAY_SLICE(""));
        assay_json_flat_close(&flat);
    }
}

static void a_member_of_another_type_is_not_converted(void **state)
{
    (void)state;
    struct assay_slice text = ASSAY_SLICE("before");
    double number = 7;
    bool truth = true;
    open_flat(ASSAY_SLICE("{\"s\":\"1\",\"i\":1,\"b\":false,\"n\":null,\"a\":[\"1\"]}"), true);
    assert_false(assay_json_flat_number(&flat, ASSAY_SLICE("s"), &number));
    assert_false(assay_json_flat_number(&flat, ASSAY_SLICE("n"), &number));
    assert_false(assay_json_flat_number(&flat, ASSAY_SLICE("a"), &number));
    assert_false(assay_json_flat_bool(&flat, ASSAY_SLICE("i"), &truth));
    assert_false(assay_json_flat_bool(&flat, ASSAY_SLICE("absent"), &truth));
    assert_false(assay_json_flat_string(&flat, ASSAY_SLICE("i"), &text));
    assert_false(assay_json_flat_string(&flat, ASSAY_SLICE("a"), &text));
    assert_false(assay_json_flat_list(&flat, ASSAY_SLICE("s"), &arena, &text));
    assert_true(number == 7 && truth);
    assert_slice_equal(text, ASSAY_SLICE("before"));
    assay_json_flat_close(&flat);
}

static void a_list_has_no_empty_item_and_none_with_a_space(void **state)
{
    (void)state;
    struct assay_slice text = ASSAY_SLICE("before");
    open_flat(ASSAY_SLICE("{\"a\":[\"x\",\"\"],\"b\":[\"x y\"],\"c\":[ \"x\" , \"y\" ]}"), true);
    assert_false(assay_json_flat_list(&flat, ASSAY_SLICE("a"), &arena, &text));
    assert_false(assay_json_flat_list(&flat, ASSAY_SLICE("b"), &arena, &text));
    assert_slice_equal(text, ASSAY_SLICE("before"));
    assert_true(assay_json_flat_list(&flat, ASSAY_SLICE("c"), &arena, &text));
    assert_slice_equal(text, ASSAY_SLICE("x y"));
    assay_json_flat_close(&flat);
}

static void what_is_not_plain_is_left_to_the_reader(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"a\":1.5}",
        "{\"a\":-1}",
        "{\"a\":1e3}",
        "{\"a\":1234567890123456}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"\\/\"}",
        "{\"\\u0041\":1}",
        "{\"a\":[1.5]}",
        "{\"a\":{\"b\":[{\"c\":-1}]}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        open_flat(assay_slice_of_text(texts[i]), false);
        assay_json_flat_close(&flat);
    }
    double number = 0;
    open_flat(ASSAY_SLICE("{\"a\":1.5}"), false);
    assert_true(assay_json_flat_number(&flat, ASSAY_SLICE("a"), &number));
    assert_true(number == 1.5);
    assay_json_flat_close(&flat);
}

static struct assay_slice members(size_t count, const char *inside)
{
    static char text[4096];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s{", inside);
    for (size_t i = 0; i < count; i++) {
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s\"%zu\":0", i == 0 ? "" : ",", i);
    }
    len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", inside[0] == 0 ? "}" : "}}");
    return assay_slice_of(text, len);
}

/* Many members, names or levels are read all the same, only otherwise. */
static void what_is_too_much_at_a_time_is_left_to_the_reader(void **state)
{
    (void)state;
    open_flat(members(ASSAY_JSON_FLAT_MEMBERS, ""), true);
    assay_json_flat_close(&flat);
    open_flat(members(ASSAY_JSON_FLAT_MEMBERS + 1, ""), false);
    assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("32")), ASSAY_JSON_INTEGER);
    assay_json_flat_close(&flat);
    open_flat(members(32, "{\"a\":"), true);
    assay_json_flat_close(&flat);
    open_flat(members(33, "{\"a\":"), false);
    assay_json_flat_close(&flat);
    open_flat(ASSAY_SLICE("{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"), true);
    assay_json_flat_close(&flat);
    assert_int_equal(assay_json_flat_open(ASSAY_SLICE("{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"),
                                          ASSAY_MAX_JOSE_DEPTH, &flat, &error),
                     ASSAY_ERR_LIMIT);
    assert_int_equal(assay_json_flat_open(ASSAY_SLICE("{\"a\":[]}"), 1, &flat, &error),
                     ASSAY_ERR_LIMIT);
}

static void what_is_nested_is_gone_over_and_read_when_asked_for(void **state)
{
    (void)state;
    const struct assay_json *whole = NULL;
    struct assay_slice text = {0};
    open_flat(ASSAY_SLICE("{\"o\":{\"a\":[1,{\"b\":null,\"c\":[]},{}],\"b\":{\"a\":true}},"
                          "\"l\":[\"x\",1],\"m\":[[\"x\"]],\"u\":\"\xC3\xA4\"}"),
              true);
    assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("o")), ASSAY_JSON_OBJECT);
    assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("a")), ASSAY_JSON_ABSENT);
    assert_false(assay_json_flat_list(&flat, ASSAY_SLICE("l"), &arena, &text));
    assert_false(assay_json_flat_list(&flat, ASSAY_SLICE("m"), &arena, &text));
    assert_true(assay_json_flat_string(&flat, ASSAY_SLICE("u"), &text));
    assert_slice_equal(text, ASSAY_SLICE("\xC3\xA4"));
    assert_ok(assay_json_flat_whole(&flat, &whole, &error), &error);
    assert_non_null(assay_json_point(whole, ASSAY_SLICE("/o/b/a")));
    assay_json_flat_close(&flat);
}

static void white_space_is_where_json_has_it(void **state)
{
    (void)state;
    open_flat(ASSAY_SLICE(" \t\r\n{ \"a\" : 1 ,\n\"b\" : [ ] } \n"), true);
    assert_int_equal(assay_json_flat_type(&flat, ASSAY_SLICE("b")), ASSAY_JSON_ARRAY);
    assay_json_flat_close(&flat);
    open_flat(ASSAY_SLICE("{ }"), true);
    assert_int_equal(flat.count, 0);
    assay_json_flat_close(&flat);
}

/* A-JWT-06, R7515-4-1, R7519-4-1: whatever the reader refuses is refused. */
static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{",
        "}",
        "{}x",
        "{}{}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":01}",
        "{\"a\":00}",
        "{\"a\":+1}",
        "{\"a\":1 2}",
        "{\"a\":tru}",
        "{\"a\":truex}",
        "{\"a\":nul",
        "{\"a\":True}",
        "{\"a\":\"x}",
        "{\"a\":[\"x\",]}",
        "{\"a\":[,]}",
        "{\"a\":[\"x\"}",
        "{\"a\":[\"x\" \"y\"]}",
        "[1]",
        "\"x\"",
        "1",
        "null",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\x7F\xFF\"}",
        "\xEF\xBB\xBF{}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":1e400}",
        "{\"x\":{\"a\":1,\"a\":1}}",
        "{\"x\":[{\"a\":{\"b\":1},\"a\":1}]}",
        "{\"x\":{\"a\":1,}}",
        "{\"x\":{,}}",
        "{\"x\":{\"a\"}}",
        "{\"x\":[}]}",
        "{\"x\":{]}}",
        "{\"x\":[1,]}",
        "{\"x\":[1}",
        "{\"x\":[[1]}",
        "{\"x\":{\"a\":[1}]}",
        "{\"x\":[\"\xC0\xAF\"]}",
        "{\"x\":\"\xED\xA0\x80\"}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        enum assay_status status = assay_json_flat_open(assay_slice_of_text(texts[i]),
                                                        ASSAY_MAX_JOSE_DEPTH, &flat, &error);
        if (status != ASSAY_ERR_SYNTAX) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_null(flat.json);
    }
}

/* What was borrowed stays, and members by pointer are there. */
static void the_whole_object_is_read_when_it_is_asked_for(void **state)
{
    (void)state;
    struct assay_slice text = {0};
    struct assay_slice again = {0};
    const struct assay_json *whole = NULL;
    open_flat(ASSAY_SLICE("{\"s\":\"x\",\"a\":[\"y\"]}"), true);
    assert_true(assay_json_flat_string(&flat, ASSAY_SLICE("s"), &text));
    assert_ok(assay_json_flat_whole(&flat, &whole, &error), &error);
    assert_non_null(assay_json_point(whole, ASSAY_SLICE("/a")));
    assert_true(assay_json_flat_string(&flat, ASSAY_SLICE("s"), &again));
    assert_slice_equal(text, again);
    assert_ok(assay_json_flat_whole(&flat, &whole, &error), &error);
    assay_json_flat_close(&flat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_by_their_type_either_way),
        cmocka_unit_test(a_member_of_another_type_is_not_converted),
        cmocka_unit_test(a_list_has_no_empty_item_and_none_with_a_space),
        cmocka_unit_test(what_is_not_plain_is_left_to_the_reader),
        cmocka_unit_test(what_is_too_much_at_a_time_is_left_to_the_reader),
        cmocka_unit_test(what_is_nested_is_gone_over_and_read_when_asked_for),
        cmocka_unit_test(white_space_is_where_json_has_it),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(the_whole_object_is_read_when_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
