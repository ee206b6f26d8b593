/* What every engine must keep (store/store.h, record/change.h). */
#include "fixture.h"
#include "support/check.h"

#include <stdio.h>

/* --- the tests --- */

/* REL-01: what was answered is there after the store was closed and opened. */
static void an_issued_token_is_found_also_after_reopening(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    assert_int_equal(fx_issue(fx, "robot", false, NOW, &issued), ASSAY_DONE);
    for (int i = 0; i < 2; i++) {
        struct seen seen = fx_look(fx, &issued.u.issue.access.address, NOW);
        assert_int_equal(seen.liveness, ASSAY_LIVE);
        assert_true(seen.caller);
        assert_int_equal(seen.token.expires_at_s, NOW + 3600);
        fx_reopen(fx);
    }
}

/* A-TOK-02: an address that was not sealed here finds nothing, and no tree is searched for it. */
static void a_forged_address_is_refused_before_the_trees(void **state)
{
    struct fixture *fx = *state;
    struct assay_address forged = {{1, 2, 3}};
    struct seen seen = fx_look(fx, &forged, NOW);
    assert_int_equal(seen.liveness, ASSAY_DEAD_UNKNOWN);
}

/* A-TOK-04, A-TOK-05, R7662-4-2 */
static void a_token_is_dead_from_its_exp_second_on(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    const struct assay_address *address = &issued.u.issue.access.address;
    assert_int_equal(fx_look(fx, address, NOW + 3599).liveness, ASSAY_LIVE);
    assert_int_equal(fx_look(fx, address, NOW + 3600).liveness, ASSAY_DEAD_EXPIRED);
}

/* A-TOK-12, R7662-4-4: one cutoff ends the token; a second changes nothing and writes nothing. */
static void a_cut_token_is_dead_and_cutting_again_writes_nothing(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    uint8_t id[8];
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    const struct assay_address *address = &issued.u.issue.access.address;
    struct assay_slice name = assay_cutoff_number_id(issued.u.issue.access.record.id.seq, id);
    assert_int_equal(fx_cut(fx, ASSAY_CUTOFF_TOKEN, name, NOW), ASSAY_DONE);
    struct seen after = fx_look(fx, address, NOW);
    assert_int_equal(after.liveness, ASSAY_DEAD_CUT);
    assert_int_equal(after.cut_kind, ASSAY_CUTOFF_TOKEN);
    assert_int_equal(fx_cut(fx, ASSAY_CUTOFF_TOKEN, name, NOW), ASSAY_DONE_NOTHING);
    assert_int_equal(fx_look(fx, address, NOW).as_of, after.as_of);
}

/* A-TOK-18: what was issued before a cutoff is dead, what is issued after it lives. */
static void a_cutoff_ends_what_came_before_it_and_nothing_after(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        enum assay_cutoff_kind kind;
        const char *id;
    } cutoffs[] = {{ASSAY_CUTOFF_SUBJECT, "alice"},
                   {ASSAY_CUTOFF_CLIENT, "robot"},
                   {ASSAY_CUTOFF_EVERYTHING, ""}};
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < 3; i++) {
        struct assay_change before;
        struct assay_change after;
        fx_issue(fx, "robot", false, NOW, &before);
        assert_int_equal(fx_cut(fx, cutoffs[i].kind, assay_slice_of_text(cutoffs[i].id), NOW),
                         ASSAY_DONE);
        fx_issue(fx, "robot", false, NOW, &after);
        assert_int_equal(fx_look(fx, &before.u.issue.access.address, NOW).liveness, ASSAY_DEAD_CUT);
        assert_int_equal(fx_look(fx, &after.u.issue.access.address, NOW).liveness, ASSAY_LIVE);
    }
}

