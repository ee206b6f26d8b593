/* Refresh is safe to retry, and theft ends the grant (DESIGN section 4). The plain cases stand in
 * store_contract.c; here are the corners. */
#include "fixture.h"
#include "support/check.h"

#define HOUR 3600
#define DAY 86400

struct family {
    struct assay_change issued; /* first refresh token */
    struct assay_change first;  /* its rotation at NOW, window 10 */
};

static void rotate_once(struct fixture *fx, struct family *family)
{
    fx_issue(fx, "robot", true, NOW - 1, &family->issued);
    assert_int_equal(
        fx_rotate(fx, "robot", &family->issued.u.issue.refresh, NOW, 10, &family->first),
        ASSAY_DONE);
}

static enum assay_change_outcome come_back(struct fixture *fx, struct family *family,
                                           const char *client, int64_t now_s)
{
    struct assay_change again;
    return fx_rotate(fx, client, &family->issued.u.issue.refresh, now_s, 10, &again);
}

static enum assay_liveness successor(struct fixture *fx, const struct family *family, int64_t now_s)
{
    return fx_look(fx, &family->first.u.rotate.refresh.address, now_s).liveness;
}

/* C-4, A-TOK-17: also when the token that comes back has itself expired since: its successors live
 * longer. */
static void a_rotated_token_ends_its_grant_though_it_has_expired(void **state)
{
    struct fixture *fx = *state;
    static const char *const clients[] = {"robot", "other"};
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    for (size_t i = 0; i < 2; i++) {
        struct family family;
        struct assay_change second;
        rotate_once(fx, &family);
        int64_t late_s = NOW + DAY - 10;
        assert_int_equal(
            fx_rotate(fx, "robot", &family.first.u.rotate.refresh, late_s, 10, &second),
            ASSAY_DONE);
        assert_int_equal(come_back(fx, &family, clients[i], NOW + DAY + 5), ASSAY_REFUSED_REUSE);
        assert_int_equal(fx_look(fx, &second.u.rotate.refresh.address, NOW + DAY + 5).liveness,
                         ASSAY_DEAD_CUT);
    }
}

/* A cutoff of the rotated token alone ends nothing of its grant: coming back does. */
static void a_rotated_token_that_was_cut_off_alone_ends_its_grant(void **state)
{
    struct fixture *fx = *state;
    struct family family;
    uint8_t id[8];
    fx_add_client(fx, "robot");
    rotate_once(fx, &family);
    fx_cut(fx, ASSAY_CUTOFF_TOKEN, fx_token_id(&family.issued.u.issue.refresh, id), NOW);
    assert_int_equal(successor(fx, &family, NOW), ASSAY_LIVE);
    assert_int_equal(come_back(fx, &family, "robot", NOW + 1), ASSAY_REFUSED_REUSE);
    assert_int_equal(successor(fx, &family, NOW), ASSAY_DEAD_CUT);
}

/* Where the grant is over already there is nothing to end: nothing is written, whoever comes. */
static void coming_back_to_a_grant_that_is_over_writes_nothing(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        enum assay_cutoff_kind kind;
        const char *id;
    } ends[] = {{ASSAY_CUTOFF_GRANT, NULL},
                {ASSAY_CUTOFF_SUBJECT, "alice"},
                {ASSAY_CUTOFF_CLIENT, "robot"},
                {ASSAY_CUTOFF_EVERYTHING, ""}};
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct family family;
        uint8_t id[8];
        rotate_once(fx, &family);
        fx_cut(fx, ends[i].kind,
               ends[i].id == NULL ? fx_grant_id(&family.first.u.rotate.refresh, id)
                                  : assay_slice_of_text(ends[i].id),
               NOW);
        uint64_t seq = fx_stat(fx).seq;
        size_t events = fx_events(fx, 0, NULL);
        assert_int_equal(come_back(fx, &family, "robot", NOW + 1), ASSAY_REFUSED_REUSE);
        assert_int_equal(come_back(fx, &family, "other", NOW + 1), ASSAY_REFUSED_REUSE);
        assert_int_equal(come_back(fx, &family, "robot", NOW + 100), ASSAY_REFUSED_REUSE);
        assert_int_equal(fx_stat(fx).seq, seq);
        assert_int_equal(fx_events(fx, 0, NULL), events);
    }
}

