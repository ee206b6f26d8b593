/* One concept carries revocation: the cutoff (DESIGN section 4). */
#include "fixture.h"
#include "support/check.h"

#include <stdio.h>

/* A token of these ids; empty ones are left out, as in a token of client_credentials. */
static enum assay_change_outcome issue_as(struct fixture *fx, const char *client,
                                          const char *subject, const char *session,
                                          struct assay_change *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->verb = ASSAY_CHANGE_ISSUE;
    ret->now_s = NOW;
    ret->u.issue.client_id = assay_slice_of_text(client);
    fx_draft(&ret->u.issue.access, ASSAY_TOKEN_ACCESS, client, NOW, 3600);
    ret->u.issue.access.record.subject = assay_slice_of_text(subject);
    ret->u.issue.access.record.session = assay_slice_of_text(session);
    return fx_change(fx, ret);
}

static enum assay_liveness liveness(struct fixture *fx, const struct assay_change *issued)
{
    return fx_look(fx, &issued->u.issue.access.address, NOW).liveness;
}

/* C-1, C-2, A-TOK-18: each kind ends the tokens that bear its id, and no other; which kind it was
 * is told. */
static void each_kind_ends_just_its_own_tokens(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    for (unsigned kind = ASSAY_CUTOFF_TOKEN; kind < ASSAY_CUTOFF_KINDS; kind++) {
        struct assay_change mine;
        struct assay_change others[4];
        char session[16];
        uint8_t token[8];
        uint8_t grant[8];
        snprintf(session, sizeof(session), "login %u", kind);
        memset(&mine, 0, sizeof(mine));
        mine.verb = ASSAY_CHANGE_ISSUE;
        mine.now_s = NOW;
        mine.u.issue.client_id = ASSAY_SLICE("robot");
        mine.u.issue.with_refresh = true;
        fx_draft(&mine.u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
        fx_draft(&mine.u.issue.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW, 86400);
        mine.u.issue.access.record.session = assay_slice_of_text(session);
        assert_int_equal(fx_change(fx, &mine), ASSAY_DONE);
        issue_as(fx, "robot", "bob", "", &others[0]);
        issue_as(fx, "other", "alice", "", &others[1]);
        issue_as(fx, "other", "bob", "login", &others[2]);
        issue_as(fx, "other", "", "", &others[3]);
        const struct assay_slice ids[] = {
            fx_token_id(&mine.u.issue.access, token),
            fx_grant_id(&mine.u.issue.access, grant),
            assay_slice_of_text(session),
            ASSAY_SLICE("alice"),
            ASSAY_SLICE("robot"),
            ASSAY_SLICE("no token bears a signing key"),
            {0},
        };
        assert_int_equal(fx_cut(fx, kind, ids[kind], NOW), ASSAY_DONE);
        struct seen seen = fx_look(fx, &mine.u.issue.access.address, NOW);
        if (kind == ASSAY_CUTOFF_KEY) {
            assert_int_equal(seen.liveness, ASSAY_LIVE);
        } else {
            assert_int_equal(seen.liveness, ASSAY_DEAD_CUT);
            assert_int_equal(seen.cut_kind, kind);
        }
        const bool ends[4] = {
            kind == ASSAY_CUTOFF_CLIENT || kind == ASSAY_CUTOFF_EVERYTHING,
            kind == ASSAY_CUTOFF_SUBJECT || kind == ASSAY_CUTOFF_EVERYTHING,
            kind == ASSAY_CUTOFF_EVERYTHING,
            kind == ASSAY_CUTOFF_EVERYTHING,
        };
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(liveness(fx, &others[i]), ends[i] ? ASSAY_DEAD_CUT : ASSAY_LIVE);
        }
    }
}

/* A-TOK-18: a subject, a client, everything can be ended again and again: each cutoff ends what was
 * issued since the one before. */