/* Ids are bytes: another case, a prefix or a longer id is another id. */
static void a_cutoff_of_another_id_ends_nothing(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    static const char *const others[] = {"Alice", "alic", "alice2", "alice "};
    for (size_t i = 0; i < 4; i++) {
        fx_cut(fx, ASSAY_CUTOFF_SUBJECT, assay_slice_of_text(others[i]), NOW);
    }
    assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).liveness, ASSAY_LIVE);
}

/* C-6: removing a client ends its tokens; adding it again revives none. */
static void a_removed_client_leaves_no_living_token(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change refused;
    struct assay_change remove = {.verb = ASSAY_CHANGE_CLIENT_REMOVE, .now_s = NOW};
    remove.u.client.record.client_id = ASSAY_SLICE("robot");
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    assert_int_equal(fx_change(fx, &remove), ASSAY_DONE);
    assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).liveness, ASSAY_DEAD_CUT);
    assert_int_equal(fx_issue(fx, "robot", false, NOW, &refused), ASSAY_REFUSED_CLIENT);
    fx_add_client(fx, "robot");
    assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).liveness, ASSAY_DEAD_CUT);
}

/* R6749-6-1, P-9700-1: rotation gives one successor; inside the window the same one again. */
static void a_retry_inside_the_window_gets_the_same_successor(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change first;
    struct assay_change again;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    const struct assay_token_draft *old = &issued.u.issue.refresh;
    assert_int_equal(fx_rotate(fx, "robot", old, NOW, 10, &first), ASSAY_DONE);
    assert_int_equal(fx_rotate(fx, "robot", old, NOW + 9, 10, &again), ASSAY_DONE);
    assert_true(again.u.rotate.retried);
    assert_slice_equal(fx_text_of(&again.u.rotate.refresh), fx_text_of(&first.u.rotate.refresh));
    assert_false(
        assay_slice_equal(fx_text_of(&again.u.rotate.access), fx_text_of(&first.u.rotate.access)));
    assert_int_equal(fx_look(fx, &old->address, NOW).liveness, ASSAY_DEAD_ROTATED);
    assert_int_equal(fx_look(fx, &first.u.rotate.refresh.address, NOW).liveness, ASSAY_LIVE);
}

/* C-4, A-TOK-17, R9700-4.14-2: the window is over when its time is up, when the successor was used,
 * or when the clock reads earlier than the rotation; another client is never inside it. The grant
 * ends. */
static void reuse_ends_the_grant(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        const char *client;
        int64_t at_s;
        int64_t window_s;
        bool successor_used;
    } cases[] = {
        {"robot", NOW + 10, 10, false}, {"robot", NOW, 0, false},      {"robot", NOW + 5, 10, true},
        {"robot", NOW - 1, 10, false},  {"other", NOW + 1, 10, false},
    };
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_change issued;
        struct assay_change first;
        struct assay_change second;
        struct assay_change again;
        fx_issue(fx, "robot", true, NOW - 1, &issued);
        fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW, cases[i].window_s, &first);
        const struct assay_token_draft *live = &first.u.rotate.refresh;
        if (cases[i].successor_used) {
            fx_rotate(fx, "robot", live, NOW, cases[i].window_s, &second);
            live = &second.u.rotate.refresh;
        }
        assert_int_equal(fx_rotate(fx, cases[i].client, &issued.u.issue.refresh, cases[i].at_s,
                                   cases[i].window_s, &again),
                         ASSAY_REFUSED_REUSE);
        assert_int_equal(fx_look(fx, &live->address, NOW).liveness, ASSAY_DEAD_CUT);
        assert_int_equal(fx_look(fx, &first.u.rotate.access.address, NOW).liveness, ASSAY_DEAD_CUT);
        assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).liveness, ASSAY_DEAD_CUT);
    }
}

