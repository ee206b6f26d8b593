#include "http/bearer.h"

#include "base/limits.h"
#include "support/check.h"

static uint8_t memory[65536];
static struct assay_arena arena;
static struct assay_slice token;

static int fresh_arena(void **state)
{
    (void)state;
    assay_arena_init(&arena, memory, sizeof(memory));
    return 0;
}

static int clear_arena(void **state)
{
    (void)state;
    assay_arena_release(&arena);
    return 0;
}

static enum assay_bearer_result find(struct assay_bearer_request request,
                                     struct assay_bearer_sources sources)
{
    return assay_bearer_find(&request, &sources, &arena, &token);
}

static enum assay_bearer_result by_header(struct assay_slice authorization)
{
    return find(
        (struct assay_bearer_request){
            .authorization = authorization,
            .authorization_count = 1,
        },
        (struct assay_bearer_sources){0});
}

static const struct assay_bearer_sources cookie_at = {.cookie = {(const uint8_t *)"at", 2}};
static const struct assay_bearer_sources query_named = {
    .query = {(const uint8_t *)"access_token", 12}};

/* R6750-2.1-1 R6750-2.1-2 */
static void a_token_stands_behind_its_scheme(void **state)
{
    (void)state;
    static const char *const good[] = {"Bearer mF_9.B5f-4.1JqM", "bearer mF_9.B5f-4.1JqM",
                                       "BEARER   mF_9.B5f-4.1JqM"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(by_header(assay_slice_of_text(good[i])), ASSAY_BEARER_ONE);
        assert_slice_equal(token, ASSAY_SLICE("mF_9.B5f-4.1JqM"));
    }
    assert_int_equal(by_header(ASSAY_SLICE("Bearer a~+/b==")), ASSAY_BEARER_ONE);
    assert_slice_equal(token, ASSAY_SLICE("a~+/b=="));
}

/* R6750-2.1-1: each byte that no token has, at the start, within, and at the end. */
static void what_is_no_token_is_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {"Bearer",        "Bearer ",      "Bearer  ",   "Bearer =",
                                      "Bearer ==",     "Bearer a,b",   "Bearer a b", "Bearer a ",
                                      "Bearer a=b",    "Bearer \"a\"", "Bearer a\t", "Bearer %41",
                                      "Bearer token=a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(by_header(assay_slice_of_text(bad[i])), ASSAY_BEARER_MALFORMED);
        assert_int_equal(token.len, 0);
    }
    for (unsigned c = 0; c < 256; c++) {
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~' || c == '+' || c == '/';
        const uint8_t middle[] = {'B', 'e', 'a', 'r', 'e', 'r', ' ', 'a', (uint8_t)c, 'z'};
        assert_int_equal(by_header(assay_slice_of(middle, sizeof(middle))),
                         plain ? ASSAY_BEARER_ONE : ASSAY_BEARER_MALFORMED);
        for (size_t at = 0; at < 64; at++) { /* long ones are looked at by sixteen */
            uint8_t text[7 + 65];
            memset(text, 'x', sizeof(text));
            memcpy(text, "Bearer ", 7);
            text[7 + at] = (uint8_t)c;
            /* a blank before a token is more room behind the scheme */
            bool good = plain || (c == ' ' && at == 0);
            assert_int_equal(by_header(assay_slice_of(text, sizeof(text))),
                             good ? ASSAY_BEARER_ONE : ASSAY_BEARER_MALFORMED);
        }
    }
}

/* R6750-3.1-1: other credentials are no token. */
static void another_scheme_is_no_token(void **state)
{
    (void)state;
    static const char *const other[] = {
        "", "Basic YTpi", "DPoP abc", "Bearerx abc", "Bear er abc", "Bearer\tabc"};
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_int_equal(by_header(assay_slice_of_text(other[i])), ASSAY_BEARER_NONE);
    }
}

/* P-6750-1 */
static void two_authorization_fields_are_refused(void **state)
{
    (void)state;
    struct assay_bearer_request request = {.authorization = ASSAY_SLICE("Bearer abc"),
                                           .authorization_count = 2};
    assert_int_equal(find(request, (struct assay_bearer_sources){0}), ASSAY_BEARER_SEVERAL);
    request.authorization = ASSAY_SLICE("Basic YTpi");
    assert_int_equal(find(request, (struct assay_bearer_sources){0}), ASSAY_BEARER_SEVERAL);
}

/* P-6750-2 */
static void a_token_has_a_largest_length(void **state)
{
    (void)state;
    static uint8_t text[7 + ASSAY_MAX_TOKEN_PARAM + 1];
    memset(text, 'a', sizeof(text));
    memcpy(text, "Bearer ", 7);
    assert_int_equal(by_header(assay_slice_of(text, sizeof(text) - 1)), ASSAY_BEARER_ONE);
    assert_int_equal(by_header(assay_slice_of(text, sizeof(text))), ASSAY_BEARER_TOO_LONG);
    assert_int_equal(token.len, 0);
}

