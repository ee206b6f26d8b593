/* How a store cleans itself (DESIGN section 4): what goes, when, and what a wrong clock may do. */
#include "fixture.h"
#include "support/check.h"

#define HOUR 3600

static struct seen look(struct fixture *fx, const struct assay_token_draft *draft, int64_t now_s)
{
    return fx_look(fx, &draft->address, now_s);
}

static void issue_for(struct fixture *fx, int64_t issued_s, int64_t lifetime_s,
                      struct assay_change *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->verb = ASSAY_CHANGE_ISSUE;
    ret->now_s = issued_s;
    ret->u.issue.client_id = ASSAY_SLICE("robot");
    fx_draft(&ret->u.issue.access, ASSAY_TOKEN_ACCESS, "robot", issued_s, lifetime_s);
    assert_int_equal(fx_change(fx, ret), ASSAY_DONE);
}

static void a_sweep_takes_what_has_expired_and_nothing_else(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change rotated;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW, 10, &rotated);
    fx_sweep(fx, NOW + HOUR - 1);
    assert_true(look(fx, &issued.u.issue.access, NOW).found);
    fx_sweep(fx, NOW + HOUR);
    assert_false(look(fx, &issued.u.issue.access, NOW).found);
    assert_true(look(fx, &issued.u.issue.refresh, NOW).found);
    assert_int_equal(look(fx, &rotated.u.rotate.refresh, NOW + HOUR).liveness, ASSAY_LIVE);
}

/* REL-03: what has exp at or before the horizon is dead, whatever a clock says later. */
static void what_the_horizon_passed_stays_dead_when_the_clock_goes_back(void **state)
{
    struct fixture *fx = *state;
    struct assay_change longer;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    issue_for(fx, NOW, HOUR + 400, &longer); /* of the same class: keeps the next one from going */
    issue_for(fx, NOW, HOUR, &issued);
    fx_sweep(fx, NOW + HOUR);
    struct seen seen = look(fx, &issued.u.issue.access, NOW);
    assert_true(seen.found);
    assert_int_equal(seen.liveness, ASSAY_DEAD_EXPIRED);
    assert_int_equal(look(fx, &longer.u.issue.access, NOW).liveness, ASSAY_LIVE);
    fx_sweep_once(fx, NOW, NOW + HOUR, 0, NULL);
    fx_reopen(fx);
    assert_int_equal(look(fx, &issued.u.issue.access, NOW).liveness, ASSAY_DEAD_EXPIRED);
    assert_int_equal(fx_stat(fx).horizon_s, NOW + HOUR);
}

/* A class holds lifetimes that differ by a quarter: by so much, at most, is a record swept late. */
static void a_record_is_swept_late_by_a_quarter_of_its_life_at_most(void **state)
{
    struct fixture *fx = *state;
    static const int64_t lifetimes[] = {1, 5, 60, 300, 599, 3600, 3585, 86399, 86400, 2592000};
    fx_add_client(fx, "robot");
    int64_t now_s = NOW;
    fx_sweep(fx, now_s);
    for (size_t i = 0; i < sizeof(lifetimes) / sizeof(lifetimes[0]); i++) {
        struct assay_change longest;
        struct assay_change issued;
        int64_t life_s = lifetimes[i];
        int64_t longest_s = life_s;
        while (assay_lifetime_class(longest_s + 1) == assay_lifetime_class(life_s)) {
            longest_s++;
        }
        issue_for(fx, now_s, longest_s, &longest);
        issue_for(fx, now_s, life_s, &issued);
        now_s += life_s + (life_s + 3) / 4;
        fx_sweep(fx, now_s);
        assert_false(look(fx, &issued.u.issue.access, NOW).found);
    }
}

/* REL-05: a clock that was set back behind the horizon gives no tokens that are dead at once: that
 * is trouble of ours, said as such, and costs no refresh token. */
