#include "base/arena.h"
#include "support/check.h"

static struct assay_arena arena;
static _Alignas(64) uint8_t room[256];

static int fresh_arena(void **state)
{
    (void)state;
    memset(room, 0, sizeof(room));
    assay_arena_init(&arena, room, sizeof(room));
    return 0;
}

static int give_back(void **state)
{
    (void)state;
    assay_arena_release(&arena);
    return 0;
}

static void pieces_lie_inside_the_block_and_apart(void **state)
{
    (void)state;
    uint8_t *a = assay_arena_take(&arena, 10, 1);
    uint8_t *b = assay_arena_take(&arena, 10, 1);
    assert_ptr_equal(a, room);
    assert_true(b >= a + 10 && b + 10 <= room + sizeof(room));
}

static void pieces_have_the_alignment_asked_for(void **state)
{
    (void)state;
    for (size_t align = 1; align <= 32; align *= 2) {
        assert_non_null(assay_arena_take(&arena, 1, 1));
        void *piece = assay_arena_take(&arena, 1, align);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % align, 0);
    }
}

static void alignment_is_of_the_address_not_of_the_offset(void **state)
{
    (void)state;
    struct assay_arena crooked;
    assay_arena_release(&arena);
    assay_arena_init(&crooked, room + 1, 64);
    void *piece = assay_arena_take(&crooked, 8, 8);
    assert_ptr_equal(piece, room + 8);
    assay_arena_release(&crooked);
}

static void the_last_byte_can_be_had_and_no_byte_more(void **state)
{
    (void)state;
    assert_non_null(assay_arena_take(&arena, sizeof(room), 1));
    assert_null(assay_arena_take(&arena, 1, 1));
    assert_non_null(assay_arena_take(&arena, 0, 1));
}

static void sizes_near_the_top_of_size_t_are_refused(void **state)
{
    (void)state;
    assert_non_null(assay_arena_take(&arena, 1, 1));
    size_t used = arena.used;
    assert_null(assay_arena_take(&arena, SIZE_MAX, 1));
    assert_null(assay_arena_take(&arena, SIZE_MAX - 1, 16));
    assert_null(assay_arena_take(&arena, SIZE_MAX / 2, 64));
    assert_int_equal(arena.used, used);
}

static void padding_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct assay_arena small;
    assay_arena_release(&arena);
    assay_arena_init(&small, room + 1, 4);
    assert_null(assay_arena_take(&small, 0, 64));
    assay_arena_release(&small);
}

static void an_arena_of_nothing_gives_nothing(void **state)
{
    (void)state;
    struct assay_arena none;
    assay_arena_init(&none, NULL, 0);
    assert_null(assay_arena_take(&none, 1, 1));
    assay_arena_clear(&none);
    assay_arena_release(&none);
}

static void a_copy_outlives_what_it_was_made_of(void **state)
{
    (void)state;
    uint8_t text[] = {'a', 'b', 'c'};
    struct assay_slice copy;
    assert_true(assay_arena_copy(&arena, assay_slice_of(text, sizeof(text)), &copy));
    memset(text, 'x', sizeof(text));
    assert_slice_equal(copy, ASSAY_SLICE("abc"));
}

static void a_copy_that_does_not_fit_leaves_the_output_alone(void **state)
{
    (void)state;
    uint8_t big[sizeof(room) + 1] = {0};
    struct assay_slice copy = ASSAY_SLICE("before");
    assert_false(assay_arena_copy(&arena, assay_slice_of(big, sizeof(big)), &copy));
    assert_slice_equal(copy, ASSAY_SLICE("before"));
    assert_true(assay_arena_copy(&arena, (struct assay_slice){0}, &copy));
    assert_int_equal(copy.len, 0);
}

/* What a request leaves behind must not be there for the next one to find. */
static void clearing_wipes_all_that_was_taken(void **state)
{
    (void)state;
    uint8_t *secret = assay_arena_take(&arena, 100, 1);
    memset(secret, 0xA5, 100);
    assay_arena_clear(&arena);
    assert_ptr_equal(assay_arena_take(&arena, 100, 1), secret);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(secret[i], 0);
    }
}

static void releasing_wipes_and_gives_the_block_back(void **state)
{
    (void)state;
    uint8_t *secret = assay_arena_take(&arena, 100, 1);
    memset(secret, 0xA5, 100);
    assay_arena_release(&arena);
    for (size_t i = 0; i < sizeof(room); i++) {
        assert_int_equal(room[i], 0);
    }
    assert_null(assay_arena_take(&arena, 1, 1));
}

static void what_is_given_back_is_taken_again(void **state)
{
    (void)state;
    uint8_t *first = assay_arena_take(&arena, 200, 1);
    assert_non_null(first);
    memset(first, 1, 10);
    assay_arena_give_back(&arena, first, 200, 10);
    assert_true(arena.used >= 10 && arena.used <= 10 + 16);
    uint8_t *second = assay_arena_take(&arena, 190, 1);
    assert_non_null(second);
    assert_true(second >= first + 10);
    memset(second, 2, 190);
    assert_int_equal(first[9], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_given_back_is_taken_again, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(pieces_lie_inside_the_block_and_apart, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(pieces_have_the_alignment_asked_for, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(alignment_is_of_the_address_not_of_the_offset, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(the_last_byte_can_be_had_and_no_byte_more, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(sizes_near_the_top_of_size_t_are_refused, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(padding_that_does_not_fit_is_refused, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(an_arena_of_nothing_gives_nothing, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(a_copy_outlives_what_it_was_made_of, fresh_arena,
                                        give_back),
        cmocka_unit_test_setup_teardown(a_copy_that_does_not_fit_leaves_the_output_alone,
                                        fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(clearing_wipes_all_that_was_taken, fresh_arena, give_back),
        cmocka_unit_test_setup_teardown(releasing_wipes_and_gives_the_block_back, fresh_arena,
                                        give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
