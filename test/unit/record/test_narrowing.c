#include "record/narrowing.h"
#include "support/check.h"

#include <stdio.h>

/* A reduction of "read write admin", and the room its result is written into. */
struct reduction {
    struct assay_narrowing narrowing;
    uint8_t room[ASSAY_MAX_SCOPE];
};

static void start(struct reduction *r)
{
    assay_narrowing_start(&r->narrowing, ASSAY_SLICE("read write admin"));
}

static bool show(struct reduction *r, const char *scope)
{
    struct assay_client_record server = {.resource_server = true};
    server.scope = assay_slice_of_text(scope);
    return assay_narrowing_show(&r->narrowing, &server);
}

static void expect(struct reduction *r, const char *scope)
{
    assert_slice_equal(assay_narrowing_end(&r->narrowing, r->room), assay_slice_of_text(scope));
}

/* R8707-2.2-3: in the order of the scope, and only what is listed. */
static void words_that_nobody_lists_go(void **state)
{
    (void)state;
    struct reduction r;
    start(&r);
    assert_true(show(&r, "admin other read"));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "read admin");
}

static void what_one_of_several_lists_stays(void **state)
{
    (void)state;
    struct reduction r;
    start(&r);
    assert_true(show(&r, "write"));
    assert_true(show(&r, "write admin"));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "write admin");
    start(&r);
    assert_true(show(&r, "write"));
    assay_narrowing_next(&r.narrowing);
    assert_true(show(&r, "read")); /* of another audience */
    assay_narrowing_next(&r.narrowing);
    expect(&r, "read write");
}

static void nothing_remains_of_what_nobody_lists(void **state)
{
    (void)state;
    struct reduction r;
    start(&r);
    assert_true(show(&r, "rea reads write.x Admin"));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "");
}

/* Whoever lists nothing understands everything, and need not be asked for more. */
static void a_server_without_a_list_takes_nothing_away(void **state)
{
    (void)state;
    struct reduction r;
    start(&r);
    assert_true(show(&r, "read"));
    assert_false(show(&r, ""));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "read write admin");
}

/* An audience that nobody is registered for may be checked elsewhere; a client, or a server that
 * is disabled, speaks for none. */
static void an_audience_that_nobody_speaks_for_takes_nothing_away(void **state)
{
    (void)state;
    struct reduction r;
    const struct assay_client_record client = {.scope = ASSAY_SLICE("read")};
    const struct assay_client_record disabled = {
        .resource_server = true, .disabled = true, .scope = ASSAY_SLICE("read")};
    start(&r);
    assay_narrowing_next(&r.narrowing);
    expect(&r, "read write admin");
    start(&r);
    assert_true(assay_narrowing_show(&r.narrowing, &client));
    assert_true(assay_narrowing_show(&r.narrowing, &disabled));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "read write admin");
    start(&r);
    assert_true(show(&r, "write"));
    assay_narrowing_next(&r.narrowing);
    assay_narrowing_next(&r.narrowing); /* the second audience of the token */
    expect(&r, "read write admin");
}

/* The work is bounded: with more servers than are looked at, nothing is taken away. */
static void too_many_servers_take_nothing_away(void **state)
{
    (void)state;
    struct reduction r;
    start(&r);
    for (int i = 0; i < ASSAY_MAX_SCOPE_SERVERS; i++) {
        assert_true(show(&r, "read"));
    }
    expect(&r, "read");
    assert_false(show(&r, "read"));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "read write admin");
}

/* A change may run twice: the scope then lies where the result goes. */
static void a_scope_is_narrowed_where_it_lies(void **state)
{
    (void)state;
    struct reduction r;
    start(&r);
    assert_true(show(&r, "write admin"));
    assay_narrowing_next(&r.narrowing);
    struct assay_slice once = assay_narrowing_end(&r.narrowing, r.room);
    assay_narrowing_start(&r.narrowing, once);
    assert_true(show(&r, "admin read"));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "admin");
}

static void the_largest_scope_is_narrowed_word_by_word(void **state)
{
    (void)state;
    struct reduction r;
    char scope[ASSAY_MAX_SCOPE + 1];
    size_t len = 0;
    for (int i = 0; i < ASSAY_MAX_SCOPES; i++) {
        len += (size_t)snprintf(scope + len, sizeof(scope) - len, "%sw%02d", i == 0 ? "" : " ", i);
    }
    assay_narrowing_start(&r.narrowing, assay_slice_of(scope, len));
    assert_true(show(&r, "w63 w00 w64"));
    assay_narrowing_next(&r.narrowing);
    expect(&r, "w00 w63");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_that_nobody_lists_go),
        cmocka_unit_test(what_one_of_several_lists_stays),
        cmocka_unit_test(nothing_remains_of_what_nobody_lists),
        cmocka_unit_test(a_server_without_a_list_takes_nothing_away),
        cmocka_unit_test(an_audience_that_nobody_speaks_for_takes_nothing_away),
        cmocka_unit_test(too_many_servers_take_nothing_away),
        cmocka_unit_test(a_scope_is_narrowed_where_it_lies),
        cmocka_unit_test(the_largest_scope_is_narrowed_word_by_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
