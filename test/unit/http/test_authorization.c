#include "http/authorization.h"

#include "http/form.h"
#include "support/check.h"
#include "support/vector.h"

static uint8_t memory[8192];
static struct assay_arena arena;
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

static enum assay_status parse(struct assay_slice rest, struct assay_slice *ret_user,
                               struct assay_slice *ret_password)
{
    return assay_basic_parse(rest, &arena, ret_user, ret_password, &error);
}

static void refuse(struct assay_slice rest)
{
    struct assay_slice user = ASSAY_SLICE("before");
    struct assay_slice password = ASSAY_SLICE("before");
    if (parse(rest, &user, &password) != ASSAY_ERR_SYNTAX) {
        fail_msg("taken: %.*s", (int)rest.len, (const char *)rest.data);
    }
    assert_slice_equal(user, ASSAY_SLICE("before"));
    assert_slice_equal(password, ASSAY_SLICE("before"));
}

static void accept(struct assay_slice rest, struct assay_slice user, struct assay_slice password)
{
    struct assay_slice got_user;
    struct assay_slice got_password;
    assert_ok(parse(rest, &got_user, &got_password), &error);
    assert_slice_equal(got_user, user);
    assert_slice_equal(got_password, password);
}

/* Reads the whole value as the server does: scheme, base64, colon, form-decoding of both halves. */
static bool read_value(struct assay_slice value, struct assay_slice *ret_user,
                       struct assay_slice *ret_password)
{
    struct assay_slice rest;
    return assay_authorization_scheme(value, &rest) == ASSAY_SCHEME_BASIC &&
           parse(rest, ret_user, ret_password) == ASSAY_OK &&
           assay_form_decode(*ret_user, &arena, ret_user, &error) == ASSAY_OK &&
           assay_form_decode(*ret_password, &arena, ret_password, &error) == ASSAY_OK;
}

static void check_case(const json_t *one)
{
    struct assay_slice user;
    struct assay_slice password;
    struct assay_slice expect = vector_text(one, "expect");
    bool good = read_value(vector_text(one, "header"), &user, &password);
    print_message("%s\n", (const char *)vector_text(one, "id").data);
    if (assay_slice_equal(expect, ASSAY_SLICE("invalid"))) {
        assert_false(good);
        return;
    }
    assert_true(good);
    assert_slice_equal(user, vector_text(one, "client_id"));
    bool plain = assay_slice_equal(expect, ASSAY_SLICE("valid"));
    assert_slice_equal(password,
                       vector_text(one, plain ? "client_secret" : "client_secret_if_decoded"));
}

/* R6749-2.3.1-2, A-AUTH-05 to A-AUTH-08 */
static void the_published_examples_hold_and_the_broken_ones_are_refused(void **state)
{
    (void)state;
    json_t *vector = vector_open("client-secret-basic.json");
    json_t *cases = json_object_get(vector, "cases");
    assert_int_equal(json_array_size(cases), 14);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        check_case(json_array_get(cases, i));
    }
    json_decref(vector);
}

/* A-AUTH-11, R7617-2-1 */
static void the_scheme_is_named_in_any_case_and_followed_by_any_spaces(void **state)
{
    (void)state;
    struct assay_slice rest;
    assert_int_equal(assay_authorization_scheme(ASSAY_SLICE("bAsIc   YTpi"), &rest),
                     ASSAY_SCHEME_BASIC);
    assert_slice_equal(rest, ASSAY_SLICE("YTpi"));
    assert_int_equal(assay_authorization_scheme(ASSAY_SLICE("BEARER x"), &rest),
                     ASSAY_SCHEME_BEARER);
    assert_slice_equal(rest, ASSAY_SLICE("x"));
}

static void what_merely_begins_like_a_scheme_is_another(void **state)
{
    (void)state;
    struct assay_slice rest;
    static const char *const others[] = {"Basics YTpi", "Basi YTpi", "Basic\tYTpi", "Basic,YTpi",
                                         " Basic YTpi", "YTpi",      "Bearer:x",    "Digest x",
                                         "BasicYTpi=",  " "};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(assay_authorization_scheme(assay_slice_of_text(others[i]), &rest),
                         ASSAY_SCHEME_OTHER);
    }
    assert_int_equal(assay_authorization_scheme(ASSAY_SLICE("Basic\0 YTpi"), &rest),
                     ASSAY_SCHEME_OTHER);
    assert_int_equal(assay_authorization_scheme((struct assay_slice){0}, &rest), ASSAY_SCHEME_NONE);
    assert_int_equal(rest.len, 0);
}