/* R6749-5.2-4: a live refresh token presented by another client is refused and goes on living. */
static void a_live_refresh_token_of_another_client_is_refused_and_lives(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change stolen;
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    fx_issue(fx, "robot", true, NOW, &issued);
    uint64_t before = fx_look(fx, &issued.u.issue.refresh.address, NOW).as_of;
    assert_int_equal(fx_rotate(fx, "other", &issued.u.issue.refresh, NOW, 10, &stolen),
                     ASSAY_REFUSED_PARENT);
    struct seen seen = fx_look(fx, &issued.u.issue.refresh.address, NOW);
    assert_int_equal(seen.liveness, ASSAY_LIVE);
    assert_int_equal(seen.as_of, before);
}

/* C-1, C-9: cutting the grant ends refresh and access tokens at once; no token comes of it any
 * more. */
static void a_cut_grant_gives_no_more_tokens(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change late;
    uint8_t id[8];
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    fx_cut(fx, ASSAY_CUTOFF_GRANT, assay_cutoff_number_id(issued.u.issue.refresh.record.grant, id),
           NOW);
    assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).liveness, ASSAY_DEAD_CUT);
    assert_int_equal(fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW, 10, &late),
                     ASSAY_REFUSED_PARENT);
}

/* An access token, a forged text at a living address, and an expired token rotate into nothing. */
static void only_a_living_refresh_token_rotates(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change late;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    assert_int_equal(fx_rotate(fx, "robot", &issued.u.issue.access, NOW, 10, &late),
                     ASSAY_REFUSED_PARENT);
    struct assay_token_draft forged = issued.u.issue.refresh;
    forged.text[forged.text_len - 1] ^= 1;
    assert_int_equal(fx_rotate(fx, "robot", &forged, NOW, 10, &late), ASSAY_REFUSED_PARENT);
    assert_int_equal(fx_rotate(fx, "robot", &issued.u.issue.refresh, NOW + 86400, 10, &late),
                     ASSAY_REFUSED_PARENT);
}

static void a_one_time_id_is_taken_once(void **state)
{
    struct fixture *fx = *state;
    struct assay_change once = {.verb = ASSAY_CHANGE_CONSUME_ONCE, .now_s = NOW};
    once.u.once.id_sha256[3] = 1;
    once.u.once.keep_until_s = NOW + 60;
    assert_int_equal(fx_change(fx, &once), ASSAY_DONE);
    assert_int_equal(fx_change(fx, &once), ASSAY_REFUSED_EXISTS);
    fx_reopen(fx);
    assert_int_equal(fx_change(fx, &once), ASSAY_REFUSED_EXISTS);
}

/* Tokens sealed under an older key are found while that key is among the four newest. */
static void sealing_keys_rotate_with_overlap(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change newer;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    for (uint8_t i = 1; i <= ASSAY_MAX_SEAL_KEYS; i++) {
        struct assay_change seal = {.verb = ASSAY_CHANGE_SEAL_ROTATE, .now_s = NOW};
        seal.u.seal.key[0] = i;
        assert_int_equal(fx_change(fx, &seal), ASSAY_DONE);
        bool held = i < ASSAY_MAX_SEAL_KEYS;
        assert_int_equal(fx_look(fx, &issued.u.issue.access.address, NOW).found, held);
        fx_issue(fx, "robot", false, NOW, &newer);
        assert_true(fx_look(fx, &newer.u.issue.access.address, NOW).found);
    }
}

static void a_client_update_needs_the_version_it_read(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    struct assay_change update = {.verb = ASSAY_CHANGE_CLIENT_UPDATE, .now_s = NOW};
    update.u.client.record.client_id = ASSAY_SLICE("robot");
    update.u.client.record.version = 1;
    assert_int_equal(fx_change(fx, &update), ASSAY_REFUSED_STALE);
    update.u.client.record.client_id = ASSAY_SLICE("nobody");
    assert_int_equal(fx_change(fx, &update), ASSAY_REFUSED_ABSENT);
}

