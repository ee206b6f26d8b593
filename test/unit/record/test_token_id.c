#include "record/token_id.h"
#include "base/limits.h"
#include "support/check.h"

/* Four classes an octave, below 128, none going back: a class is a stretch of lifetimes. */
static void classes_rise_with_the_lifetime(void **state)
{
    (void)state;
    uint8_t before = assay_lifetime_class(1);
    unsigned used = 1;
    for (int64_t life_s = 1; life_s <= ASSAY_MAX_LIFETIME_S; life_s += 1 + life_s / 1000) {
        uint8_t class = assay_lifetime_class(life_s);
        assert_true(class >= before && class < ASSAY_LIFETIME_CLASSES);
        used += class != before;
        before = class;
    }
    assert_true(used > 100);
    assert_int_equal(assay_lifetime_class(ASSAY_MAX_LIFETIME_S), before);
}

/* The longest lifetime of a class is less than a quarter longer than its shortest: by so much at
 * most does its order of expiry differ from that of its numbers. */
static void a_class_is_a_quarter_wide_at_most(void **state)
{
    (void)state;
    int64_t shortest_s = 1;
    uint8_t class = assay_lifetime_class(1);
    for (int64_t life_s = 1; life_s < 3000000; life_s++) {
        if (assay_lifetime_class(life_s) != class) {
            class = assay_lifetime_class(life_s);
            shortest_s = life_s;
        }
        assert_true(4 * (life_s - shortest_s) < shortest_s || life_s == shortest_s);
    }
}

static void ids_differ_in_class_or_number(void **state)
{
    (void)state;
    struct assay_token_id a = {1, 2};
    assert_true(assay_token_id_equal(a, (struct assay_token_id){1, 2}));
    assert_false(assay_token_id_equal(a, (struct assay_token_id){1, 3}));
    assert_false(assay_token_id_equal(a, (struct assay_token_id){2, 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_rise_with_the_lifetime),
        cmocka_unit_test(a_class_is_a_quarter_wide_at_most),
        cmocka_unit_test(ids_differ_in_class_or_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