/* A-TOK-17: the grant is ended once, with one event, however often the thief comes back. */
static void reuse_is_one_event(void **state)
{
    struct fixture *fx = *state;
    struct family family;
    fx_add_client(fx, "robot");
    rotate_once(fx, &family);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(come_back(fx, &family, "robot", NOW + 10), ASSAY_REFUSED_REUSE);
        assert_int_equal(fx_events(fx, 0, NULL), 1);
    }
}

/* A retry gives what lives: not a successor that was revoked or has expired. It ends nothing. */
static void a_retry_does_not_give_a_dead_successor(void **state)
{
    struct fixture *fx = *state;
    struct family family;
    struct assay_change again;
    uint8_t id[8];
    fx_add_client(fx, "robot");
    rotate_once(fx, &family);
    fx_cut(fx, ASSAY_CUTOFF_TOKEN, fx_token_id(&family.first.u.rotate.refresh, id), NOW);
    uint64_t seq = fx_stat(fx).seq;
    assert_int_equal(come_back(fx, &family, "robot", NOW + 1), ASSAY_REFUSED_PARENT);
    assert_int_equal(fx_stat(fx).seq, seq);

    struct assay_change rotate = {.verb = ASSAY_CHANGE_ROTATE, .now_s = NOW};
    fx_issue(fx, "robot", true, NOW, &family.issued);
    const struct assay_token_draft *parent = &family.issued.u.issue.refresh;
    rotate.u.rotate.client_id = ASSAY_SLICE("robot");
    rotate.u.rotate.text = fx_text_of(parent);
    rotate.u.rotate.address = parent->address;
    rotate.u.rotate.window_s = 10;
    fx_draft(&rotate.u.rotate.access, ASSAY_TOKEN_ACCESS, "robot", NOW, HOUR);
    fx_draft(&rotate.u.rotate.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW, 3);
    assert_int_equal(fx_change(fx, &rotate), ASSAY_DONE);
    assert_int_equal(fx_rotate(fx, "robot", parent, NOW + 2, 10, &again), ASSAY_DONE);
    assert_int_equal(again.u.rotate.refresh.record.expires_at_s, NOW + 3);
    assert_int_equal(fx_rotate(fx, "robot", parent, NOW + 3, 10, &again), ASSAY_REFUSED_PARENT);
}

/* The window counts, not the clock of the parent: it was alive when it was rotated. */
static void a_retry_may_come_when_the_parent_has_expired(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change first;
    struct assay_change again;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    const struct assay_token_draft *parent = &issued.u.issue.refresh;
    assert_int_equal(fx_rotate(fx, "robot", parent, NOW + DAY - 1, 10, &first), ASSAY_DONE);
    assert_int_equal(fx_rotate(fx, "robot", parent, NOW + DAY + 5, 10, &again), ASSAY_DONE);
    assert_slice_equal(fx_text_of(&again.u.rotate.refresh), fx_text_of(&first.u.rotate.refresh));
}

/* A-TOK-18, C-9: a rotation that was thought good and comes after a cutoff of any of its parents is
 * refused and changes nothing; a retry likewise. */
