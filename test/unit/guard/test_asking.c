#include "guard/asking.h"

#include "support/check.h"

#include <stdlib.h>

#define SLOTS 64
#define MS INT64_C(1000)
#define SECOND INT64_C(1000000)
#define HOUR (3600 * SECOND)
#define NOW (1000 * SECOND)

static struct assay_asking *asking;
static struct assay_asking_turn turn; /* what the last begin() gave */
static unsigned failure;
static uint32_t dead;

static bool alive(uint32_t id)
{
    return id != dead;
}

static const struct assay_process one = {.id = 1, .alive = alive};
static const struct assay_process two = {.id = 2, .alive = alive};
/* The highest id that Linux gives. */
static const struct assay_process last = {.id = 4194303, .alive = alive};

static int open_table(void **state)
{
    (void)state;
    size_t size = (assay_asking_size(SLOTS) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    asking = assay_asking_init(memory, SLOTS);
    dead = 0;
    return 0;
}

static int close_table(void **state)
{
    (void)state;
    free(asking);
    return 0;
}

static const uint8_t *key_of(uint8_t n)
{
    static uint8_t key[ASSAY_ASKING_KEY_LEN];
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(n * 37 + i * 11);
    }
    return key;
}

/* Another token in the same place. */
static const uint8_t *neighbour_of(uint8_t n)
{
    static uint8_t key[ASSAY_ASKING_KEY_LEN];
    memcpy(key, key_of(n), sizeof(key));
    key[8] ^= 1; /* of the word that names it, not of the one that places it */
    return key;
}

/* A question of three seconds, of somebody who came just now. */
static enum assay_asking_role begin_at(const uint8_t *key, int64_t now_us,
                                       const struct assay_process *me)
{
    struct assay_asking_times times = {now_us, now_us, now_us + 3 * SECOND};
    return assay_asking_begin(asking, key, &times, me, &turn, &failure);
}

static enum assay_asking_role begin(uint8_t n, const struct assay_process *me)
{
    return begin_at(key_of(n), NOW, me);
}

/* The same of somebody who has waited since `since_us`. */
static enum assay_asking_role begin_since(const uint8_t *key, int64_t since_us,
                                          const struct assay_process *me)
{
    struct assay_asking_times times = {NOW, since_us, NOW + 3 * SECOND};
    return assay_asking_begin(asking, key, &times, me, &turn, &failure);
}

/* A-GW-24 */
static void one_process_asks_and_the_others_wait(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    struct assay_asking_turn first = turn;
    assert_int_equal(begin(1, &two), ASSAY_ASKING_OTHERS);
    assert_int_equal(begin(1, &last), ASSAY_ASKING_OTHERS);
    assay_asking_end(asking, key_of(1), first, 0, NOW);
    assert_int_equal(begin(1, &last), ASSAY_ASKING_MINE);
    assert_int_equal(begin(1, &two), ASSAY_ASKING_OTHERS);
}

/* F-01 REL-06 */
static void who_died_holds_nothing_up(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &last), ASSAY_ASKING_MINE);
    dead = last.id;
    assert_int_equal(begin(1, &two), ASSAY_ASKING_MINE);
}

/* REL-06: a process that is stopped lives, and so does a stranger who got a dead one's id. */
static void who_does_not_end_holds_nothing_up_beyond_its_time(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assert_int_equal(begin_at(key_of(1), NOW + 3 * SECOND, &two), ASSAY_ASKING_OTHERS);
    assert_int_equal(begin_at(key_of(1), NOW + 3 * SECOND + 99 * MS, &two), ASSAY_ASKING_OTHERS);
    assert_int_equal(begin_at(key_of(1), NOW + 3 * SECOND + 140 * MS, &two), ASSAY_ASKING_MINE);
}

/* The time in a word comes round once in nineteen hours. */
static void a_place_that_was_left_long_ago_is_free(void **state)
{
    (void)state;
    for (int64_t later = 4 * SECOND; later < 60 * HOUR; later += 7 * 60 * SECOND) {
        assert_int_equal(begin_at(key_of(1), NOW, &one), ASSAY_ASKING_MINE);
        struct assay_asking_turn left = turn;
        enum assay_asking_role role = begin_at(key_of(1), NOW + later, &two);
        /* but for an hour in nineteen, at most: there it ends with the next question's time */
        bool may_seem_held = later % (68719 * SECOND) > 68719 * SECOND - HOUR - 10 * SECOND ||
                             later % (68719 * SECOND) < 4 * SECOND;
        assert_true(role == ASSAY_ASKING_MINE || (may_seem_held && role == ASSAY_ASKING_OTHERS));
        assay_asking_end(asking, key_of(1), role == ASSAY_ASKING_MINE ? turn : left, 0, NOW);
    }
}

