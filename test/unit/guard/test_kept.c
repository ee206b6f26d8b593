#include "guard/kept.h"

#include "support/check.h"

#include <stdio.h>

static uint8_t memory[65536];
static uint8_t room[16384];
static struct assay_arena arena;
static struct assay_buf values;
static struct assay_kept kept;

static const struct assay_slice pointers[] = {
    {(const uint8_t *)"/scope", 6},
    {(const uint8_t *)"/sub", 4},
    {(const uint8_t *)"/realm_access/roles", 19},
    {(const uint8_t *)"/n", 2},
};
static const struct assay_claims claims = {pointers, 4};

static int open_arena(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_buf_init(&values, room, sizeof(room));
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    assay_arena_release(&arena);
    return 0;
}

static enum assay_status keep(const char *body, const char *issuer, struct assay_error *error)
{
    struct assay_answer answer;
    assert_int_equal(assay_answer_read(assay_slice_of_text(body), &arena, &answer, error),
                     ASSAY_OK);
    enum assay_status status = assay_kept_write(&answer, &claims, assay_slice_of_text(issuer),
                                                &arena, &values, &kept, error);
    assay_answer_close(&answer);
    return status;
}

static void kept_from(const char *body)
{
    struct assay_error error = {0};
    assert_ok(keep(body, "https://as.example.com", &error), &error);
}

static struct assay_slice printed(size_t index)
{
    static uint8_t text[16384];
    struct assay_buf out;
    struct assay_kept_value value = assay_kept_at(kept.values, index);
    assay_buf_init(&out, text, sizeof(text));
    assay_kept_print(&value, &out);
    assert_false(out.spent);
    return assay_buf_slice(&out);
}

static void only_the_claims_that_are_asked_for_are_kept(void **state)
{
    (void)state;
    kept_from(
        "{\"active\":true,\"scope\":\"read write\",\"sub\":\"alice\",\"email\":\"a@example.com\","
        "\"exp\":2000,\"nbf\":1000,\"realm_access\":{\"roles\":[\"admin\",\"user\"]},\"n\":7}");
    assert_true(kept.active);
    assert_int_equal(kept.expires_at_s, 2000);
    assert_int_equal(kept.not_before_s, 1000);
    assert_slice_equal(printed(0), ASSAY_SLICE("read write"));
    assert_slice_equal(printed(1), ASSAY_SLICE("alice"));
    assert_slice_equal(printed(2), ASSAY_SLICE("admin,user"));
    assert_slice_equal(printed(3), ASSAY_SLICE("7"));
    assert_int_equal(kept.values.len, (3 + 10) + (3 + 5) + (3 + 2 + 5 + 2 + 4) + (3 + 1));
}

static void what_is_absent_or_null_is_kept_as_absent(void **state)
{
    (void)state;
    kept_from("{\"active\":true,\"sub\":null,\"realm_access\":[]}");
    for (size_t i = 0; i < claims.count; i++) {
        assert_int_equal(assay_kept_at(kept.values, i).kind, ASSAY_KEPT_ABSENT);
        assert_int_equal(printed(i).len, 0);
    }
    assert_int_equal(assay_kept_at(kept.values, claims.count).kind, ASSAY_KEPT_ABSENT);
    assert_int_equal(assay_kept_at(kept.values, 1000).kind, ASSAY_KEPT_ABSENT);
}

static void nothing_is_kept_of_an_inactive_answer(void **state)
{
    (void)state;
    kept_from("{\"active\":false,\"sub\":\"alice\"}");
    assert_false(kept.active);
    assert_int_equal(kept.values.len, 0);
}

/* A-RESP-12 A-GW-30: no value ends a line, adds a field or passes for two. */
static void values_are_printed_so_that_they_are_one_line_and_one_value(void **state)
{
    (void)state;
    kept_from("{\"active\":true,\"sub\":\"a\\r\\nX-Admin: 1\",\"realm_access\":{\"roles\":"
              "[\"a,b\",\" lead\",\"100%\",\"\\u00e9\",\"\"]}}");
    assert_slice_equal(printed(1), ASSAY_SLICE("a%0D%0AX-Admin: 1"));
    assert_slice_equal(printed(2), ASSAY_SLICE("a%2Cb,%20lead,100%25,%C3%A9,"));
    kept_from("{\"active\":true,\"sub\":\"Doe, J\",\"n\":{\"a\":[1,\"\\n\"]}}");
    assert_slice_equal(printed(1), ASSAY_SLICE("Doe, J"));
    assert_slice_equal(printed(3), ASSAY_SLICE("{\"a\":[1,\"\\n\"]}"));
}

