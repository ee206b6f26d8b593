/* The scope of an access token is what the resource servers of its audiences understand, as they
 * are registered in the transaction that makes it (RFC 8707 section 2.2; record/narrowing.h). */
#include "fixture.h"
#include "support/check.h"

#include <stdio.h>

#define A "https://a.example"
#define B "https://b.example"

/* A resource server as it is to be, from whatever it was. */
static void register_server(struct fixture *fx, const char *id, const char *audience,
                            const char *scope, bool disabled)
{
    struct assay_change change = {.verb = ASSAY_CHANGE_CLIENT_ADD, .now_s = NOW};
    struct assay_client_record *record = &change.u.client.record;
    record->version = fx_client_version(fx, id);
    change.verb = record->version == 0 ? ASSAY_CHANGE_CLIENT_ADD : ASSAY_CHANGE_CLIENT_UPDATE;
    record->client_id = assay_slice_of_text(id);
    record->resource_server = true;
    record->audience = assay_slice_of_text(audience);
    record->scope = assay_slice_of_text(scope);
    record->disabled = disabled;
    assert_int_equal(fx_change(fx, &change), ASSAY_DONE);
}

static void remove_server(struct fixture *fx, const char *id)
{
    struct assay_change change = {.verb = ASSAY_CHANGE_CLIENT_REMOVE, .now_s = NOW};
    change.u.client.record.client_id = assay_slice_of_text(id);
    assert_int_equal(fx_change(fx, &change), ASSAY_DONE);
}

static enum assay_change_outcome issue_for(struct fixture *fx, const char *audience, bool refresh,
                                           struct assay_change *ret)
{
    fx_issuance("robot", refresh, NOW, ret);
    ret->u.issue.access.record.audience = assay_slice_of_text(audience);
    ret->u.issue.refresh.record.audience = ASSAY_SLICE(A " " B);
    return fx_change(fx, ret);
}

/* The draft says what was granted, and so does the store. */
static void expect(struct fixture *fx, const char *audience, const char *scope)
{
    struct assay_change issued;
    struct assay_store_stat before = fx_stat(fx);
    enum assay_change_outcome outcome = issue_for(fx, audience, false, &issued);
    if (scope[0] == '\0') {
        assert_int_equal(outcome, ASSAY_REFUSED_SCOPE);
        assert_int_equal(fx_stat(fx).seq, before.seq);
        return;
    }
    assert_int_equal(outcome, ASSAY_DONE);
    assert_slice_equal(issued.u.issue.access.record.scope, assay_slice_of_text(scope));
    assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).liveness, ASSAY_LIVE);
}

/* R8707-2.2-3 */
static void a_token_carries_what_its_audience_understands(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    expect(fx, A, "read write");
    register_server(fx, "rs1", A, "read other", false);
    expect(fx, A, "read");
    expect(fx, B, "read write");
    expect(fx, A " " B, "read write");
    register_server(fx, "rs2", B, "write", false);
    expect(fx, B, "write");
    expect(fx, A " " B, "read write");
    register_server(fx, "rs3", A, "rea reads", false);
    expect(fx, A, "read");
}

static void nothing_is_issued_when_nothing_is_understood(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    register_server(fx, "rs1", A, "admin", false);
    expect(fx, A, "");
    fx_reopen(fx);
    expect(fx, A, "");
}

/* Each change of a registration holds for the next token; none leaves a trace of what was. */
static void registrations_come_and_go(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    register_server(fx, "rs1", A " " B, "read", false);
    expect(fx, B, "read");
    register_server(fx, "rs1", A, "read", false); /* no longer of B */
    expect(fx, B, "read write");
    expect(fx, A, "read");
    register_server(fx, "rs1", A, "", false); /* understands everything */
    expect(fx, A, "read write");
    register_server(fx, "rs1", A, "write", false);
    expect(fx, A, "write");
    register_server(fx, "rs1", A, "write", true); /* disabled */
    expect(fx, A, "read write");
    register_server(fx, "rs1", A, "write", false);
    expect(fx, A, "write");
    remove_server(fx, "rs1");
    expect(fx, A, "read write");
    fx_add_client(fx, "rs1"); /* of that name, but no resource server */
    expect(fx, A, "read write");
}

/* R8707-2.2-2: the refresh token keeps the whole grant, and each rotation goes by what is
 * registered then. When nothing remains, nothing is rotated. */