/* A change that fails in the middle of a batch takes nothing of the others with it. */
static void a_change_over_its_limits_fails_alone(void **state)
{
    struct fixture *fx = *state;
    static struct assay_change changes[3];
    struct assay_store_change ops[3];
    char long_subject[300];
    memset(long_subject, 'x', sizeof(long_subject));
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < 3; i++) {
        memset(&changes[i], 0, sizeof(changes[i]));
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].prefix = ASSAY_SLICE("assay");
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        changes[i].u.issue.with_refresh = true;
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
        fx_draft(&changes[i].u.issue.refresh, ASSAY_TOKEN_REFRESH, "robot", NOW, 86400);
    }
    changes[1].u.issue.access.record.username = assay_slice_of(long_subject, 300);
    fx_change_all(fx, changes, ops, 3);
    assert_int_equal(ops[0].status, ASSAY_OK);
    assert_int_equal(ops[1].status, ASSAY_ERR_LIMIT);
    assert_int_equal(ops[2].status, ASSAY_OK);
    assert_int_equal(fx_look(fx, &changes[0].u.issue.access.address, NOW).liveness, ASSAY_LIVE);
    assert_false(fx_look(fx, &changes[1].u.issue.refresh.address, NOW).found &&
                 fx_look(fx, &changes[1].u.issue.refresh.address, NOW).liveness == ASSAY_LIVE &&
                 changes[1].u.issue.refresh.record.id.seq !=
                     changes[2].u.issue.refresh.record.id.seq);
    assert_int_equal(fx_look(fx, &changes[2].u.issue.refresh.address, NOW).liveness, ASSAY_LIVE);
}

struct counting {
    size_t rows;
    uint64_t last;
    bool rising;
};

static bool count_event(struct assay_query *query)
{
    struct counting *counting = query->context;
    counting->rising = counting->rows == 0 || query->event.seq > counting->last;
    counting->last = query->event.seq;
    counting->rows++;
    return true;
}

static bool count_grant(struct assay_query *query)
{
    struct counting *counting = query->context;
    assert_slice_equal(query->grant.subject, ASSAY_SLICE("alice"));
    counting->rows++;
    counting->last = query->grant.grant;
    return true;
}

static void listed(struct assay_store_list *list)
{
    assert_ok(list->status, &list->error);
}

static void events_and_grants_are_listed_in_order_and_in_pages(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    for (int i = 0; i < 5; i++) {
        fx_issue(fx, "robot", true, NOW, &issued);
        fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("bob"), NOW);
    }
    struct counting events = {0};
    struct assay_query query = {.verb = ASSAY_QUERY_EVENTS, .limit = 3, .row = count_event};
    query.context = &events;
    struct assay_store_list list = {.query = &query, .done = listed};
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(events.rows, 3);
    assert_true(query.more && events.rising);
    query.after = events.last;
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(events.rows, 5);
    assert_false(query.more);

    struct counting grants = {0};
    query = (struct assay_query){.verb = ASSAY_QUERY_GRANTS_OF_SUBJECT, .limit = 2};
    query.subject = ASSAY_SLICE("alice");
    query.row = count_grant;
    query.context = &grants;
    size_t pages = 0;
    do {
        query.after = grants.last;
        fx->store->ops->list(fx->store, &list);
        pages++;
    } while (query.more && pages < 10);
    assert_int_equal(grants.rows, 5);
    assert_int_equal(pages, 3);
}

struct client_seen {
    bool found;
    bool disabled;
    bool resource_server;
    uint8_t name[64];
    size_t name_len;
};

static void client_answered(struct assay_store_find *find)
{
    struct client_seen *seen = find->context;
    const struct assay_client_record *client = find->lookup->caller;
    assert_ok(find->status, &find->error);
    *seen = (struct client_seen){.found = client != NULL};
    if (client != NULL) {
        seen->disabled = client->disabled;
        seen->resource_server = client->resource_server;
        seen->name_len = client->name.len;
        memcpy(seen->name, client->name.data, client->name.len);
    }
}