/* R6750-2.3-1: nowhere but where the operator says so. */
static void a_query_or_cookie_is_read_only_where_it_is_named(void **state)
{
    (void)state;
    struct assay_bearer_request request = {.query = ASSAY_SLICE("a=1&access_token=abc"),
                                           .cookies = ASSAY_SLICE("x=y; at=def")};
    assert_int_equal(find(request, (struct assay_bearer_sources){0}), ASSAY_BEARER_NONE);
    assert_int_equal(find(request, query_named), ASSAY_BEARER_ONE);
    assert_slice_equal(token, ASSAY_SLICE("abc"));
    request.query = (struct assay_slice){0};
    assert_int_equal(find(request, cookie_at), ASSAY_BEARER_ONE);
    assert_slice_equal(token, ASSAY_SLICE("def"));
}

/* R6750-2-1: whichever of the ways is taken from. */
static void more_than_one_way_is_refused(void **state)
{
    (void)state;
    struct assay_bearer_request request = {.authorization = ASSAY_SLICE("Bearer abc"),
                                           .authorization_count = 1,
                                           .query = ASSAY_SLICE("access_token=abc")};
    assert_int_equal(find(request, (struct assay_bearer_sources){0}), ASSAY_BEARER_SEVERAL);
    request.query = ASSAY_SLICE("access%5Ftoken=abc"); /* the same name */
    assert_int_equal(find(request, (struct assay_bearer_sources){0}), ASSAY_BEARER_SEVERAL);
    assert_int_equal(find(request, query_named), ASSAY_BEARER_SEVERAL);
    request.query = ASSAY_SLICE("other=abc");
    assert_int_equal(find(request, query_named), ASSAY_BEARER_ONE);
    request.cookies = ASSAY_SLICE("at=abc");
    assert_int_equal(find(request, cookie_at), ASSAY_BEARER_SEVERAL);
    assert_int_equal(find(request, query_named), ASSAY_BEARER_ONE); /* a cookie of somebody's */
    request.authorization = (struct assay_slice){0};
    request.authorization_count = 0;
    request.cookies = ASSAY_SLICE("at=abc; at=abc");
    assert_int_equal(find(request, cookie_at), ASSAY_BEARER_SEVERAL);
    request.query = ASSAY_SLICE("access_token=a&access_token=a");
    assert_int_equal(find(request, query_named), ASSAY_BEARER_SEVERAL);
}

static void cookies_are_read_by_their_whole_names(void **state)
{
    (void)state;
    static const struct {
        const char *cookies;
        const char *token; /* NULL: none */
    } cases[] = {
        {"at=abc", "abc"},       {"a=1;at=abc;b=2", "abc"}, {"  at = abc ", "abc"},
        {"at=\"abc\"", "abc"},   {"xat=abc", NULL},         {"atx=abc", NULL},
        {"x=at=abc", NULL},      {"AT=abc", NULL},          {"; ; =; at=abc", "abc"},
        {"a=\"; at=abc", "abc"}, {"at=a==", "a=="},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_bearer_request request = {.cookies = assay_slice_of_text(cases[i].cookies)};
        assert_int_equal(find(request, cookie_at),
                         cases[i].token == NULL ? ASSAY_BEARER_NONE : ASSAY_BEARER_ONE);
        if (cases[i].token != NULL) {
            assert_slice_equal(token, assay_slice_of_text(cases[i].token));
        }
    }
    static const char *const malformed[] = {"at=", "at", "at=\"", "at=a b", "at=\"a\"b\""};
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct assay_bearer_request request = {.cookies = assay_slice_of_text(malformed[i])};
        assert_int_equal(find(request, cookie_at), ASSAY_BEARER_MALFORMED);
    }
}

/* A query that cannot be read carries no token that could be taken, and hides none. */
static void an_unreadable_query_is_malformed_where_it_counts(void **state)
{
    (void)state;
    struct assay_bearer_request request = {.query = ASSAY_SLICE("access_token=abc&x=%zz")};
    assert_int_equal(find(request, query_named), ASSAY_BEARER_MALFORMED);
    assert_int_equal(find(request, (struct assay_bearer_sources){0}), ASSAY_BEARER_NONE);
    request.query = ASSAY_SLICE("access_token=a%2Bb");
    assert_int_equal(find(request, query_named), ASSAY_BEARER_ONE);
    assert_slice_equal(token, ASSAY_SLICE("a+b"));
    request.query = ASSAY_SLICE("access_token=a+b"); /* a space */
    assert_int_equal(find(request, query_named), ASSAY_BEARER_MALFORMED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh_arena, clear_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_stands_behind_its_scheme),
        TEST(what_is_no_token_is_malformed),
        TEST(another_scheme_is_no_token),
        TEST(two_authorization_fields_are_refused),
        TEST(a_token_has_a_largest_length),
        TEST(a_query_or_cookie_is_read_only_where_it_is_named),
        TEST(more_than_one_way_is_refused),
        TEST(cookies_are_read_by_their_whole_names),
        TEST(an_unreadable_query_is_malformed_where_it_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