/* A-AUTH-05 */
static void base64_of_another_alphabet_or_padding_is_refused(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("YTpi"), ASSAY_SLICE("a"), ASSAY_SLICE("b"));
    accept(ASSAY_SLICE("YTo="), ASSAY_SLICE("a"), ASSAY_SLICE(""));
    accept(ASSAY_SLICE("YTo+Pw=="), ASSAY_SLICE("a"), ASSAY_SLICE(">?"));
    refuse(ASSAY_SLICE("YTo-Pw=="));   /* URL-safe alphabet */
    refuse(ASSAY_SLICE("YTo"));        /* missing padding */
    refuse(ASSAY_SLICE("YTo+Pw="));    /* likewise, half of it */
    refuse(ASSAY_SLICE("YTo=="));      /* extra padding */
    refuse(ASSAY_SLICE("YTpi="));      /* likewise */
    refuse(ASSAY_SLICE("YTpi===="));   /* likewise, a whole group */
    refuse(ASSAY_SLICE("====YTpi"));   /* padding in front */
    refuse(ASSAY_SLICE("YTo=YTpi"));   /* text behind the padding */
    refuse(ASSAY_SLICE("YT pi"));      /* inner space */
    refuse(ASSAY_SLICE("YTp i"));      /* likewise */
    refuse(ASSAY_SLICE("YTpi "));      /* space at the end */
    refuse(ASSAY_SLICE("YTpi    "));   /* likewise, a whole group */
    refuse(ASSAY_SLICE("YT\r\npi"));   /* line break */
    refuse(ASSAY_SLICE("YTpi, YTpi")); /* a list */
    refuse(ASSAY_SLICE("YTp\0"));      /* NUL */
    refuse(ASSAY_SLICE("YTp\xC3"));    /* not ASCII */
    refuse(ASSAY_SLICE("YTr="));       /* spare bits that are not zero */
    refuse(ASSAY_SLICE("YTo+Px=="));   /* likewise */
    refuse(ASSAY_SLICE("Y"));
    refuse(ASSAY_SLICE("===="));
    refuse(ASSAY_SLICE("Y==="));
}

/* A-AUTH-05: in one group, every byte at every place. */
static void just_the_standard_alphabet_is_taken(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < 4; at++) {
        for (unsigned c = 0; c < 256; c++) {
            /* ":::", then the group: it may decode to anything. */
            uint8_t text[8] = {'O', 'j', 'o', '6', 'A', 'A', 'A', 'A'};
            struct assay_slice user;
            struct assay_slice password;
            text[4 + at] = (uint8_t)c;
            bool taken = parse(assay_slice_of(text, 8), &user, &password) == ASSAY_OK;
            /* "AAA=" is padding, and good. */
            bool good = memchr(alphabet, (int)c, 64) != NULL || (at == 3 && c == '=');
            assert_int_equal(taken, good);
            assay_arena_clear(&arena);
        }
    }
}

/* A-AUTH-06: without a colon there are no two halves; what an empty half means is for others. */
static void without_a_colon_there_are_no_credentials(void **state)
{
    (void)state;
    refuse((struct assay_slice){0});
    refuse(ASSAY_SLICE("YWI="));
    accept(ASSAY_SLICE("Og=="), ASSAY_SLICE(""), ASSAY_SLICE(""));
    accept(ASSAY_SLICE("OmI="), ASSAY_SLICE(""), ASSAY_SLICE("b"));
}

/* A-AUTH-07 */
static void the_first_colon_parts_the_halves(void **state)
{
    (void)state;
    accept(ASSAY_SLICE("cnM6cnM6YStiJWM="), ASSAY_SLICE("rs"), ASSAY_SLICE("rs:a+b%c"));
    accept(ASSAY_SLICE("YSUzQWI6Yw=="), ASSAY_SLICE("a%3Ab"), ASSAY_SLICE("c"));
}

static void a_spent_arena_is_a_limit(void **state)
{
    (void)state;
    uint8_t text[12000];
    struct assay_slice user;
    struct assay_slice password;
    memset(text, 'A', sizeof(text));
    assert_int_equal(parse(assay_slice_of(text, sizeof(text)), &user, &password), ASSAY_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_published_examples_hold_and_the_broken_ones_are_refused,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(the_scheme_is_named_in_any_case_and_followed_by_any_spaces,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(what_merely_begins_like_a_scheme_is_another, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(base64_of_another_alphabet_or_padding_is_refused,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(just_the_standard_alphabet_is_taken, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(without_a_colon_there_are_no_credentials, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(the_first_colon_parts_the_halves, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(a_spent_arena_is_a_limit, fresh_arena, give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