static struct client_seen look_at_client(struct fixture *fx, const char *id)
{
    struct client_seen seen = {0};
    struct assay_lookup lookup = {.caller_id = assay_slice_of_text(id)};
    struct assay_store_find find = {.lookup = &lookup, .done = client_answered, .context = &seen};
    fx->store->ops->find(fx->store, &find);
    test_loop_run_task(&fx->loop);
    return seen;
}

/* What is kept of a client at hand is never older than the snapshot: each change of it is seen by
 * the next look-up, also a removal, also a client that comes back. */
static void a_change_of_a_client_is_seen_at_once(void **state)
{
    struct fixture *fx = *state;
    static const char *const names[] = {"one", "two", "a third name", ""};
    fx_add_client(fx, "robot");
    fx_add_client(fx, "other");
    for (size_t i = 0; i < 4; i++) {
        struct assay_change update = {.verb = ASSAY_CHANGE_CLIENT_UPDATE, .now_s = NOW};
        update.u.client.record.client_id = ASSAY_SLICE("robot");
        update.u.client.record.name = assay_slice_of_text(names[i]);
        update.u.client.record.disabled = i % 2 == 1;
        update.u.client.record.resource_server = i >= 2;
        update.u.client.record.version = fx_client_version(fx, "robot");
        assert_int_equal(fx_change(fx, &update), ASSAY_DONE);
        struct client_seen seen = look_at_client(fx, "robot");
        assert_true(seen.found);
        assert_int_equal(seen.disabled, i % 2 == 1);
        assert_int_equal(seen.resource_server, i >= 2);
        assert_slice_equal(assay_slice_of(seen.name, seen.name_len), assay_slice_of_text(names[i]));
        assert_true(look_at_client(fx, "other").found);
    }
    struct assay_change remove = {.verb = ASSAY_CHANGE_CLIENT_REMOVE, .now_s = NOW};
    remove.u.client.record.client_id = ASSAY_SLICE("robot");
    assert_int_equal(fx_change(fx, &remove), ASSAY_DONE);
    assert_false(look_at_client(fx, "robot").found);
    fx_add_client(fx, "robot");
    assert_true(look_at_client(fx, "robot").found);
    assert_false(look_at_client(fx, "robot").disabled);
}

struct asked {
    const char *name;
    bool answered;
};

/* Reads what the answer lends while it is lent. */
static void both_clients_read(struct assay_store_find *find)
{
    struct asked *asked = find->context;
    const struct assay_lookup *lookup = find->lookup;
    assert_ok(find->status, &find->error);
    assert_slice_equal(lookup->caller->client_id, assay_slice_of_text(asked->name));
    assert_slice_equal(lookup->caller->name, assay_slice_of_text(asked->name));
    assert_slice_equal(lookup->client->client_id, ASSAY_SLICE("robot"));
    asked->answered = true;
}

/* The caller's record and that of the token's client are lent side by side, whichever two they are:
 * an engine that keeps clients at hand must not give one's place to the other. */
static void the_caller_and_the_client_of_the_token_are_both_lent(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    for (unsigned i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "a caller with a name %u", i);
        struct assay_change add = {.verb = ASSAY_CHANGE_CLIENT_ADD, .now_s = NOW};
        add.u.client.record.client_id = assay_slice_of_text(name);
        add.u.client.record.name = assay_slice_of_text(name);
        assert_int_equal(fx_change(fx, &add), ASSAY_DONE);
        struct asked asked = {.name = name};
        struct assay_lookup lookup = {.want_token = true, .address = issued.u.issue.access.address};
        lookup.caller_id = assay_slice_of_text(name);
        struct assay_store_find find = {
            .lookup = &lookup, .done = both_clients_read, .context = &asked};
        fx->store->ops->find(fx->store, &find);
        test_loop_run_task(&fx->loop);
        assert_true(asked.answered);
    }
}

/* A change that was abandoned never happens and is never answered; one that was taken is answered
 * all the same. Cancelled from the back, the front and the middle of what waits. */
