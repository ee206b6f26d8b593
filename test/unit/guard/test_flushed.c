#include "guard/flushed.h"

#include "support/check.h"

#include <string.h>

static struct assay_flushed flushed;
static uint32_t dead;

static bool alive(uint32_t id)
{
    return id != dead;
}

static const struct assay_process me = {.id = 7, .alive = alive};
static const struct assay_process other = {.id = 8, .alive = alive};

static int nothing_is_flushed(void **state)
{
    (void)state;
    memset(&flushed, 0, sizeof(flushed));
    dead = 0;
    return 0;
}

static bool has(uint64_t token, uint64_t subject, uint64_t client, int64_t asked_us)
{
    struct assay_flushable what = {token, subject, client};
    return assay_flushed_has(&flushed, &what, asked_us);
}

static void mark(enum assay_flush_kind kind, uint64_t value, int64_t at_us)
{
    assay_flushed_mark(&flushed, kind, value, at_us, &me);
}

static void nothing_is_taken_back_at_first(void **state)
{
    (void)state;
    assert_false(has(0, 0, 0, 1));
    assert_false(has(1, 2, 3, 1));
}

static void what_is_marked_is_taken_back_as_far_as_it_was_asked_before(void **state)
{
    (void)state;
    mark(ASSAY_FLUSH_TOKEN, 11, 1000);
    mark(ASSAY_FLUSH_SUBJECT, 22, 2000);
    mark(ASSAY_FLUSH_CLIENT, 33, 3000);
    assert_true(has(11, 0, 0, 1000));
    assert_false(has(11, 0, 0, 1001));
    assert_true(has(0, 22, 0, 2000));
    assert_false(has(0, 22, 0, 2001));
    assert_true(has(0, 0, 33, 1));
    assert_false(has(0, 0, 33, 3001));
    assert_false(has(22, 33, 11, 1)); /* a number is of its kind */
    assert_false(has(12, 23, 34, 1));
}

static void an_earlier_mark_takes_nothing_from_a_later_one(void **state)
{
    (void)state;
    mark(ASSAY_FLUSH_SUBJECT, 22, 2000);
    mark(ASSAY_FLUSH_SUBJECT, 22, 1000); /* of a process that was held up */
    assert_true(has(0, 22, 0, 2000));
}

/* The oldest mark that makes room is what everything is measured by, and no younger one. */
static void more_marks_than_there_are_take_back_what_was_asked_before_the_oldest(void **state)
{
    (void)state;
    for (int64_t i = 1; i <= ASSAY_FLUSHED_MARKS + 10; i++) {
        mark(ASSAY_FLUSH_SUBJECT, (uint64_t)i, 1000 * i);
        assert_true(has(0, (uint64_t)i, 0, 1000 * i));
    }
    assert_true(has(0, 999, 0, 10000));
    assert_false(has(0, 999, 0, 10001));
    for (int64_t i = 1; i <= ASSAY_FLUSHED_MARKS + 10; i++) {
        assert_true(has(0, (uint64_t)i, 0, 1000 * i));
        assert_false(has(0, (uint64_t)i, 0, 1000 * i + 1) && 1000 * i + 1 > 10000);
    }
}

static struct assay_flush_mark *mark_of(uint64_t value)
{
    size_t i = 0;
    while (flushed.marks[i].value != value) {
        i++;
    }
    return &flushed.marks[i];
}

static void fill(void)
{
    for (int64_t i = 1; i <= ASSAY_FLUSHED_MARKS; i++) {
        mark(ASSAY_FLUSH_SUBJECT, (uint64_t)i, 1000 * i);
    }
}

/* REL-06: whoever replaces a mark may die or be stopped at each step of it. The mark that goes is
 * in force all the while, and nothing that was asked later than both is taken back. */
static void a_mark_that_changes_hands_stays_in_force(void **state)
{
    (void)state;
    fill();
    struct assay_flush_mark *first = mark_of(1);
    assert_int_equal(assay_claim_take(&first->claim, &other), ASSAY_CLAIM_TAKEN);
    assert_true(has(0, 1, 0, 1000));
    assert_false(has(0, 1, 0, 1001));
    assay_raise(&flushed.floor_us, 1000);
    assert_true(has(0, 1, 0, 1000));
    first->at_us = 99000;
    assert_true(has(0, 1, 0, 1000));
    first->kind = ASSAY_FLUSH_TOKEN;
    assert_true(has(0, 1, 0, 1000));
    first->value = 77;
    assert_true(has(0, 1, 0, 1000));
    assert_false(has(0, 1, 0, 99001));
    dead = 8; /* then the next one has it */
    mark(ASSAY_FLUSH_SUBJECT, 200, 100000);
    assert_true(has(0, 200, 0, 100000));
    assert_true(has(0, 1, 0, 1000));
    for (uint64_t i = 2; i <= ASSAY_FLUSHED_MARKS; i++) {
        assert_true(has(0, i, 0, 1000 * (int64_t)i));
    }
}

static void a_held_mark_is_not_replaced(void **state)
{
    (void)state;
    fill();
    struct assay_flush_mark *first = mark_of(1);
    assert_int_equal(assay_claim_take(&first->claim, &other), ASSAY_CLAIM_TAKEN);
    mark(ASSAY_FLUSH_SUBJECT, 200, 100000);
    assert_true(has(0, 200, 0, 100000));
    assert_int_equal(first->value, 1);
    assert_true(has(0, 999, 0, 2000)); /* the second has gone instead */
    assert_false(has(0, 999, 0, 2001));
}

static void where_all_marks_are_held_everything_is_taken_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ASSAY_FLUSHED_MARKS; i++) {
        assert_int_equal(assay_claim_take(&flushed.marks[i].claim, &other), ASSAY_CLAIM_TAKEN);
    }
    mark(ASSAY_FLUSH_SUBJECT, 5, 1000);
    assert_true(has(0, 5, 0, 1000));
    assert_true(has(0, 6, 0, 1000));
    assert_false(has(0, 5, 0, 1001));
}

static void a_time_is_only_raised(void **state)
{
    _Atomic int64_t word = 5;
    (void)state;
    assay_raise(&word, 3);
    assert_int_equal(word, 5);
    assay_raise(&word, 9);
    assert_int_equal(word, 9);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, nothing_is_flushed)
    const struct CMUnitTest tests[] = {
        T(nothing_is_taken_back_at_first),
        T(what_is_marked_is_taken_back_as_far_as_it_was_asked_before),
        T(an_earlier_mark_takes_nothing_from_a_later_one),
        T(more_marks_than_there_are_take_back_what_was_asked_before_the_oldest),
        T(a_mark_that_changes_hands_stays_in_force),
        T(a_held_mark_is_not_replaced),
        T(where_all_marks_are_held_everything_is_taken_back),
        T(a_time_is_only_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
