#include "oauth/answer.h"

#include "support/check.h"
#include "support/vector.h"

#include <jansson.h>

#include <stdlib.h>

#define NOW INT64_C(1700000000)

static uint8_t memory[16384];
static struct assay_arena arena;
static struct assay_answer answer;

static int open_arena(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    answer = (struct assay_answer){0};
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    assay_answer_close(&answer);
    assay_arena_release(&arena);
    return 0;
}

static enum assay_status read_answer(const char *body)
{
    struct assay_error error = {0};
    assay_answer_close(&answer);
    enum assay_status status =
        assay_answer_read(assay_slice_of_text(body), &arena, &answer, &error);
    assert_true(status == ASSAY_OK || (error.what != NULL && answer.json == NULL));
    return status;
}

static void refused(const char *body)
{
    if (read_answer(body) != ASSAY_ERR_SYNTAX) {
        fail_msg("not refused: %s", body);
    }
    assert_false(answer.active);
}

static void inactive(const char *body)
{
    assert_int_equal(read_answer(body), ASSAY_OK);
    assert_false(assay_answer_is_current(&answer, NOW));
}

/* R7662-2.2-11 R7662-4-15: every case of the vectors. What is `reject` there is read, and leaves to
 * the rules what they refuse by. */
static void the_vectors_are_read_as_they_say(void **state)
{
    (void)state;
    json_t *vector = vector_open("introspection-http.json");
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(vector, "rs_parser_cases"), i, each)
    {
        json_t *response = json_object_get(each, "response");
        const char *expect = json_string_value(json_object_get(each, "expect"));
        char *body = json_is_string(response) ? strdup(json_string_value(response))
                                              : json_dumps(response, JSON_COMPACT);
        assert_non_null(body);
        if (strcmp(expect, "error") == 0) {
            refused(body);
        } else if (strcmp(expect, "inactive") == 0) {
            inactive(body);
        } else {
            assert_string_equal(expect, "reject");
            assert_int_equal(read_answer(body), ASSAY_OK);
            assert_true(answer.confirmed || answer.has_audience);
        }
        free(body);
    }
    assert_true(i >= 13);
    json_decref(vector);
}

/* R7662-2.2-11: whatever else stands for `active` is no. */
static void only_the_literal_true_is_active(void **state)
{
    (void)state;
    static const char *const no[] = {"false", "null", "\"true\"", "1",    "\"1\"", "[true]",
                                     "{}",    "[]",   "1.0",      "\"\"", "-1"};
    char body[64];
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        snprintf(body, sizeof(body), "{\"active\":%s,\"exp\":\"never\"}", no[i]);
        inactive(body);
    }
    assert_int_equal(read_answer("{\"active\":true}"), ASSAY_OK);
    assert_true(assay_answer_is_current(&answer, NOW));
}

/* P-7662-7: not an object, cut short, something behind it, a name twice, a name in other letters.
 */
static void what_is_no_answer_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "true",
        "null",
        "\"active\"",
        "[]",
        "{",
        "{\"active\":",
        "{\"active\":true",
        "{\"active\":true}}",
        "{\"active\":true} x",
        "{\"active\":true,}",
        "{'active':true}",
        "{\"Active\":true}",
        "{\"active \":true}",
        "{\"ACTIVE\":true}",
        "{\"active\":true,\"active\":true}",
        "{\"active\":true,\"scope\":\"a\",\"scope\":\"b\"}",
        "{\"active\":True}",
        "{\"active\":tru}",
        "{\"active\":true,\"x\":\"\xFF\"}",
        "{}",
        "<html>active</html>",
        "active=true",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused(bad[i]);
    }
}