static void a_second_cutoff_ends_what_was_issued_since_the_first(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        enum assay_cutoff_kind kind;
        const char *id;
    } cases[] = {{ASSAY_CUTOFF_SUBJECT, "alice"},
                 {ASSAY_CUTOFF_CLIENT, "robot"},
                 {ASSAY_CUTOFF_EVERYTHING, ""}};
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < 3; i++) {
        for (int round = 0; round < 3; round++) {
            struct assay_change issued;
            issue_as(fx, "robot", "alice", "", &issued);
            assert_int_equal(liveness(fx, &issued), ASSAY_LIVE);
            assert_int_equal(fx_cut(fx, cases[i].kind, assay_slice_of_text(cases[i].id), NOW),
                             ASSAY_DONE);
            assert_int_equal(liveness(fx, &issued), ASSAY_DEAD_CUT);
        }
    }
}

/* A-TOK-12: what changes nothing writes nothing: no number, no event. */
static void what_is_cut_off_for_good_is_not_cut_off_again(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    uint8_t token[8];
    uint8_t grant[8];
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    const struct assay_slice ids[] = {fx_token_id(&issued.u.issue.access, token),
                                      fx_grant_id(&issued.u.issue.access, grant),
                                      ASSAY_SLICE("login")};
    for (unsigned kind = ASSAY_CUTOFF_TOKEN; kind <= ASSAY_CUTOFF_SESSION; kind++) {
        assert_int_equal(fx_cut(fx, kind, ids[kind], NOW), ASSAY_DONE);
        uint64_t seq = fx_stat(fx).seq;
        size_t events = fx_events(fx, 0, NULL);
        assert_int_equal(events, kind + 1);
        assert_int_equal(fx_cut(fx, kind, ids[kind], NOW), ASSAY_DONE_NOTHING);
        assert_int_equal(fx_stat(fx).seq, seq);
        assert_int_equal(fx_events(fx, 0, NULL), events);
    }
}

/* A-CLI-11: an id of full length is one of its own; a longer one is refused, not cut. */
static void long_ids_with_a_common_head_stay_apart(void **state)
{
    struct fixture *fx = *state;
    struct assay_change first;
    struct assay_change second;
    char one[ASSAY_MAX_SUBJECT + 1];
    char two[ASSAY_MAX_SUBJECT + 1];
    char long_id[ASSAY_MAX_CUTOFF_ID + 2];
    memset(one, 'x', sizeof(one));
    one[ASSAY_MAX_SUBJECT] = 0;
    memcpy(two, one, sizeof(two));
    two[ASSAY_MAX_SUBJECT - 1] = 'y';
    memset(long_id, 'x', sizeof(long_id));
    long_id[ASSAY_MAX_CUTOFF_ID + 1] = 0;
    fx_add_client(fx, "robot");
    assert_int_equal(issue_as(fx, "robot", one, "", &first), ASSAY_DONE);
    assert_int_equal(issue_as(fx, "robot", two, "", &second), ASSAY_DONE);
    fx_cut(fx, ASSAY_CUTOFF_SUBJECT, assay_slice_of_text(one), NOW);
    assert_int_equal(liveness(fx, &first), ASSAY_DEAD_CUT);
    assert_int_equal(liveness(fx, &second), ASSAY_LIVE);

    uint64_t seq = fx_stat(fx).seq;
    struct assay_change cut = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
    cut.u.cut.kind = ASSAY_CUTOFF_SUBJECT;
    cut.u.cut.id = assay_slice_of_text(long_id);
    struct assay_store_change op;
    fx_change_all(fx, &cut, &op, 1);
    assert_int_equal(op.status, ASSAY_ERR_LIMIT);
    assert_int_equal(fx_stat(fx).seq, seq);
}

/* C-6: a client that is disabled loses its tokens, whether or not the change says so; enabled
 * again, removed and added again, it has none of them back. */
