#include "record/lookup.h"
#include "support/check.h"

/* A look-up whose token is alive at 1000, and what may be changed in it. */
struct answer {
    struct assay_token_record token;
    struct assay_client_record client;
    struct assay_lookup lookup;
};

static void init(struct answer *a)
{
    *a = (struct answer){.token = {.issued_at_s = 900, .expires_at_s = 2000, .not_before_s = 950}};
    a->lookup.token = &a->token;
    a->lookup.client = &a->client;
    a->lookup.horizon_s = 990;
}

static enum assay_liveness judge(const struct answer *a, int64_t now_s)
{
    return assay_lookup_judge(&a->lookup, now_s);
}

/* A-TOK-04, R7662-4-2: dead from its exp second on; by the clock, or by the horizon whatever the
 * clock says. */
static void exp_is_the_first_second_of_death(void **state)
{
    (void)state;
    struct answer a;
    init(&a);
    assert_int_equal(judge(&a, 1999), ASSAY_LIVE);
    assert_int_equal(judge(&a, 2000), ASSAY_DEAD_EXPIRED);
    assert_int_equal(judge(&a, INT64_MAX), ASSAY_DEAD_EXPIRED);
    a.lookup.horizon_s = 1999;
    assert_int_equal(judge(&a, 1000), ASSAY_LIVE);
    a.lookup.horizon_s = 2000;
    assert_int_equal(judge(&a, 1000), ASSAY_DEAD_EXPIRED);
    a.lookup.horizon_s = 2001;
    assert_int_equal(judge(&a, 1000), ASSAY_DEAD_EXPIRED);
}

/* A-TOK-05 */
static void nbf_is_the_first_second_of_life(void **state)
{
    (void)state;
    struct answer a;
    init(&a);
    assert_int_equal(judge(&a, 949), ASSAY_DEAD_NOT_YET);
    assert_int_equal(judge(&a, 950), ASSAY_LIVE);
}

/* Each reason alone is enough; all sixty-four mixes but one are dead. */
static void only_what_has_no_reason_to_be_dead_is_live(void **state)
{
    (void)state;
    for (unsigned mix = 0; mix < 64; mix++) {
        struct answer a;
        init(&a);
        int64_t now_s = mix & 1 ? 2000 : 1000;
        a.lookup.cut = (mix & 2) != 0;
        a.lookup.client = mix & 4 ? NULL : &a.client;
        a.client.disabled = (mix & 8) != 0;
        a.token.rotation.rotated_at_s = mix & 16 ? 980 : 0;
        a.lookup.token = mix & 32 ? NULL : &a.token;
        assert_int_equal(judge(&a, now_s) == ASSAY_LIVE, mix == 0);
    }
}

static void each_reason_has_a_word_of_its_own(void **state)
{
    (void)state;
    for (int a = ASSAY_LIVE; a <= ASSAY_DEAD_ROTATED; a++) {
        const char *name = assay_liveness_name((enum assay_liveness)a);
        assert_true(strlen(name) > 0);
        for (int b = ASSAY_LIVE; b < a; b++) {
            assert_string_not_equal(name, assay_liveness_name((enum assay_liveness)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_the_first_second_of_death),
        cmocka_unit_test(nbf_is_the_first_second_of_life),
        cmocka_unit_test(only_what_has_no_reason_to_be_dead_is_live),
        cmocka_unit_test(each_reason_has_a_word_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
