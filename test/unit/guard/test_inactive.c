#include "guard/inactive.h"

#include "support/check.h"

#include <stdlib.h>
#include <string.h>

#define SETS 16

/* As much of an entry as tests reach into: the claim is its first word. */
#define ENTRY 64
#define HEAD 64

static struct assay_inactive *table;
static uint32_t dead;

static bool alive(uint32_t id)
{
    return id != dead;
}

static const struct assay_process me = {.id = 7, .alive = alive};
static const struct assay_process other = {.id = 8, .alive = alive};

static int open_table(void **state)
{
    (void)state;
    size_t size = assay_inactive_size(SETS);
    void *memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    table = assay_inactive_init(memory, SETS);
    dead = 0;
    return 0;
}

static int close_table(void **state)
{
    (void)state;
    free(table);
    return 0;
}

/* Keys of one set. */
static const uint64_t *key_of(uint64_t n)
{
    static uint64_t key[ASSAY_INACTIVE_KEY_WORDS];
    key[0] = n + 1;
    key[1] = 5;
    return key;
}

static void put(uint64_t n, uint64_t generation, int64_t asked_us)
{
    assay_inactive_put(table, key_of(n), generation, asked_us, &me);
}

static int64_t found(uint64_t n, uint64_t generation)
{
    int64_t asked_us = 0;
    bool is = assay_inactive_find(table, key_of(n), generation, &asked_us);
    assert_int_equal(asked_us != 0, is);
    return asked_us;
}

static assay_claim *claim_at(size_t way)
{
    return (assay_claim *)(void *)((uint8_t *)table + HEAD + way * ENTRY);
}

static void the_latest_answer_counts(void **state)
{
    (void)state;
    assert_int_equal(found(1, 1), 0);
    put(1, 1, 3000);
    put(1, 1, 2000);
    assert_int_equal(found(1, 1), 3000);
    put(1, 1, 4000);
    assert_int_equal(found(1, 1), 4000);
    assert_int_equal(found(2, 1), 0);
}

static void an_answer_is_of_its_generation_and_replaces_none_of_a_later_one(void **state)
{
    (void)state;
    put(1, 2, 3000);
    assert_int_equal(found(1, 1), 0);
    assert_int_equal(found(1, 3), 0);
    put(1, 1, 9000);
    assert_int_equal(found(1, 2), 3000);
    put(1, 3, 1000); /* clocks do not go back, but nobody relies on it */
    assert_int_equal(found(1, 3), 1000);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 4; n++) {
        put(n, 1, 1000 + (int64_t)n);
    }
    put(9, 1, 5000);
    assert_int_equal(found(0, 1), 0);
    for (uint64_t n = 1; n < 4; n++) {
        assert_int_equal(found(n, 1), 1000 + (int64_t)n);
    }
    assert_int_equal(found(9, 1), 5000);
}

/* REL-06: a process that is stopped while it writes is not waited for: another place will do, and
 * of two the later one counts. */
static void a_place_that_is_held_is_gone_round(void **state)
{
    (void)state;
    put(1, 1, 1000);
    assert_int_equal(assay_claim_take(claim_at(0), &other), ASSAY_CLAIM_TAKEN);
    assert_int_equal(found(1, 1), 0);
    put(1, 1, 2000);
    assert_int_equal(found(1, 1), 2000);
    assay_claim_give(claim_at(0));
    assert_int_equal(found(1, 1), 2000);
}

static void where_all_are_held_nothing_is_kept_and_nobody_waits(void **state)
{
    (void)state;
    for (size_t way = 0; way < 4; way++) {
        assert_int_equal(assay_claim_take(claim_at(way), &other), ASSAY_CLAIM_TAKEN);
    }
    put(1, 1, 1000);
    assert_int_equal(found(1, 1), 0);
    dead = 8;
    put(1, 1, 1000);
    assert_int_equal(found(1, 1), 1000);
}

/* What somebody writes about just now counts for who stores an active answer, and not for who
 * decides. */
static void what_is_being_written_outdates_but_does_not_refuse(void **state)
{
    (void)state;
    put(1, 1, 1000);
    assert_int_equal(assay_claim_take(claim_at(0), &other), ASSAY_CLAIM_TAKEN);
    assert_int_equal(assay_inactive_latest(table, key_of(1), 1), 1000);
    assert_int_equal(assay_inactive_latest(table, key_of(2), 1), 0);
    assert_int_equal(found(1, 1), 0);
}

/* Its writer may have died between its words. */
static void of_what_is_inherited_the_later_time_stays(void **state)
{
    (void)state;
    put(1, 1, 5000);
    assert_int_equal(assay_claim_take(claim_at(0), &other), ASSAY_CLAIM_TAKEN);
    dead = 8;
    put(1, 1, 2000);
    assert_int_equal(found(1, 1), 5000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)
    const struct CMUnitTest tests[] = {
        T(the_latest_answer_counts),
        T(an_answer_is_of_its_generation_and_replaces_none_of_a_later_one),
        T(the_oldest_makes_room),
        T(a_place_that_is_held_is_gone_round),
        T(where_all_are_held_nothing_is_kept_and_nobody_waits),
        T(what_is_being_written_outdates_but_does_not_refuse),
        T(of_what_is_inherited_the_later_time_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