static void no_token_is_issued_that_the_horizon_has_passed(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change late = {.verb = ASSAY_CHANGE_ISSUE, .now_s = NOW - HOUR};
    struct assay_store_change op;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW - HOUR, &issued);
    fx_sweep(fx, NOW);
    late.u.issue.client_id = ASSAY_SLICE("robot");
    fx_draft(&late.u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW - HOUR, HOUR);
    uint64_t seq = fx_stat(fx).seq;
    fx_change_all(fx, &late, &op, 1);
    assert_int_equal(op.status, ASSAY_ERR_STORE);

    struct assay_change rotate = {.verb = ASSAY_CHANGE_ROTATE, .now_s = NOW - HOUR};
    const struct assay_token_draft *parent = &issued.u.issue.refresh;
    rotate.u.rotate.client_id = ASSAY_SLICE("robot");
    rotate.u.rotate.text = fx_text_of(parent);
    rotate.u.rotate.address = parent->address;
    fx_draft(&rotate.u.rotate.access, ASSAY_TOKEN_ACCESS, "robot", NOW - HOUR, HOUR);
    fx_draft(&rotate.u.rotate.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW - HOUR, 86400);
    fx_change_all(fx, &rotate, &op, 1);
    assert_int_equal(op.status, ASSAY_ERR_STORE);
    assert_int_equal(fx_stat(fx).seq, seq);
    assert_int_equal(look(fx, parent, NOW - HOUR).liveness, ASSAY_LIVE);

    fx_draft(&late.u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW - HOUR, HOUR + 1);
    fx_change_all(fx, &late, &op, 1);
    assert_int_equal(op.status, ASSAY_OK);
}

/* REL-10, F-40: after a step the horizon stands still for an hour of the new clock, in whatever
 * process, and says so. */
static void a_step_of_the_clock_stops_the_horizon_for_an_hour(void **state)
{
    struct fixture *fx = *state;
    static const int64_t steps[] = {61, 5 * HOUR, 86400 * INT64_C(50000), -61, -5 * HOUR};
    int64_t steady_s = 500;
    int64_t now_s = NOW;
    fx_add_client(fx, "robot");
    fx_sweep_once(fx, now_s, steady_s, 1, NULL);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        int64_t horizon_s = fx_stat(fx).horizon_s;
        steady_s += 10;
        now_s += 10 + steps[i];
        fx_sweep_once(fx, now_s, steady_s, 1, NULL);
        assert_int_equal(fx_stat(fx).horizon_s, horizon_s);
        assert_true(fx_says(fx, "clock_stepped"));
        fx_reopen(fx);
        assert_true(fx_says(fx, "clock_stepped"));
        fx_sweep_once(fx, now_s + HOUR - 1, steady_s + HOUR - 1, 1, NULL);
        assert_int_equal(fx_stat(fx).horizon_s, horizon_s);
        now_s += HOUR;
        steady_s += HOUR;
        fx_sweep_once(fx, now_s, steady_s, 1, NULL);
        assert_int_equal(fx_stat(fx).horizon_s, now_s > horizon_s ? now_s : horizon_s);
        assert_false(fx_says(fx, "clock_stepped"));
        assert_false(fx_stat(fx).blocking);
    }
}

/* A slew is no step; nor is a minute, either way. */
static void a_clock_that_is_not_set_moves_the_horizon(void **state)
{
    struct fixture *fx = *state;
    int64_t now_s = NOW;
    int64_t steady_s = 500;
    static const int64_t drifts[] = {0, 60, -60, 1, -1};
    fx_sweep_once(fx, now_s, steady_s, 1, NULL);
    for (size_t i = 0; i < sizeof(drifts) / sizeof(drifts[0]); i++) {
        now_s += 1000 + drifts[i];
        steady_s += 1000;
        fx_sweep_once(fx, now_s, steady_s, 1, NULL);
        assert_int_equal(fx_stat(fx).horizon_s, now_s);
    }
}