static void no_token_comes_of_a_dead_parent(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    for (unsigned kind = ASSAY_CUTOFF_TOKEN; kind < ASSAY_CUTOFF_KINDS; kind++) {
        struct assay_change issued;
        struct assay_change late;
        uint8_t token[8];
        uint8_t grant[8];
        if (kind == ASSAY_CUTOFF_KEY) {
            continue;
        }
        memset(&issued, 0, sizeof(issued));
        issued.verb = ASSAY_CHANGE_ISSUE;
        issued.now_s = NOW;
        issued.u.issue.client_id = ASSAY_SLICE("robot");
        issued.u.issue.with_refresh = true;
        fx_draft(&issued.u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, HOUR);
        fx_draft(&issued.u.issue.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW, DAY);
        issued.u.issue.refresh.record.session = ASSAY_SLICE("login");
        assert_int_equal(fx_change(fx, &issued), ASSAY_DONE);
        const struct assay_token_draft *refresh = &issued.u.issue.refresh;
        const struct assay_slice ids[] = {fx_token_id(refresh, token),
                                          fx_grant_id(refresh, grant),
                                          ASSAY_SLICE("login"),
                                          ASSAY_SLICE("alice"),
                                          ASSAY_SLICE("robot"),
                                          {0},
                                          {0}};
        fx_cut(fx, kind, ids[kind], NOW);
        uint64_t seq = fx_stat(fx).seq;
        assert_int_equal(fx_rotate(fx, "robot", refresh, NOW, 10, &late), ASSAY_REFUSED_PARENT);
        assert_int_equal(fx_stat(fx).seq, seq);
    }
}

/* The client must be good when the writer looks, not only when it was let in. */
static void a_client_that_lost_its_right_rotates_nothing(void **state)
{
    struct fixture *fx = *state;
    struct family family;
    struct assay_change late;
    fx_add_client(fx, "robot");
    rotate_once(fx, &family);
    struct assay_change update = {.verb = ASSAY_CHANGE_CLIENT_UPDATE, .now_s = NOW};
    update.u.client.record.client_id = ASSAY_SLICE("robot");
    update.u.client.record.grants = ASSAY_GRANT_CLIENT_CREDENTIALS;
    update.u.client.record.version = fx_client_version(fx, "robot");
    assert_int_equal(fx_change(fx, &update), ASSAY_DONE);
    assert_int_equal(fx_rotate(fx, "robot", &family.first.u.rotate.refresh, NOW, 10, &late),
                     ASSAY_REFUSED_PARENT);
    assert_int_equal(come_back(fx, &family, "robot", NOW + 1), ASSAY_REFUSED_PARENT);
    assert_int_equal(successor(fx, &family, NOW), ASSAY_LIVE);
}

/* P-9700-1, A-TOK-16: sixty-four at once with one token: one successor, the same for all; with no
 * window one gets it, and the others end the grant. */
static void many_at_once_get_one_successor(void **state)
{
    enum { COUNT = 64 };
    struct fixture *fx = *state;
    struct assay_change *changes = calloc(COUNT, sizeof(*changes));
    struct assay_store_change *ops = calloc(COUNT, sizeof(*ops));
    fx_add_client(fx, "robot");
    for (int64_t window_s = 0; window_s <= 10; window_s += 10) {
        struct assay_change issued;
        fx_issue(fx, "robot", true, NOW, &issued);
        const struct assay_token_draft *parent = &issued.u.issue.refresh;
        memset(changes, 0, COUNT * sizeof(*changes));
        for (size_t i = 0; i < COUNT; i++) {
            changes[i].verb = ASSAY_CHANGE_ROTATE;
            changes[i].now_s = NOW;
            changes[i].u.rotate.client_id = ASSAY_SLICE("robot");
            changes[i].u.rotate.text = fx_text_of(parent);
            changes[i].u.rotate.address = parent->address;
            changes[i].u.rotate.window_s = window_s;
            changes[i].u.rotate.salt[0] = (uint8_t)i;
            fx_draft(&changes[i].u.rotate.access, ASSAY_TOKEN_ACCESS, "robot", NOW, HOUR);
            fx_draft(&changes[i].u.rotate.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW, DAY);
        }
        fx_change_all(fx, changes, ops, COUNT);
        size_t done = 0;
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(ops[i].status, ASSAY_OK);
            done += changes[i].outcome == ASSAY_DONE;
            assert_true(changes[i].outcome == ASSAY_DONE ||
                        changes[i].outcome == ASSAY_REFUSED_REUSE);
            if (changes[i].outcome == ASSAY_DONE) {
                assert_slice_equal(fx_text_of(&changes[i].u.rotate.refresh),
                                   fx_text_of(&changes[0].u.rotate.refresh));
            }
        }
        assert_int_equal(done, window_s == 0 ? 1 : COUNT);
        assert_int_equal(fx_look(fx, &changes[0].u.rotate.refresh.address, NOW).liveness,
                         window_s == 0 ? ASSAY_DEAD_CUT : ASSAY_LIVE);
    }
    free(changes);
    free(ops);
}