static void a_refresh_narrows_the_access_token_alone(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change again;
    fx_add_client(fx, "robot");
    register_server(fx, "rs1", A, "read", false);
    assert_int_equal(issue_for(fx, A, true, &issued), ASSAY_DONE);
    assert_slice_equal(issued.u.issue.access.record.scope, ASSAY_SLICE("read"));
    assert_slice_equal(issued.u.issue.refresh.record.scope, ASSAY_SLICE("read write"));

    const struct assay_token_draft *parent = &issued.u.issue.refresh;
    register_server(fx, "rs1", A, "admin", false);
    struct assay_change refused;
    for (int i = 0; i < 2; i++) {
        fx_rotation("robot", parent, NOW, 10, &refused);
        refused.u.rotate.access.record.audience = ASSAY_SLICE(A);
        assert_int_equal(fx_change(fx, &refused), ASSAY_REFUSED_SCOPE);
    }
    assert_int_equal(fx_look(fx, &parent->address, NOW).liveness, ASSAY_LIVE);

    register_server(fx, "rs1", A, "write", false);
    fx_rotation("robot", parent, NOW, 10, &again);
    again.u.rotate.access.record.audience = ASSAY_SLICE(A);
    assert_int_equal(fx_change(fx, &again), ASSAY_DONE);
    assert_slice_equal(again.u.rotate.access.record.scope, ASSAY_SLICE("write"));
    assert_slice_equal(again.u.rotate.refresh.record.scope, ASSAY_SLICE("read write"));
}

/* A rotated token that comes back ends its grant, whatever is understood. */
static void a_theft_is_punished_whatever_is_understood(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change first;
    struct assay_change second;
    fx_add_client(fx, "robot");
    assert_int_equal(fx_issue(fx, "robot", true, NOW, &issued), ASSAY_DONE);
    assert_int_equal(fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW, 0, &first), ASSAY_DONE);
    register_server(fx, "rs1", A, "admin", false);
    fx_rotation("robot", &issued.u.issue.refresh, NOW, 0, &second);
    second.u.rotate.access.record.audience = ASSAY_SLICE(A);
    assert_int_equal(fx_change(fx, &second), ASSAY_REFUSED_REUSE);
    assert_int_equal(fx_look(fx, &first.u.rotate.refresh.address, NOW).liveness, ASSAY_DEAD_CUT);
}

/* More resource servers of one audience than are looked at: the work stays bounded, and nothing is
 * taken away. */
static void a_crowd_of_servers_takes_nothing_away(void **state)
{
    struct fixture *fx = *state;
    char id[16];
    fx_add_client(fx, "robot");
    for (int i = 0; i < ASSAY_MAX_SCOPE_SERVERS; i++) {
        snprintf(id, sizeof(id), "rs%d", i);
        register_server(fx, id, A, "read", false);
    }
    expect(fx, A, "read");
    register_server(fx, "one more", A, "read", false);
    expect(fx, A, "read write");
}

/* A batch in which one change fails half way runs twice: what was refused the first time is refused
 * the second time, and what was narrowed stays so. */
static void a_batch_that_runs_twice_narrows_as_one_that_runs_once(void **state)
{
    struct fixture *fx = *state;
    static const uint8_t too_long[ASSAY_MAX_USERNAME + 1] = {0};
    struct assay_change changes[4];
    struct assay_store_change ops[4];
    fx_add_client(fx, "robot");
    register_server(fx, "rs1", A, "admin", false);
    register_server(fx, "rs2", B, "write", false);
    memset(&changes[0], 0, sizeof(changes[0]));
    changes[0].verb = ASSAY_CHANGE_CUT; /* while it is on its way to the disk, the others gather */
    changes[0].now_s = NOW;
    changes[0].u.cut.kind = ASSAY_CUTOFF_EVERYTHING;
    for (int i = 1; i < 4; i++) {
        fx_issuance("robot", i == 3, NOW, &changes[i]); /* its refresh token is written first */
        changes[i].u.issue.access.record.audience = i == 1 ? ASSAY_SLICE(A) : ASSAY_SLICE(B);
    }
    changes[3].u.issue.access.record.username = assay_slice_of(too_long, sizeof(too_long));
    fx_change_all(fx, changes, ops, 4);
    assert_int_equal(ops[3].status, ASSAY_ERR_LIMIT);
    assert_int_equal(ops[1].status, ASSAY_OK);
    assert_int_equal(changes[1].outcome, ASSAY_REFUSED_SCOPE);
    assert_int_equal(ops[2].status, ASSAY_OK);
    assert_int_equal(changes[2].outcome, ASSAY_DONE);
    assert_slice_equal(changes[2].u.issue.access.record.scope, ASSAY_SLICE("write"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(a_token_carries_what_its_audience_understands),
        FX_TEST(nothing_is_issued_when_nothing_is_understood),
        FX_TEST(registrations_come_and_go),
        FX_TEST(a_refresh_narrows_the_access_token_alone),
        FX_TEST(a_theft_is_punished_whatever_is_understood),
        FX_TEST(a_crowd_of_servers_takes_nothing_away),
        FX_TEST(a_batch_that_runs_twice_narrows_as_one_that_runs_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