/* A clock that is an hour ahead ends no token for good: within the hour it is set right again. */
static void a_clock_far_ahead_for_a_while_ends_nothing(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    issue_for(fx, NOW, HOUR, &issued);
    fx_sweep_once(fx, NOW, 500, 1, NULL);
    for (int64_t i = 1; i < HOUR; i += 300) {
        fx_sweep_once(fx, NOW + 86400 + i, 500 + i, 1, NULL);
        fx_reopen(fx);
    }
    fx_sweep_once(fx, NOW + HOUR - 10, 500 + HOUR - 10, 1, NULL);
    assert_int_equal(look(fx, &issued.u.issue.access, NOW + HOUR - 10).liveness, ASSAY_LIVE);
}

/* Across a restart of the machine nothing tells how long it was down: what is far ahead is given an
 * hour to prove itself, and what goes back has been set. */
static void another_boot_is_given_an_hour(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    issue_for(fx, NOW, HOUR, &issued);
    fx_sweep_once(fx, NOW, 500, 1, NULL);
    fx_sweep_once(fx, NOW + 30, 2, 2, NULL); /* a quick one */
    assert_int_equal(fx_stat(fx).horizon_s, NOW + 30);

    fx_sweep_once(fx, NOW + 86400, 3, 3, NULL);
    assert_int_equal(fx_stat(fx).horizon_s, NOW + 30);
    assert_false(fx_says(fx, "clock_stepped")); /* it may be right */
    fx_sweep_once(fx, NOW + 120, 10, 3, NULL);  /* it was not */
    assert_true(fx_says(fx, "clock_stepped"));
    assert_int_equal(look(fx, &issued.u.issue.access, NOW + 120).liveness, ASSAY_LIVE);

    fx_sweep_once(fx, NOW + 120 + HOUR, 10 + HOUR, 3, NULL);
    assert_false(fx_says(fx, "clock_stepped"));
    fx_sweep_once(fx, NOW, 1, 4, NULL);
    assert_true(fx_says(fx, "clock_stepped"));
}

/* Tokens of a clock that was ahead lie at the left edge and expire late: what came behind them is
 * swept all the same. */
static void tokens_of_a_wrong_clock_do_not_stop_the_sweep(void **state)
{
    struct fixture *fx = *state;
    struct assay_change ahead[40];
    struct assay_change right[3];
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < 40; i++) {
        issue_for(fx, NOW + 30 * 86400, HOUR, &ahead[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        issue_for(fx, NOW, HOUR, &right[i]);
    }
    fx_sweep(fx, NOW + HOUR);
    for (size_t i = 0; i < 3; i++) {
        assert_false(look(fx, &right[i].u.issue.access, NOW).found);
    }
    for (size_t i = 0; i < 40; i++) {
        assert_true(look(fx, &ahead[i].u.issue.access, NOW).found);
    }
    fx_reopen(fx);
    fx_sweep(fx, NOW + 30 * 86400 + HOUR);
    for (size_t i = 0; i < 40; i++) {
        assert_false(look(fx, &ahead[i].u.issue.access, NOW).found);
    }
}

/* P-7009-3, REL-03: a cutoff stays until all it could concern has expired, and 120 s more. */
static void a_cutoff_outlives_what_it_ends(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    static const char *const ids[] = {"alice", "robot", ""};
    static const enum assay_cutoff_kind kinds[] = {ASSAY_CUTOFF_SUBJECT, ASSAY_CUTOFF_CLIENT,
                                                   ASSAY_CUTOFF_EVERYTHING};
    uint8_t token[8];
    fx_add_client(fx, "robot");
    issue_for(fx, NOW, HOUR, &issued);
    for (size_t i = 0; i < 3; i++) {
        fx_cut(fx, kinds[i], assay_slice_of_text(ids[i]), NOW);
    }
    struct assay_change cut = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
    cut.u.cut.kind = ASSAY_CUTOFF_TOKEN;
    cut.u.cut.id = fx_token_id(&issued.u.issue.access, token);
    cut.u.cut.token_expires_at_s = NOW + HOUR;
    fx_change(fx, &cut);
    assert_int_equal(fx_stat(fx).cutoffs, 4);
    fx_sweep(fx, NOW + HOUR + 119);
    assert_int_equal(fx_stat(fx).cutoffs, 4);
    fx_sweep(fx, NOW + HOUR + 120);
    assert_int_equal(fx_stat(fx).cutoffs, 0);
}

/* REL-03: also what was issued by a clock that was ahead, and lives long by the right one. */
static void a_cutoff_outlives_a_token_of_a_clock_that_was_ahead(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    int64_t ahead_s = NOW + 86400;
    fx_add_client(fx, "robot");
    issue_for(fx, ahead_s, HOUR, &issued);
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
    for (int64_t now_s = NOW; now_s < ahead_s + HOUR; now_s += 1000) {
        fx_sweep(fx, now_s);
        assert_int_equal(look(fx, &issued.u.issue.access, now_s).liveness, ASSAY_DEAD_CUT);
    }
}

/* A cutoff that was renewed is kept for its new time. */
static void a_renewed_cutoff_is_kept_anew(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    issue_for(fx, NOW, HOUR, &issued);
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
    issue_for(fx, NOW + HOUR, HOUR, &issued);
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW + HOUR);
    fx_sweep(fx, NOW + HOUR + 120);
    assert_int_equal(fx_stat(fx).cutoffs, 1);
    assert_int_equal(look(fx, &issued.u.issue.access, NOW + HOUR + 120).liveness, ASSAY_DEAD_CUT);
}

