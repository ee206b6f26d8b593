#include "http/form.h"

#include "support/check.h"
#include "support/vector.h"

static uint8_t memory[65536];
static struct assay_arena arena;
static struct assay_form form;
static struct assay_error error;

static int fresh_arena(void **state)
{
    (void)state;
    error = (struct assay_error){0};
    assay_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int give_back(void **state)
{
    (void)state;
    assay_arena_release(&arena);
    return 0;
}

static void accept(struct assay_slice body)
{
    assert_ok(assay_form_parse(body, &arena, &form, &error), &error);
}

static void refuse_at(struct assay_slice body, size_t offset)
{
    assert_int_equal(assay_form_parse(body, &arena, &form, &error), ASSAY_ERR_SYNTAX);
    assert_int_equal(error.offset, offset);
}

static struct assay_slice first(struct assay_slice name)
{
    struct assay_slice value = {0};
    assert_int_not_equal(assay_form_find(&form, name, &value), 0);
    return value;
}

static void parameters_stand_in_the_order_of_the_body(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("token=abc&token_type_hint=access_token"));
    assert_int_equal(form.count, 2);
    assert_slice_equal(form.params[0].name, ASSAY_SLICE("token"));
    assert_slice_equal(form.params[0].value, ASSAY_SLICE("abc"));
    assert_slice_equal(form.params[1].name, ASSAY_SLICE("token_type_hint"));
    assert_slice_equal(form.params[1].value, ASSAY_SLICE("access_token"));
}

/* R6749-B-1: the example of the appendix, both ways of giving it. */
static void plus_is_a_space_and_escapes_are_bytes_of_utf8(void **state)
{
    (void)state;
    json_t *vector = vector_open("client-secret-basic.json");
    const json_t *example = json_object_get(vector, "form_encoding");
    uint8_t octets[32];
    size_t len = vector_bytes(vector_text(example, "octets_hex"), octets, sizeof(octets));
    struct assay_slice decoded;
    assert_ok(assay_form_decode(vector_text(example, "encoded"), &arena, &decoded, &error), &error);
    assert_slice_equal(decoded, assay_slice_of(octets, len));
    assert_slice_equal(decoded, vector_text(example, "text"));
    json_decref(vector);
}

/* A-HTTP-10: what leaves no token is seen as a form without one. */
static void bodies_without_a_token_have_none(void **state)
{
    (void)state;
    accept((struct assay_slice){0});
    assert_int_equal(form.count, 0);
    accept(ASSAY_SLICE("&&&"));
    assert_int_equal(form.count, 0);
    accept(ASSAY_SLICE("=x"));
    assert_int_equal(form.count, 1);
    assert_int_equal(assay_form_find(&form, ASSAY_SLICE("token"), NULL), 0);
    accept(ASSAY_SLICE("token"));
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE(""));
}

/* A-HTTP-10, R6749-3.2-3: kept, with nothing in it, so that its repetition is seen. */
static void a_parameter_without_a_value_is_empty(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("token=&scope&scope=a"));
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE(""));
    assert_int_equal(assay_form_find(&form, ASSAY_SLICE("scope"), NULL), 2);
}

/* A-HTTP-11, A-HTTP-12, R6749-3.2-5 */
static void a_repetition_is_seen_however_it_is_spelled(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("token=AT&token=AT"));
    assert_int_equal(assay_form_find(&form, ASSAY_SLICE("token"), NULL), 2);
    accept(ASSAY_SLICE("token=AT&to%6ben=B&%74oken=C"));
    assert_int_equal(assay_form_find(&form, ASSAY_SLICE("token"), NULL), 3);
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE("AT"));
}

/* Names are bytes: no other spelling of a name is that name (R6749-3.2-4). */
static void names_that_merely_look_alike_are_other_names(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("Token=a&token%20=b&+token=c&token[]=d&tok\xC3\xA9n=e"));
    assert_int_equal(form.count, 5);
    assert_int_equal(assay_form_find(&form, ASSAY_SLICE("token"), NULL), 0);
}

/* A-HTTP-13, in names and in values; the offset is where the escape begins. */
static void an_escape_that_is_not_two_digits_is_refused_where_it_stands(void **state)
{
    (void)state;
    refuse_at(ASSAY_SLICE("token=%zz"), 6);
    refuse_at(ASSAY_SLICE("token=ab%4"), 8);
    refuse_at(ASSAY_SLICE("token=%"), 6);
    refuse_at(ASSAY_SLICE("token=a&to%6gen=b"), 10);
    refuse_at(ASSAY_SLICE("%"), 0);
    refuse_at(ASSAY_SLICE("a=1&b=%4%31"), 6);
    refuse_at(ASSAY_SLICE("token=%&x=41"), 6);
    refuse_at(ASSAY_SLICE("a=%u0041"), 2);
    refuse_at(ASSAY_SLICE("a=% 1"), 2);
    refuse_at(ASSAY_SLICE("a=%+1"), 2);
    refuse_at(ASSAY_SLICE("a=%0x41"), 2);
    refuse_at(ASSAY_SLICE("a=%-1"), 2);
}

