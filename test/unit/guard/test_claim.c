#include "guard/claim.h"

#include "support/check.h"

static uint32_t dead;

static bool alive(uint32_t id)
{
    return id != dead;
}

static const struct assay_process five = {.id = 5, .alive = alive};
static const struct assay_process nine = {.id = 9, .alive = alive};
static const struct assay_process highest = {.id = UINT32_MAX, .alive = alive};

static int nobody_is_dead(void **state)
{
    (void)state;
    dead = 0;
    return 0;
}

static void a_claim_is_its_holders_as_long_as_that_lives(void **state)
{
    assay_claim claim = 0;
    (void)state;
    assert_int_equal(assay_claim_take(&claim, &five), ASSAY_CLAIM_TAKEN);
    assert_true(assay_claim_is_held(claim));
    assert_int_equal(assay_claim_take(&claim, &nine), ASSAY_CLAIM_BUSY);
    assert_false(assay_claim_may_take(claim, &nine));
    dead = 5;
    assert_true(assay_claim_may_take(claim, &nine));
    assert_int_equal(assay_claim_take(&claim, &nine), ASSAY_CLAIM_INHERITED);
    assay_claim_give(&claim);
    assert_false(assay_claim_is_held(claim));
    assert_int_equal(assay_claim_take(&claim, &highest), ASSAY_CLAIM_TAKEN);
    dead = UINT32_MAX;
    assert_int_equal(assay_claim_take(&claim, &nine), ASSAY_CLAIM_INHERITED);
}

/* A process that had our id before us is no reason to wait. */
static void what_our_id_holds_is_inherited(void **state)
{
    assay_claim claim = 0;
    (void)state;
    assert_int_equal(assay_claim_take(&claim, &five), ASSAY_CLAIM_TAKEN);
    assert_int_equal(assay_claim_take(&claim, &five), ASSAY_CLAIM_INHERITED);
}

/* REL-06: no word comes twice, so that who read one before knows that it has been in other hands:
 * of readers, who else believed what was written while they read; and of heirs, who else took it
 * from a living process that got the id of the dead one. */
static void no_word_comes_twice(void **state)
{
    assay_claim claim = 0;
    uint64_t before = claim;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        const struct assay_process *me = i % 3 == 0 ? &nine : &five;
        dead = i % 7 == 0 ? 5 : 0;
        assert_int_not_equal(assay_claim_take(&claim, me), ASSAY_CLAIM_BUSY);
        assert_true(claim >> 33 > before >> 33);
        before = claim;
        if (i % 7 == 0 && me == &five) { /* it dies, and another one gets its id */
            assert_int_equal(assay_claim_take(&claim, &nine), ASSAY_CLAIM_INHERITED);
            dead = 9;
            assert_int_equal(assay_claim_take(&claim, &five), ASSAY_CLAIM_INHERITED);
            assert_true(claim != before);
            before = claim;
        }
        assay_claim_give(&claim);
        assert_true(claim >> 33 > before >> 33);
        before = claim;
    }
}

static void the_count_comes_round_without_touching_the_holder(void **state)
{
    assay_claim claim = ~(uint64_t)0 << 33;
    (void)state;
    assert_int_equal(assay_claim_take(&claim, &highest), ASSAY_CLAIM_TAKEN);
    assert_int_equal(claim, (uint64_t)UINT32_MAX << 1 | 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_claim_is_its_holders_as_long_as_that_lives, nobody_is_dead),
        cmocka_unit_test_setup(what_our_id_holds_is_inherited, nobody_is_dead),
        cmocka_unit_test_setup(no_word_comes_twice, nobody_is_dead),
        cmocka_unit_test_setup(the_count_comes_round_without_touching_the_holder, nobody_is_dead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