static void no_way_back_of_a_client_revives_a_token(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    issue_as(fx, "robot", "alice", "", &issued);
    struct assay_change update = {.verb = ASSAY_CHANGE_CLIENT_UPDATE, .now_s = NOW};
    struct assay_client_record *record = &update.u.client.record;
    record->client_id = ASSAY_SLICE("robot");
    record->grants = ASSAY_GRANT_CLIENT_CREDENTIALS | ASSAY_GRANT_REFRESH_TOKEN;
    record->version = fx_client_version(fx, "robot");
    record->disabled = true;
    assert_int_equal(fx_change(fx, &update), ASSAY_DONE);
    assert_int_equal(liveness(fx, &issued), ASSAY_DEAD_CUT);
    record->version = update.u.client.version;
    record->disabled = false;
    assert_int_equal(fx_change(fx, &update), ASSAY_DONE);
    assert_int_equal(liveness(fx, &issued), ASSAY_DEAD_CUT);

    struct assay_change fresh;
    assert_int_equal(issue_as(fx, "robot", "alice", "", &fresh), ASSAY_DONE);
    struct assay_change remove = {.verb = ASSAY_CHANGE_CLIENT_REMOVE, .now_s = NOW};
    remove.u.client.record.client_id = ASSAY_SLICE("robot");
    for (int round = 0; round < 2; round++) {
        assert_int_equal(fx_change(fx, &remove), ASSAY_DONE);
        fx_add_client(fx, "robot");
        assert_int_equal(liveness(fx, &fresh), ASSAY_DEAD_CUT);
        assert_int_equal(liveness(fx, &issued), ASSAY_DEAD_CUT);
        fx_reopen(fx);
    }
}

/* A-TOK-18: a token comes only of a client that was still good after it had been seen to be:
 * whoever was let in before a cutoff gets nothing after it, though the client be enabled again. */
static void who_was_let_in_before_a_cutoff_gets_no_token_after_it(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        enum assay_cutoff_kind kind;
        const char *id;
        enum assay_change_outcome outcome;
    } cases[] = {{ASSAY_CUTOFF_CLIENT, "robot", ASSAY_REFUSED_CLIENT},
                 {ASSAY_CUTOFF_EVERYTHING, "", ASSAY_REFUSED_CLIENT},
                 {ASSAY_CUTOFF_CLIENT, "other", ASSAY_DONE},
                 {ASSAY_CUTOFF_SUBJECT, "robot", ASSAY_DONE}};
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_change issue = {.verb = ASSAY_CHANGE_ISSUE, .now_s = NOW};
        issue.u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&issue.u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
        issue.u.issue.access.record.subject = (struct assay_slice){0};
        issue.u.issue.seen_at = fx_stat(fx).seq;
        fx_cut(fx, cases[i].kind, assay_slice_of_text(cases[i].id), NOW);
        uint64_t seq = fx_stat(fx).seq;
        assert_int_equal(fx_change(fx, &issue), cases[i].outcome);
        assert_true((fx_stat(fx).seq == seq) == (cases[i].outcome != ASSAY_DONE));
        issue.u.issue.seen_at = fx_stat(fx).seq;
        assert_int_equal(fx_change(fx, &issue), ASSAY_DONE);
    }
}

/* A session that has been ended is a dead parent. */
static void an_ended_session_gives_no_token(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    assert_int_equal(issue_as(fx, "robot", "alice", "login", &issued), ASSAY_DONE);
    fx_cut(fx, ASSAY_CUTOFF_SESSION, ASSAY_SLICE("login"), NOW);
    assert_int_equal(liveness(fx, &issued), ASSAY_DEAD_CUT);
    assert_int_equal(issue_as(fx, "robot", "alice", "login", &issued), ASSAY_REFUSED_PARENT);
    assert_int_equal(issue_as(fx, "robot", "alice", "logi", &issued), ASSAY_DONE);
}

/* A-TOK-18: a hundred tokens and cutoffs in one batch: each token is dead or alive by its number
 * alone, with none in between. */