/* P-7662-7: a member that decides, of the wrong type, spoils the whole. */
static void a_member_of_the_wrong_type_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\"exp\":\"1700000000\"",
        "\"exp\":1.5",
        "\"exp\":-1",
        "\"exp\":null",
        "\"exp\":true",
        "\"exp\":[1]",
        "\"exp\":0",
        "\"exp\":1e12",
        "\"exp\":99999999999999999999",
        "\"nbf\":\"1\"",
        "\"nbf\":-1",
        "\"iat\":{}",
        "\"scope\":[\"read\"]",
        "\"scope\":null",
        "\"scope\":1",
        "\"scope\":\"a\\\"b\"",
        "\"scope\":\"a\\nb\"",
        "\"scope\":\"\\u00e9\"",
        "\"aud\":1",
        "\"aud\":null",
        "\"aud\":[1]",
        "\"aud\":[\"a\",null]",
        "\"aud\":[\"a b\"]",
        "\"aud\":\"a b\"",
        "\"aud\":{}",
        "\"aud\":[\"\"]",
        "\"client_id\":1",
        "\"username\":[]",
        "\"sub\":1",
        "\"iss\":true",
        "\"jti\":{}",
        "\"token_type\":1",
        "\"cnf\":\"x\"",
        "\"cnf\":null",
        "\"cnf\":[]",
    };
    char body[128];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(body, sizeof(body), "{\"active\":true,%s}", bad[i]);
        refused(body);
    }
}

/* R7662-4-15, RFC 7519 section 4.1.4 and 4.1.5: to the second. */
static void times_are_kept_to_the_second(void **state)
{
    (void)state;
    assert_int_equal(read_answer("{\"active\":true,\"exp\":1000,\"nbf\":900}"), ASSAY_OK);
    assert_false(assay_answer_is_current(&answer, 899));
    assert_true(assay_answer_is_current(&answer, 900));
    assert_true(assay_answer_is_current(&answer, 999));
    assert_false(assay_answer_is_current(&answer, 1000));
    assert_false(assay_answer_is_current(&answer, INT64_MAX));
    assert_int_equal(read_answer("{\"active\":false,\"exp\":1000}"), ASSAY_OK);
    assert_false(assay_answer_is_current(&answer, 999));
}

static void a_whole_answer_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_answer("{\"active\":true,\"scope\":\"read write\",\"client_id\":\"robot\","
                    "\"username\":null,\"token_type\":\"Bearer\",\"exp\":1700000100,"
                    "\"iat\":1700000000,\"sub\":\"alice\",\"iss\":\"https://as.example\","
                    "\"aud\":[\"https://a.example\",\"https://b.example\"],\"jti\":\"x\","
                    "\"ext\":{\"deep\":[1,2,{\"er\":null}]},\"exp_\":\"not exp\"}"),
        ASSAY_OK);
    assert_true(assay_answer_is_current(&answer, NOW));
    assert_slice_equal(answer.scope, ASSAY_SLICE("read write"));
    assert_slice_equal(answer.client_id, ASSAY_SLICE("robot"));
    assert_int_equal(answer.username.len, 0);
    assert_slice_equal(answer.audience, ASSAY_SLICE("https://a.example https://b.example"));
    assert_slice_equal(answer.issuer, ASSAY_SLICE("https://as.example"));
    assert_int_equal(answer.expires_at_s, 1700000100);
    assert_false(answer.confirmed);
    assert_int_equal(read_answer("{\"active\":true,\"aud\":[]}"), ASSAY_OK);
    assert_true(answer.has_audience && answer.audience.len == 0);
    assert_int_equal(read_answer("{\"active\":true,\"scope\":\"\",\"aud\":\"https://a.example\"}"),
                     ASSAY_OK);
    assert_slice_equal(answer.audience, ASSAY_SLICE("https://a.example"));
}

static void what_is_nested_without_end_is_refused(void **state)
{
    (void)state;
    char body[4096] = "{\"active\":true,\"x\":";
    memset(body + strlen(body), '[', 2000);
    assert_int_not_equal(read_answer(body), ASSAY_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_vectors_are_read_as_they_say),      TEST(only_the_literal_true_is_active),
        TEST(what_is_no_answer_is_refused),          TEST(a_member_of_the_wrong_type_is_refused),
        TEST(times_are_kept_to_the_second),          TEST(a_whole_answer_is_read),
        TEST(what_is_nested_without_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