static void a_question_without_end_ends_in_an_hour(void **state)
{
    struct assay_asking_times times = {NOW, NOW, INT64_MAX / 2};
    (void)state;
    assert_int_equal(assay_asking_begin(asking, key_of(1), &times, &one, &turn, &failure),
                     ASSAY_ASKING_MINE);
    assert_int_equal(begin_at(key_of(1), NOW + HOUR, &two), ASSAY_ASKING_OTHERS);
    assert_int_equal(begin_at(key_of(1), NOW + HOUR + SECOND, &two), ASSAY_ASKING_MINE);
}

/* What was a dead process's is ours if we got its id: we ask about no token twice. */
static void a_question_of_a_process_that_had_our_id_is_taken_over(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
}

static void who_ends_too_late_ends_nothing_of_the_next(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    struct assay_asking_turn late = turn;
    int64_t then = NOW + 4 * SECOND;
    assert_int_equal(begin_at(key_of(1), then, &two), ASSAY_ASKING_MINE);
    assay_asking_end(asking, key_of(1), late, 0, NOW);
    assert_int_equal(begin_at(key_of(1), then, &last), ASSAY_ASKING_OTHERS);
}

static void another_token_in_the_same_place_is_asked_about_alone(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    struct assay_asking_turn first = turn;
    assert_int_equal(begin_at(neighbour_of(1), NOW, &two), ASSAY_ASKING_ALONE);
    assert_int_equal(begin_at(neighbour_of(1), NOW, &one), ASSAY_ASKING_ALONE);
    assert_int_equal(begin(1, &two), ASSAY_ASKING_OTHERS);
    assay_asking_end(asking, key_of(1), first, 0, NOW);
    assert_int_equal(begin_at(neighbour_of(1), NOW, &two), ASSAY_ASKING_MINE);
}

/* A failure is shared by those who waited for it, and remembered for nobody. */
static void a_failure_is_for_those_who_came_before_it_was_asked(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assay_asking_end(asking, key_of(1), turn, 13, NOW);
    assert_int_equal(begin_since(key_of(1), NOW - MS, &two), ASSAY_ASKING_FAILED);
    assert_int_equal(failure, 13);
    assert_int_equal(begin_since(key_of(1), NOW - 3 * SECOND, &two), ASSAY_ASKING_FAILED);
    assert_int_equal(begin_since(key_of(1), NOW, &two), ASSAY_ASKING_MINE);
    assay_asking_end(asking, key_of(1), turn, 0, NOW);
    assert_int_equal(begin_since(key_of(1), NOW + HOUR, &two), ASSAY_ASKING_MINE);
}

static void a_failure_is_told_to_no_other_token(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assay_asking_end(asking, key_of(1), turn, 255, NOW);
    assert_int_equal(begin_since(neighbour_of(1), NOW - SECOND, &two), ASSAY_ASKING_MINE);
    assert_int_equal(begin_since(key_of(2), NOW - SECOND, &two), ASSAY_ASKING_MINE);
    assert_int_equal(begin_since(key_of(1), NOW - SECOND, &two), ASSAY_ASKING_FAILED);
    assert_int_equal(failure, 255);
}

static void where_nothing_failed_nobody_is_told_so(void **state)
{
    (void)state;
    for (int64_t since_us = 0; since_us < NOW; since_us += 100 * MS + 7) {
        assert_int_equal(begin_since(key_of(1), since_us, &one), ASSAY_ASKING_MINE);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)
    const struct CMUnitTest tests[] = {
        T(one_process_asks_and_the_others_wait),
        T(who_died_holds_nothing_up),
        T(who_does_not_end_holds_nothing_up_beyond_its_time),
        T(a_place_that_was_left_long_ago_is_free),
        T(a_question_without_end_ends_in_an_hour),
        T(a_question_of_a_process_that_had_our_id_is_taken_over),
        T(who_ends_too_late_ends_nothing_of_the_next),
        T(another_token_in_the_same_place_is_asked_about_alone),
        T(a_failure_is_for_those_who_came_before_it_was_asked),
        T(a_failure_is_told_to_no_other_token),
        T(where_nothing_failed_nobody_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