/* A-HTTP-13: every pair of bytes behind the percent sign. */
static void just_the_pairs_of_hexadecimal_digits_are_escapes(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t taken = 0;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const uint8_t text[] = {'%', (uint8_t)(pair >> 8), (uint8_t)pair};
        uint8_t room[64];
        struct assay_arena small;
        struct assay_slice value;
        assay_arena_init(&small, room, sizeof(room));
        enum assay_status status = assay_form_decode(assay_slice_of(text, 3), &small, &value, NULL);
        bool hex = memchr(digits, text[1], 22) != NULL && memchr(digits, text[2], 22) != NULL;
        if (status == ASSAY_OK) {
            taken++;
            assert_true(hex);
        }
        assay_arena_release(&small);
    }
    /* 01 to 7F: eight high digits, low ones in 22 spellings, without the NUL. */
    assert_int_equal(taken, 8 * 22 - 1);
}

/* A-HTTP-14: nothing may cut a value short for whoever reads it as a C string. */
static void nul_is_refused_raw_and_escaped(void **state)
{
    (void)state;
    refuse_at(ASSAY_SLICE("token=AT%00"), 8);
    refuse_at(ASSAY_SLICE("token=AT\0x"), 8);
    refuse_at(ASSAY_SLICE("a=1&to\0ken=x"), 6);
    refuse_at(ASSAY_SLICE("a=%41%00"), 5);
}

/* A-HTTP-14 */
static void what_is_not_utf8_after_decoding_is_refused(void **state)
{
    (void)state;
    refuse_at(ASSAY_SLICE("token=\xFF"), 6);
    refuse_at(ASSAY_SLICE("token=%FF"), 6);
    refuse_at(ASSAY_SLICE("token=a%c0%af"), 7);
    refuse_at(ASSAY_SLICE("token=%ED%A0%80"), 6);
    refuse_at(ASSAY_SLICE("token=ab%e2%82"), 8);
    refuse_at(ASSAY_SLICE("x=1&\xC3=2"), 4);
    refuse_at(ASSAY_SLICE("token=\xE2\x82&x=\xAC"), 6);
    accept(ASSAY_SLICE("token=%e2\x82%AC"));
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE("\xE2\x82\xAC"));
}

/* A-HTTP-15 */
static void nothing_is_trimmed_or_unquoted(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("token=AT%20&a=+AT&b=\"AT\"&c=Bearer%20AT&d= AT\r\n"));
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE("AT "));
    assert_slice_equal(first(ASSAY_SLICE("a")), ASSAY_SLICE(" AT"));
    assert_slice_equal(first(ASSAY_SLICE("b")), ASSAY_SLICE("\"AT\""));
    assert_slice_equal(first(ASSAY_SLICE("c")), ASSAY_SLICE("Bearer AT"));
    assert_slice_equal(first(ASSAY_SLICE("d")), ASSAY_SLICE(" AT\r\n"));
}

/* A-HTTP-15: what was decoded is not decoded again. */
static void an_escaped_escape_stays_one(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("token=%2541%252B%26x%3D1"));
    assert_int_equal(form.count, 1);
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE("%41%2B&x=1"));
}

/* A-HTTP-16 */
static void a_semicolon_separates_nothing(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("a=1;token=AT"));
    assert_int_equal(form.count, 1);
    assert_slice_equal(first(ASSAY_SLICE("a")), ASSAY_SLICE("1;token=AT"));
}

/* A-HTTP-17 */
static void empty_parts_are_skipped(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("&token=AT&&x=&"));
    assert_int_equal(form.count, 2);
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE("AT"));
    assert_slice_equal(first(ASSAY_SLICE("x")), ASSAY_SLICE(""));
}

static void the_value_begins_behind_the_first_equals_sign(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("token==a=b="));
    assert_slice_equal(first(ASSAY_SLICE("token")), ASSAY_SLICE("=a=b="));
}

/* A-HTTP-19 */
static void one_parameter_more_than_the_limit_is_refused(void **state)
{
    (void)state;
    uint8_t body[2 * (ASSAY_MAX_FORM_PARAMS + 1)];
    for (size_t i = 0; i < sizeof(body); i += 2) {
        body[i] = 'a';
        body[i + 1] = '&';
    }
    accept(assay_slice_of(body, sizeof(body) - 2));
    assert_int_equal(form.count, ASSAY_MAX_FORM_PARAMS);
    assert_int_equal(assay_form_parse(assay_slice_of(body, sizeof(body)), &arena, &form, &error),
                     ASSAY_ERR_LIMIT);
    assert_int_equal(error.offset, 0);
}