/* What a store keeps derives no successor: without the old token's text the salt is of no use, and
 * without the salt the text is of none. */
static void a_successor_needs_both_text_and_salt(void **state)
{
    struct fixture *fx = *state;
    struct family family;
    uint8_t secret[3][ASSAY_TOKEN_SECRET_LEN];
    struct assay_error error = {0};
    fx_add_client(fx, "robot");
    rotate_once(fx, &family);
    const struct assay_token_draft *old = &family.issued.u.issue.refresh;
    const struct assay_token_draft *fresh = &family.first.u.rotate.refresh;
    const uint8_t *salt = family.first.u.rotate.salt;
    const uint8_t none[ASSAY_SALT_LEN] = {0};
    assert_ok(assay_successor_secret(fx_text_of(old), assay_slice_of(salt, ASSAY_SALT_LEN),
                                     &fresh->address, secret[0], &error),
              &error);
    assert_memory_equal(secret[0], fresh->secret, ASSAY_TOKEN_SECRET_LEN);
    assert_ok(assay_successor_secret(fx_text_of(old), assay_slice_of(none, ASSAY_SALT_LEN),
                                     &fresh->address, secret[1], &error),
              &error);
    assert_ok(assay_successor_secret(fx_text_of(fresh), assay_slice_of(salt, ASSAY_SALT_LEN),
                                     &fresh->address, secret[2], &error),
              &error);
    assert_memory_not_equal(secret[1], fresh->secret, ASSAY_TOKEN_SECRET_LEN);
    assert_memory_not_equal(secret[2], fresh->secret, ASSAY_TOKEN_SECRET_LEN);
}

/* Through a rotation of the sealing key a retry gives the same text: its address keeps its key. */
static void a_retry_gives_the_same_text_under_a_newer_sealing_key(void **state)
{
    struct fixture *fx = *state;
    struct family family;
    struct assay_change again;
    struct assay_change seal = {.verb = ASSAY_CHANGE_SEAL_ROTATE, .now_s = NOW};
    seal.u.seal.key[0] = 9;
    fx_add_client(fx, "robot");
    rotate_once(fx, &family);
    assert_int_equal(fx_change(fx, &seal), ASSAY_DONE);
    assert_int_equal(fx_rotate(fx, "robot", &family.issued.u.issue.refresh, NOW + 1, 10, &again),
                     ASSAY_DONE);
    assert_slice_equal(fx_text_of(&again.u.rotate.refresh),
                       fx_text_of(&family.first.u.rotate.refresh));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(a_rotated_token_ends_its_grant_though_it_has_expired),
        FX_TEST(a_rotated_token_that_was_cut_off_alone_ends_its_grant),
        FX_TEST(coming_back_to_a_grant_that_is_over_writes_nothing),
        FX_TEST(reuse_is_one_event),
        FX_TEST(a_retry_does_not_give_a_dead_successor),
        FX_TEST(a_retry_may_come_when_the_parent_has_expired),
        FX_TEST(no_token_comes_of_a_dead_parent),
        FX_TEST(a_client_that_lost_its_right_rotates_nothing),
        FX_TEST(many_at_once_get_one_successor),
        FX_TEST(a_successor_needs_both_text_and_salt),
        FX_TEST(a_retry_gives_the_same_text_under_a_newer_sealing_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