/* The salt of a rotation is wiped when its window is over by the clock, though the horizon stands
 * still. */
static void a_salt_goes_with_its_window(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change rotated;
    fx_add_client(fx, "robot");
    fx_sweep_once(fx, NOW - 5 * HOUR, 500, 1, NULL);
    fx_sweep_once(fx, NOW, 501, 1, NULL); /* a step */
    fx_issue(fx, "robot", true, NOW, &issued);
    fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW, 10, &rotated);
    fx_sweep_once(fx, NOW + 9, 510, 1, NULL);
    assert_true(look(fx, &issued.u.issue.refresh, NOW).token.rotation.salted);
    fx_sweep_once(fx, NOW + 10, 511, 1, NULL);
    struct seen seen = look(fx, &issued.u.issue.refresh, NOW);
    assert_int_equal(seen.token.rotation.rotated_at_s, NOW);
    assert_false(seen.token.rotation.salted);
    assert_true(fx_says(fx, "clock_stepped"));
}

/* And not before, though the horizon is far ahead of a clock that was set back. */
static void a_clock_set_back_leaves_the_window_open(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change rotated;
    struct assay_change again;
    fx_add_client(fx, "robot");
    fx_sweep_once(fx, NOW + HOUR / 2, 500, 1, NULL);
    fx_issue(fx, "robot", true, NOW, &issued);
    fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW, 10, &rotated);
    fx_sweep_once(fx, NOW, 500, 1, NULL);
    assert_int_equal(fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW + 5, 10, &again),
                     ASSAY_DONE);
    assert_true(again.u.rotate.retried);
}

/* A one-time id is good for as long as what bears it could be taken by any clock that was seen. */
static void a_one_time_id_outlives_a_clock_that_is_set_back(void **state)
{
    struct fixture *fx = *state;
    struct assay_change once = {.verb = ASSAY_CHANGE_CONSUME_ONCE, .now_s = NOW};
    once.u.once.keep_until_s = NOW + 60;
    fx_sweep_once(fx, NOW + 5 * HOUR, 500, 1, NULL);
    assert_int_equal(fx_change(fx, &once), ASSAY_DONE);
    fx_sweep_once(fx, NOW, 500, 1, NULL);
    fx_sweep_once(fx, NOW + 59, 559, 1, NULL);
    assert_int_equal(fx_change(fx, &once), ASSAY_REFUSED_EXISTS);
    fx_sweep_once(fx, NOW + 60, 560, 1, NULL);
    assert_int_equal(fx_change(fx, &once), ASSAY_DONE);
}