/* A-HTTP-19: counted after decoding, as it is compared. */
static void a_name_longer_than_the_limit_is_refused(void **state)
{
    (void)state;
    uint8_t body[ASSAY_MAX_BODY];
    memset(body, 'n', sizeof(body));
    accept(assay_slice_of(body, ASSAY_MAX_FORM_NAME));
    assert_int_equal(
        assay_form_parse(assay_slice_of(body, ASSAY_MAX_FORM_NAME + 1), &arena, &form, &error),
        ASSAY_ERR_LIMIT);
    assert_int_equal(assay_form_parse(assay_slice_of(body, sizeof(body)), &arena, &form, &error),
                     ASSAY_ERR_LIMIT);
    for (size_t i = 0; i < ASSAY_MAX_FORM_NAME; i++) {
        memcpy(body + 3 * i, "%6e", 3);
    }
    accept(assay_slice_of(body, (size_t)3 * ASSAY_MAX_FORM_NAME));
    assert_int_equal(form.params[0].name.len, ASSAY_MAX_FORM_NAME);
}

/* A-HTTP-19: 16 KiB of anything reads each byte a bounded number of times. The empty parts are the
 * case in which a parser that starts over at each separator takes quadratic time. */
static void a_body_of_separators_is_no_parameters(void **state)
{
    (void)state;
    uint8_t body[ASSAY_MAX_BODY];
    memset(body, '&', sizeof(body));
    accept(assay_slice_of(body, sizeof(body)));
    assert_int_equal(form.count, 0);
}

static void what_needs_no_decoding_is_not_copied(void **state)
{
    (void)state;
    struct assay_slice body = ASSAY_SLICE("token=abc&x=\xC3\xA9");
    accept(body);
    assert_ptr_equal(form.params[0].value.data, body.data + 6);
    assert_ptr_equal(form.params[1].value.data, body.data + 12);
    assert_true(arena.used <= 2 * sizeof(struct assay_form_param) + 16);
}

static void a_spent_arena_is_a_limit_and_only_where_decoding_needs_it(void **state)
{
    (void)state;
    struct assay_form_param room; /* for one parameter, and nothing decoded */
    struct assay_arena small;
    assay_arena_init(&small, &room, sizeof(room));
    assert_int_equal(assay_form_parse(ASSAY_SLICE("token=abc"), &small, &form, &error), ASSAY_OK);
    assay_arena_clear(&small);
    assert_int_equal(assay_form_parse(ASSAY_SLICE("token=a%62c"), &small, &form, &error),
                     ASSAY_ERR_LIMIT);
    assay_arena_clear(&small);
    assert_int_equal(assay_form_parse(ASSAY_SLICE("t+=1"), &small, &form, NULL), ASSAY_ERR_LIMIT);
    assay_arena_clear(&small);
    assert_int_equal(assay_form_parse(ASSAY_SLICE("a=1&b=2"), &small, &form, NULL),
                     ASSAY_ERR_LIMIT);
    assay_arena_release(&small);
}

/* Any cut of a good body gives an answer, and never a longer token. */
static void every_cut_of_a_body_gives_an_answer(void **state)
{
    (void)state;
    struct assay_slice body = ASSAY_SLICE("token=a%62c&token_type_hint=x%C3%A9&y");
    for (size_t len = 0; len <= body.len; len++) {
        /* A block of its own, so that a sanitizer sees a read behind the end. */
        uint8_t *copy = malloc(len == 0 ? 1 : len);
        assert_non_null(copy);
        memcpy(copy, body.data, len);
        enum assay_status status =
            assay_form_parse(assay_slice_of(copy, len), &arena, &form, &error);
        assert_true(status == ASSAY_OK || status == ASSAY_ERR_SYNTAX);
        struct assay_slice token = {0};
        if (status == ASSAY_OK && assay_form_find(&form, ASSAY_SLICE("token"), &token) == 1) {
            assert_true(assay_slice_starts_with(ASSAY_SLICE("abc"), token));
        }
        assay_arena_clear(&arena);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parameters_stand_in_the_order_of_the_body, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(plus_is_a_space_and_escapes_are_bytes_of_utf8, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(bodies_without_a_token_have_none, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(a_parameter_without_a_value_is_empty, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(a_repetition_is_seen_however_it_is_spelled, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(names_that_merely_look_alike_are_other_names, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(an_escape_that_is_not_two_digits_is_refused_where_it_stands,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(just_the_pairs_of_hexadecimal_digits_are_escapes,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(nul_is_refused_raw_and_escaped, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(what_is_not_utf8_after_decoding_is_refused, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(nothing_is_trimmed_or_unquoted, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(an_escaped_escape_stays_one, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(a_semicolon_separates_nothing, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(empty_parts_are_skipped, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(the_value_begins_behind_the_first_equals_sign, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(one_parameter_more_than_the_limit_is_refused, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(a_name_longer_than_the_limit_is_refused, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(a_body_of_separators_is_no_parameters, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(what_needs_no_decoding_is_not_copied, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(a_spent_arena_is_a_limit_and_only_where_decoding_needs_it,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(every_cut_of_a_body_gives_an_answer, fresh_arena,
                                        give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
