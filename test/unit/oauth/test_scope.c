#include "oauth/scope.h"

#include "base/limits.h"
#include "oauth/resource.h"
#include "support/check.h"

static bool valid(const char *text)
{
    return assay_scope_valid(assay_slice_of_text(text));
}

static void scope_is_tokens_with_single_spaces_between(void **state)
{
    (void)state;
    assert_true(valid(""));
    assert_true(valid("read"));
    assert_true(valid("read write urn:x:~!#[]"));
    assert_false(valid(" read"));
    assert_false(valid("read "));
    assert_false(valid("read  write"));
    assert_false(valid("read\twrite"));
    assert_false(valid("re\"ad"));
    assert_false(valid("re\\ad"));
    assert_false(valid("r\xC3\xA9"));
    assert_false(valid("read\n"));
    assert_false(assay_scope_valid(assay_slice_of("a\0b", 3)));
}

static void scope_is_bounded_in_bytes_and_tokens(void **state)
{
    (void)state;
    char text[ASSAY_MAX_SCOPE + 2];
    memset(text, 'a', sizeof text);
    assert_true(assay_scope_valid(assay_slice_of(text, ASSAY_MAX_SCOPE)));
    assert_false(assay_scope_valid(assay_slice_of(text, ASSAY_MAX_SCOPE + 1)));

    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 2 == 0 ? 'a' : ' ';
    }
    assert_true(assay_scope_valid(assay_slice_of(text, 2 * ASSAY_MAX_SCOPES - 1)));
    assert_false(assay_scope_valid(assay_slice_of(text, 2 * ASSAY_MAX_SCOPES + 1)));
}

static void list_contains_whole_words_only(void **state)
{
    (void)state;
    assert_true(assay_scope_contains(ASSAY_SLICE("read write"), ASSAY_SLICE("write")));
    assert_true(assay_scope_contains(ASSAY_SLICE("read"), ASSAY_SLICE("")));
    assert_false(assay_scope_contains(ASSAY_SLICE(""), ASSAY_SLICE("read")));
    assert_false(assay_scope_contains(ASSAY_SLICE("read write"), ASSAY_SLICE("rea")));
    assert_false(assay_scope_contains(ASSAY_SLICE("read write"), ASSAY_SLICE("READ")));
    assert_false(assay_scope_contains(ASSAY_SLICE("read"), ASSAY_SLICE("read write")));
    assert_false(assay_scope_overlaps(ASSAY_SLICE("read"), ASSAY_SLICE("readonly")));
    assert_true(assay_scope_overlaps(ASSAY_SLICE("a b"), ASSAY_SLICE("c b")));
    assert_false(assay_scope_overlaps(ASSAY_SLICE(""), ASSAY_SLICE("")));
}

static void intersection_keeps_the_order_of_the_first(void **state)
{
    (void)state;
    uint8_t room[64];
    struct assay_arena arena;
    assay_arena_init(&arena, room, sizeof room);
    struct assay_slice both;
    assert_true(assay_scope_intersect(ASSAY_SLICE("c b a"), ASSAY_SLICE("a c x"), &arena, &both));
    assert_slice_equal(both, ASSAY_SLICE("c a"));
    assert_true(assay_scope_intersect(ASSAY_SLICE("a"), ASSAY_SLICE("b"), &arena, &both));
    assert_int_equal(both.len, 0);
    assay_arena_release(&arena);
}

/* R8707-2-1: an absolute URI, without a fragment. */
static void resource_is_an_absolute_uri_without_fragment(void **state)
{
    (void)state;
    assert_true(assay_resource_valid(ASSAY_SLICE("https://api.example.com")));
    assert_true(assay_resource_valid(ASSAY_SLICE("https://api.example.com/a?b=%20c")));
    assert_true(assay_resource_valid(ASSAY_SLICE("urn:example:api")));
    assert_false(assay_resource_valid(ASSAY_SLICE("")));
    assert_false(assay_resource_valid(ASSAY_SLICE("api.example.com")));
    assert_false(assay_resource_valid(ASSAY_SLICE("/api")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https:")));
    assert_false(assay_resource_valid(ASSAY_SLICE("1https://x")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https://x/#f")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https://x/#")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https://x/%2")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https://x/%zz")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https://x y")));
    assert_false(assay_resource_valid(ASSAY_SLICE("https://x\ny")));
    assert_false(assay_resource_valid(assay_slice_of("https://x\0y", 11)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scope_is_tokens_with_single_spaces_between),
        cmocka_unit_test(scope_is_bounded_in_bytes_and_tokens),
        cmocka_unit_test(list_contains_whole_words_only),
        cmocka_unit_test(intersection_keeps_the_order_of_the_first),
        cmocka_unit_test(resource_is_an_absolute_uri_without_fragment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