static void an_abandoned_change_never_happens(void **state)
{
    enum { COUNT = 300 };
    struct fixture *fx = *state;
    struct assay_change *changes = calloc(COUNT, sizeof(*changes));
    struct assay_store_change *ops = calloc(COUNT, sizeof(*ops));
    bool abandoned[COUNT] = {false};
    size_t kept = 0;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < COUNT; i++) {
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
    }
    fx_submit(fx, changes, ops, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        size_t at = i % 2 == 0 ? COUNT - 1 - i / 2 : i / 2;
        if (i % 3 != 0) {
            abandoned[at] = fx->store->ops->change_cancel(fx->store, &ops[at]);
            fx->under_way -= abandoned[at];
        }
    }
    fx_wait(fx);
    fx_reopen(fx); /* what was still on its way would be answered now */
    assert_int_equal(fx->under_way, 0);
    for (size_t i = 0; i < COUNT; i++) {
        kept += !abandoned[i];
        if (!abandoned[i]) {
            assert_int_equal(ops[i].status, ASSAY_OK);
            assert_int_equal(fx_look(fx, &changes[i].u.issue.access.address, NOW).liveness,
                             ASSAY_LIVE);
        }
    }
    assert_true(kept >= COUNT / 3);
    assert_int_equal(fx_stat(fx).tokens, kept);
    free(changes);
    free(ops);
}

/* A close answers or refuses all that is under way, and what was answered with success is there. */
static void a_close_leaves_nothing_unanswered(void **state)
{
    enum { COUNT = 300 };
    struct fixture *fx = *state;
    struct assay_change *changes = calloc(COUNT, sizeof(*changes));
    struct assay_store_change *ops = calloc(COUNT, sizeof(*ops));
    size_t done = 0;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < COUNT; i++) {
        changes[i].verb = ASSAY_CHANGE_ISSUE;
        changes[i].now_s = NOW;
        changes[i].u.issue.client_id = ASSAY_SLICE("robot");
        fx_draft(&changes[i].u.issue.access, ASSAY_TOKEN_ACCESS, "robot", NOW, 3600);
    }
    fx_submit(fx, changes, ops, COUNT);
    fx_reopen(fx);
    assert_int_equal(fx->under_way, 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(ops[i].status == ASSAY_OK || ops[i].status == ASSAY_ERR_STORE);
        done += ops[i].status == ASSAY_OK;
    }
    assert_int_equal(fx_stat(fx).tokens, done);
    free(changes);
    free(ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(an_issued_token_is_found_also_after_reopening),
        FX_TEST(a_forged_address_is_refused_before_the_trees),
        FX_TEST(a_token_is_dead_from_its_exp_second_on),
        FX_TEST(a_cut_token_is_dead_and_cutting_again_writes_nothing),
        FX_TEST(a_cutoff_ends_what_came_before_it_and_nothing_after),
        FX_TEST(a_cutoff_of_another_id_ends_nothing),
        FX_TEST(a_removed_client_leaves_no_living_token),
        FX_TEST(a_retry_inside_the_window_gets_the_same_successor),
        FX_TEST(reuse_ends_the_grant),
        FX_TEST(a_live_refresh_token_of_another_client_is_refused_and_lives),
        FX_TEST(a_cut_grant_gives_no_more_tokens),
        FX_TEST(only_a_living_refresh_token_rotates),
        FX_TEST(a_one_time_id_is_taken_once),
        FX_TEST(sealing_keys_rotate_with_overlap),
        FX_TEST(a_client_update_needs_the_version_it_read),
        FX_TEST(a_change_over_its_limits_fails_alone),
        FX_TEST(the_caller_and_the_client_of_the_token_are_both_lent),
        FX_TEST(a_change_of_a_client_is_seen_at_once),
        FX_TEST(an_abandoned_change_never_happens),
        FX_TEST(a_close_leaves_nothing_unanswered),
        FX_TEST(events_and_grants_are_listed_in_order_and_in_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