static void a_value_has_what_it_is_or_what_is_in_its_list(void **state)
{
    (void)state;
    kept_from("{\"active\":true,\"sub\":\"alice\",\"n\":12,\"realm_access\":{\"roles\":[\"admin\","
              "\"us\"]}}");
    struct assay_kept_value roles = assay_kept_at(kept.values, 2);
    struct assay_kept_value n = assay_kept_at(kept.values, 3);
    struct assay_kept_value none = assay_kept_at(kept.values, 0);
    assert_true(assay_kept_has(&roles, ASSAY_SLICE("us")));
    assert_false(assay_kept_has(&roles, ASSAY_SLICE("u")));
    assert_false(assay_kept_has(&roles, ASSAY_SLICE("admin,us")));
    assert_false(assay_kept_has(&roles, ASSAY_SLICE("")));
    assert_true(assay_kept_has(&n, ASSAY_SLICE("12")));
    assert_false(assay_kept_has(&none, ASSAY_SLICE("")));
}

/* A-RESP-11 R7800-3.1-1 R9449-7.2-1 */
static void an_answer_that_no_bearer_may_use_says_so(void **state)
{
    static const struct {
        const char *body;
        enum assay_kept_fault fault;
    } cases[] = {
        {"{\"active\":true}", ASSAY_KEPT_GOOD},
        {"{\"active\":true,\"token_type\":\"bearer\",\"iss\":\"https://as.example.com\"}",
         ASSAY_KEPT_GOOD},
        {"{\"active\":true,\"iss\":\"https://as.example.com/\"}", ASSAY_KEPT_FOREIGN},
        {"{\"active\":true,\"iss\":\"https://other.example.com\"}", ASSAY_KEPT_FOREIGN},
        {"{\"active\":true,\"token_type\":\"DPoP\"}", ASSAY_KEPT_BOUND},
        {"{\"active\":true,\"cnf\":{\"jkt\":\"x\"}}", ASSAY_KEPT_BOUND},
        {"{\"active\":true,\"cnf\":{\"something\":\"x\"}}", ASSAY_KEPT_BOUND},
        {"{\"active\":true,\"token_use\":\"refresh_token\"}", ASSAY_KEPT_NO_ACCESS},
        {"{\"active\":true,\"token_type\":\"refresh_token\"}", ASSAY_KEPT_NO_ACCESS},
        {"{\"active\":true,\"token_type\":\"access_token\"}", ASSAY_KEPT_GOOD},
        {"{\"active\":true,\"token_type\":\"access_token\",\"cnf\":{}}", ASSAY_KEPT_BOUND},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kept_from(cases[i].body);
        if (kept.fault != cases[i].fault) {
            fail_msg("%s: %d", cases[i].body, (int)kept.fault);
        }
    }
}

static void without_a_known_issuer_none_is_foreign(void **state)
{
    struct assay_error error = {0};
    (void)state;
    assert_ok(keep("{\"active\":true,\"iss\":\"https://any.example.com\"}", "", &error), &error);
    assert_int_equal(kept.fault, ASSAY_KEPT_GOOD);
}

static void what_does_not_fit_is_refused_not_cut(void **state)
{
    static char body[12000];
    struct assay_error error = {0};
    (void)state;
    char *at = body + sprintf(body, "{\"active\":true,\"sub\":\"");
    memset(at, 'x', 9000);
    strcpy(at + 9000, "\"}");
    assay_buf_init(&values, room, 8192);
    assert_int_equal(keep(body, "", &error), ASSAY_ERR_LIMIT);
    assert_non_null(error.what);
}

/* What lies in shared memory is read within its bounds, whatever it is. */
static void any_bytes_are_read_within_their_bounds(void **state)
{
    uint8_t bytes[24];
    uint32_t seed = 1;
    (void)state;
    for (size_t round = 0; round < 200000; round++) {
        size_t len = round % (sizeof(bytes) + 1);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(seed >> 24) % 6;
        }
        for (size_t i = 0; i < 5; i++) {
            struct assay_kept_value value = assay_kept_at(assay_slice_of(bytes, len), i);
            assert_true(value.text.len <= len);
            struct assay_slice item;
            while (value.kind == ASSAY_KEPT_LIST && assay_kept_next(&value.text, &item)) {
                assert_true(item.len <= len);
            }
        }
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        T(only_the_claims_that_are_asked_for_are_kept),
        T(what_is_absent_or_null_is_kept_as_absent),
        T(nothing_is_kept_of_an_inactive_answer),
        T(values_are_printed_so_that_they_are_one_line_and_one_value),
        T(a_value_has_what_it_is_or_what_is_in_its_list),
        T(an_answer_that_no_bearer_may_use_says_so),
        T(without_a_known_issuer_none_is_foreign),
        T(what_does_not_fit_is_refused_not_cut),
        T(any_bytes_are_read_within_their_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