static void tokens_and_cutoffs_of_one_batch_go_by_their_numbers(void **state)
{
    enum { COUNT = 120 };
    struct fixture *fx = *state;
    struct assay_change *changes = calloc(COUNT, sizeof(*changes));
    struct assay_store_change *ops = calloc(COUNT, sizeof(*ops));
    uint64_t newest_cut = 0;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < COUNT; i++) {
        changes[i].now_s = NOW;
        if (i % 40 == 20) {
            changes[i].verb = ASSAY_CHANGE_CUT;
            changes[i].u.cut.kind = ASSAY_CUTOFF_SUBJECT;
            changes[i].u.cut.id = ASSAY_SLICE("alice");
            continue;
        }
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
    }
    fx_change_all(fx, changes, ops, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(ops[i].status, ASSAY_OK);
        assert_int_equal(changes[i].outcome, ASSAY_DONE);
        if (changes[i].verb == ASSAY_CHANGE_CUT) {
            newest_cut = changes[i].u.cut.seq > newest_cut ? changes[i].u.cut.seq : newest_cut;
        }
    }
    size_t alive = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (changes[i].verb == ASSAY_CHANGE_ISSUE) {
            bool after = changes[i].u.issue.access.record.id.seq > newest_cut;
            assert_int_equal(liveness(fx, &changes[i]), after ? ASSAY_LIVE : ASSAY_DEAD_CUT);
            alive += after;
        }
    }
    assert_int_equal(alive, COUNT - 101);
    free(changes);
    free(ops);
}

/* A change that fails half way sends the whole batch through a second time: an update of a client
 * names the version that it replaces then as before. */
static void a_client_update_survives_a_batch_that_runs_twice(void **state)
{
    struct fixture *fx = *state;
    struct assay_change changes[3];
    struct assay_store_change ops[3];
    char too_long[300];
    memset(changes, 0, sizeof(changes));
    memset(too_long, 'x', sizeof(too_long));
    fx_add_client(fx, "robot");
    /* While the first is on its way to the disk, the others gather. */
    changes[0].verb = ASSAY_CHANGE_CUT;
    changes[0].now_s = NOW;
    changes[0].u.cut.kind = ASSAY_CUTOFF_EVERYTHING;
    changes[1].verb = ASSAY_CHANGE_CLIENT_UPDATE;
    changes[1].now_s = NOW;
    changes[1].u.client.record.client_id = ASSAY_SLICE("robot");
    changes[1].u.client.record.name = ASSAY_SLICE("a new name");
    changes[1].u.client.record.grants = ASSAY_GRANT_REFRESH_TOKEN;
    changes[1].u.client.record.version = fx_client_version(fx, "robot");
    changes[2].verb = ASSAY_CHANGE_ISSUE;
    changes[2].now_s = NOW;
    changes[2].u.issue.client_id = ASSAY_SLICE("robot");
    changes[2].u.issue.with_refresh = true;
    fx_draft(&changes[2].u.issue.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW, 86400);
    fx_draft(&changes[2].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
    changes[2].u.issue.access.record.username = assay_slice_of(too_long, sizeof(too_long));
    fx_change_all(fx, changes, ops, 3);
    assert_int_equal(ops[1].status, ASSAY_OK);
    assert_int_equal(changes[1].outcome, ASSAY_DONE);
    assert_int_equal(ops[2].status, ASSAY_ERR_LIMIT);
    assert_int_equal(fx_client_version(fx, "robot"), changes[1].u.client.version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(each_kind_ends_just_its_own_tokens),
        FX_TEST(a_second_cutoff_ends_what_was_issued_since_the_first),
        FX_TEST(what_is_cut_off_for_good_is_not_cut_off_again),
        FX_TEST(long_ids_with_a_common_head_stay_apart),
        FX_TEST(no_way_back_of_a_client_revives_a_token),
        FX_TEST(who_was_let_in_before_a_cutoff_gets_no_token_after_it),
        FX_TEST(an_ended_session_gives_no_token),
        FX_TEST(tokens_and_cutoffs_of_one_batch_go_by_their_numbers),
        FX_TEST(a_client_update_survives_a_batch_that_runs_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