/* F-37: what has piled up goes in bounded batches, and all of it goes. */
static void a_pile_goes_in_bounded_batches(void **state)
{
    enum { PILE = 5000 };
    struct fixture *fx = *state;
    struct assay_change *changes = calloc(PILE, sizeof(*changes));
    struct assay_store_change *ops = calloc(PILE, sizeof(*ops));
    struct assay_change_sweep sweep = {.more = true};
    size_t batches = 0;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < PILE; i++) {
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, HOUR);
    }
    fx_change_all(fx, changes, ops, PILE);
    assert_int_equal(fx_stat(fx).tokens, PILE);
    while (sweep.more) {
        fx_sweep_once(fx, NOW + HOUR, NOW + HOUR, 0, &sweep);
        assert_true(sweep.removed <= 2048);
        batches++;
    }
    assert_int_equal(fx_stat(fx).tokens, 0);
    assert_int_equal(batches, 3);
    free(changes);
    free(ops);
}

/* A store in which nothing changes is not written, but to note the clock now and then. */
static void a_sweep_that_finds_nothing_writes_nothing(void **state)
{
    struct fixture *fx = *state;
    fx_sweep(fx, NOW);
    uint64_t before = fx_stat(fx).seq;
    for (int64_t i = 2; i < 600; i += 2) {
        assert_int_equal(fx_sweep_once(fx, NOW + i, NOW + i, 0, NULL), ASSAY_DONE_NOTHING);
    }
    assert_int_equal(fx_sweep_once(fx, NOW + 600, NOW + 600, 0, NULL), ASSAY_DONE);
    assert_int_equal(fx_stat(fx).seq, before);
}

/* A grant is listed for as long as a refresh token of it can live, the successors' included. */
static void a_grant_goes_with_its_last_refresh_token(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change rotated;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW + 50000, 10, &rotated);
    fx_sweep(fx, NOW + 86400 + 120);
    assert_int_equal(fx_stat(fx).grants, 1);
    fx_sweep(fx, NOW + 50000 + 86400 + 119);
    assert_int_equal(fx_stat(fx).grants, 1);
    fx_sweep(fx, NOW + 50000 + 86400 + 120);
    assert_int_equal(fx_stat(fx).grants, 0);
    assert_int_equal(fx_stat(fx).tokens, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(a_sweep_takes_what_has_expired_and_nothing_else),
        FX_TEST(what_the_horizon_passed_stays_dead_when_the_clock_goes_back),
        FX_TEST(no_token_is_issued_that_the_horizon_has_passed),
        FX_TEST(a_record_is_swept_late_by_a_quarter_of_its_life_at_most),
        FX_TEST(a_step_of_the_clock_stops_the_horizon_for_an_hour),
        FX_TEST(a_clock_that_is_not_set_moves_the_horizon),
        FX_TEST(a_clock_far_ahead_for_a_while_ends_nothing),
        FX_TEST(another_boot_is_given_an_hour),
        FX_TEST(tokens_of_a_wrong_clock_do_not_stop_the_sweep),
        FX_TEST(a_cutoff_outlives_what_it_ends),
        FX_TEST(a_cutoff_outlives_a_token_of_a_clock_that_was_ahead),
        FX_TEST(a_renewed_cutoff_is_kept_anew),
        FX_TEST(a_salt_goes_with_its_window),
        FX_TEST(a_clock_set_back_leaves_the_window_open),
        FX_TEST(a_one_time_id_outlives_a_clock_that_is_set_back),
        FX_TEST(a_pile_goes_in_bounded_batches),
        FX_TEST(a_sweep_that_finds_nothing_writes_nothing),
        FX_TEST(a_grant_goes_with_its_last_refresh_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
