#include "admin/input.h"

#include "base/limits.h"
#include "support/check.h"

#include <stdio.h>

#define ANY 0xFFFFFFFFu

static uint8_t room[65536];
static struct assay_admin_input input;
static struct assay_admin_fault fault;

static bool take(const char *body, uint32_t takes, uint32_t needs)
{
    struct assay_arena arena;
    assay_arena_init(&arena, room, sizeof room);
    memset(&fault, 0, sizeof fault);
    return assay_admin_input_read(assay_slice_of_text(body), takes, needs, &arena, &input, &fault);
}

static void members_are_read_by_type(void **state)
{
    (void)state;
    assert_true(take("{\"client_id\":\"robot\",\"audience\":[\"https://a\",\"https://b\"],"
                     "\"lifetime\":60,\"refresh\":true}",
                     ANY, 0));
    assert_slice_equal(input.client_id, ASSAY_SLICE("robot"));
    assert_slice_equal(input.audience, ASSAY_SLICE("https://a https://b"));
    assert_int_equal(input.lifetime_s, 60);
    assert_true(input.refresh);
    assert_int_equal(input.given,
                     ASSAY_IN_CLIENT_ID | ASSAY_IN_AUDIENCE | ASSAY_IN_LIFETIME | ASSAY_IN_REFRESH);
}

static void body_may_be_empty_when_nothing_is_needed(void **state)
{
    (void)state;
    assert_true(take("", 0, 0));
    assert_true(take("{}", 0, 0));
    assert_false(take("", ANY, ASSAY_IN_SUBJECT));
    assert_slice_equal(fault.member, ASSAY_SLICE("subject"));
    assert_string_equal(fault.what, "is missing");
}

/* A member that a verb ignores would be a wish that is not fulfilled. */
static void member_that_a_verb_does_not_take_is_refused(void **state)
{
    (void)state;
    assert_false(take("{\"admin\":true}", ASSAY_IN_CLIENT_ID, 0));
    assert_slice_equal(fault.member, ASSAY_SLICE("admin"));
    assert_false(take("{\"client_id\":\"a\",\"adnim\":true}", ANY, 0));
    assert_false(take("{\"Client_id\":\"a\"}", ANY, 0));
}

static void wrong_types_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"client_id\":1}",      "{\"client_id\":null}",     "{\"client_id\":[\"a\"]}",
        "{\"audience\":\"a\"}",   "{\"audience\":[1]}",       "{\"audience\":[\"a b\"]}",
        "{\"audience\":[\"\"]}",  "{\"lifetime\":\"60\"}",    "{\"lifetime\":1.5}",
        "{\"lifetime\":-1}",      "{\"lifetime\":315360001}", "{\"refresh\":1}",
        "{\"refresh\":\"true\"}", "{\"lifetime\":1e3}",       "{\"lifetime\":true}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (take(wrong[i], ANY, 0)) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
}

static void body_that_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[]",
        "null",
        "\"a\"",
        "{",
        "{}x",
        "{\"client_id\":\"a\",\"client_id\":\"b\"}",
        "\xEF\xBB\xBF{}",
        "{\"name\":\"\xFF\"}",
        "{\"name\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (take(wrong[i], ANY, 0)) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
}

/* A-CLI-02 */
static void control_characters_and_long_text_are_refused(void **state)
{
    (void)state;
    assert_false(take("{\"name\":\"a\\nb\"}", ANY, 0));
    assert_false(take("{\"subject\":\"a\\u0000b\"}", ANY, 0));
    assert_false(take("{\"username\":\"\\u001b[2J\"}", ANY, 0));
    assert_false(take("{\"sid\":\"\\u007f\"}", ANY, 0));

    char body[1024];
    char text[300];
    memset(text, 'a', sizeof text);
    snprintf(body, sizeof body, "{\"subject\":\"%.*s\"}", ASSAY_MAX_SUBJECT, text);
    assert_true(take(body, ANY, 0));
    snprintf(body, sizeof body, "{\"subject\":\"%.*s\"}", ASSAY_MAX_SUBJECT + 1, text);
    assert_false(take(body, ANY, 0));
}

static void spent_arena_is_a_refusal_not_a_crash(void **state)
{
    (void)state;
    struct assay_arena arena;
    assay_arena_init(&arena, room, 4);
    assert_false(assay_admin_input_read(ASSAY_SLICE("{\"client_id\":\"robot\"}"), ANY, 0, &arena,
                                        &input, &fault));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_by_type),
        cmocka_unit_test(body_may_be_empty_when_nothing_is_needed),
        cmocka_unit_test(member_that_a_verb_does_not_take_is_refused),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(body_that_is_no_object_is_refused),
        cmocka_unit_test(control_characters_and_long_text_are_refused),
        cmocka_unit_test(spent_arena_is_a_refusal_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
