#include "guard/asking.h"

#include "support/check.h"

#include <stdlib.h>

#define SLOTS 64

static struct assay_asking *asking;
static uint32_t dead;

static bool alive(uint32_t id)
{
    return id != dead;
}

static const struct assay_process one = {.id = 1, .alive = alive};
static const struct assay_process two = {.id = 2, .alive = alive};

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

static enum assay_asking_role begin(uint8_t n, const struct assay_process *me)
{
    unsigned failure = 0;
    return assay_asking_begin(asking, key_of(n), 1000, me, &failure);
}

/* A-GW-24 */
static void one_process_asks_and_the_others_wait(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assert_int_equal(begin(1, &two), ASSAY_ASKING_OTHERS);
    assay_asking_end(asking, key_of(1), 0, 2000, &one);
    assert_int_equal(begin(1, &two), ASSAY_ASKING_MINE);
}

/* F-01 REL-06 */
static void who_died_holds_nothing_up(void **state)
{
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    dead = 1;
    assert_int_equal(begin(1, &two), ASSAY_ASKING_MINE);
    assay_asking_end(asking, key_of(1), 7, 2000, &one); /* too late: it is not theirs any more */
    dead = 0;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_FAILED);
    unsigned failure = 0;
    assert_int_equal(assay_asking_begin(asking, key_of(1), 5000, &one, &failure),
                     ASSAY_ASKING_OTHERS);
}

static void another_token_in_the_same_place_is_asked_about_alone(void **state)
{
    uint8_t other[ASSAY_ASKING_KEY_LEN];
    unsigned failure = 0;
    (void)state;
    memcpy(other, key_of(1), sizeof(other));
    other[12] ^= 1; /* of the word that names it, not of the one that places it */
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assert_int_equal(assay_asking_begin(asking, other, 0, &two, &failure), ASSAY_ASKING_ALONE);
    assert_int_equal(assay_asking_begin(asking, other, 0, &one, &failure), ASSAY_ASKING_ALONE);
    assay_asking_end(asking, other, 0, 0, &two); /* ends nothing of the first */
    assert_int_equal(begin(1, &two), ASSAY_ASKING_OTHERS);
}

/* A failure is shared by those who waited for it, and remembered for nobody. */
static void a_failure_is_for_those_who_came_before_it_was_asked(void **state)
{
    unsigned failure = 0;
    (void)state;
    assert_int_equal(begin(1, &one), ASSAY_ASKING_MINE);
    assay_asking_end(asking, key_of(1), 13, 2000, &one);
    assert_int_equal(assay_asking_begin(asking, key_of(1), 1999, &two, &failure),
                     ASSAY_ASKING_FAILED);
    assert_int_equal(failure, 13);
    assert_int_equal(assay_asking_begin(asking, key_of(1), 2000, &two, &failure),
                     ASSAY_ASKING_MINE);
    assert_int_equal(assay_asking_begin(asking, key_of(2), 0, &two, &failure), ASSAY_ASKING_MINE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_table, close_table)
    const struct CMUnitTest tests[] = {
        T(one_process_asks_and_the_others_wait),
        T(who_died_holds_nothing_up),
        T(another_token_in_the_same_place_is_asked_about_alone),
        T(a_failure_is_for_those_who_came_before_it_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
