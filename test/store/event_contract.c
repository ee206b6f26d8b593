/* The event log: what happened, in order, for as long as it is kept (DESIGN section 4). */
#include "fixture.h"
#include "support/check.h"

#define HOUR 3600

struct log_seen {
    size_t count;
    uint64_t seq[16];
    enum assay_cutoff_kind kind[16];
    enum assay_change_origin origin[16];
    uint8_t id[16][32];
    size_t id_len[16];
    bool behind;
    uint64_t as_of;
    uint8_t log[16];
};

static bool take_event(struct assay_query *query)
{
    struct log_seen *seen = query->context;
    const struct assay_event *event = &query->event;
    assert_true(seen->count < 16 && event->id.len <= sizeof(seen->id[0]));
    seen->seq[seen->count] = event->seq;
    seen->kind[seen->count] = event->kind;
    seen->origin[seen->count] = event->origin;
    memcpy(seen->id[seen->count], event->id.data, event->id.len);
    seen->id_len[seen->count] = event->id.len;
    assert_int_equal(event->made_at_s, NOW);
    seen->count++;
    return true;
}

static void listed(struct assay_store_list *list)
{
    assert_ok(list->status, &list->error);
}

static struct log_seen read_log(struct fixture *fx, uint64_t after)
{
    struct log_seen seen = {0};
    struct assay_query query = {
        .verb = ASSAY_QUERY_EVENTS, .after = after, .row = take_event, .context = &seen};
    struct assay_store_list list = {.query = &query, .done = listed};
    fx->store->ops->list(fx->store, &list);
    assert_false(query.more);
    seen.behind = query.behind;
    seen.as_of = query.as_of;
    memcpy(seen.log, query.log, sizeof(seen.log));
    return seen;
}

/* Each cutoff is one event, with its kind, its id, its origin, its number; nothing else is. */
static void each_cutoff_is_one_event(void **state)
{
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_change seal = {.verb = ASSAY_CHANGE_SEAL_ROTATE, .now_s = NOW};
    uint64_t start = fx_stat(fx).seq;
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", true, NOW, &issued);
    fx_change(fx, &seal);
    assert_int_equal(read_log(fx, start).count, 0);

    for (unsigned kind = ASSAY_CUTOFF_TOKEN; kind < ASSAY_CUTOFF_KINDS; kind++) {
        struct assay_change cut = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
        cut.origin = kind % 2 == 0 ? ASSAY_BY_ADMIN : ASSAY_BY_CLIENT;
        cut.u.cut.kind = kind;
        cut.u.cut.id =
            kind == ASSAY_CUTOFF_EVERYTHING ? (struct assay_slice){0} : ASSAY_SLICE("some id");
        assert_int_equal(fx_change(fx, &cut), ASSAY_DONE);
        struct log_seen seen = read_log(fx, cut.u.cut.seq - 1);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.seq[0], cut.u.cut.seq);
        assert_int_equal(seen.kind[0], kind);
        assert_int_equal(seen.origin[0], cut.origin);
        assert_slice_equal(assay_slice_of(seen.id[0], seen.id_len[0]), cut.u.cut.id);
        assert_int_equal(read_log(fx, cut.u.cut.seq).count, 0);
    }
    assert_int_equal(read_log(fx, start).count, ASSAY_CUTOFF_KINDS);

    struct assay_change remove = {.verb = ASSAY_CHANGE_CLIENT_REMOVE, .now_s = NOW};
    remove.u.client.record.client_id = ASSAY_SLICE("robot");
    assert_int_equal(fx_change(fx, &remove), ASSAY_DONE);
    struct log_seen seen = read_log(fx, start);
    assert_int_equal(seen.count, ASSAY_CUTOFF_KINDS + 1);
    assert_int_equal(seen.kind[ASSAY_CUTOFF_KINDS], ASSAY_CUTOFF_CLIENT);
}

/* A receiver that knows the state of some number, and reads on from it, misses nothing: it is told
 * up to where it knows everything now, and in whose log. */
static void a_receiver_reads_on_from_where_it_was(void **state)
{
    struct fixture *fx = *state;
    struct assay_store_stat stat = fx_stat(fx);
    uint64_t known = stat.seq;
    size_t heard = 0;
    fx_add_client(fx, "robot");
    for (size_t i = 0; i < 6; i++) {
        struct assay_change issued;
        struct log_seen seen = read_log(fx, known);
        assert_false(seen.behind);
        assert_memory_equal(seen.log, stat.log, sizeof(seen.log));
        assert_int_equal(seen.as_of, fx_stat(fx).seq);
        heard += seen.count;
        known = seen.as_of;
        fx_issue(fx, "robot", false, NOW, &issued);
        for (size_t j = 0; j < i; j++) {
            fx_cut(fx, ASSAY_CUTOFF_SUBJECT, ASSAY_SLICE("alice"), NOW);
        }
        fx_reopen(fx);
    }
    heard += read_log(fx, known).count;
    assert_int_equal(heard, 15);
}

/* Events are kept for an hour. Who is further behind is told so, and who comes from elsewhere. */
static void a_receiver_that_is_too_far_behind_is_told(void **state)
{
    struct fixture *fx = *state;
    struct assay_change early = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
    struct assay_change late = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
    uint64_t start = fx_stat(fx).seq;
    early.u.cut.kind = ASSAY_CUTOFF_SUBJECT;
    early.u.cut.id = ASSAY_SLICE("alice");
    late.u.cut = early.u.cut;
    assert_true(read_log(fx, 0).behind);
    assert_true(read_log(fx, start - 1).behind);
    assert_false(read_log(fx, start).behind);
    assert_true(read_log(fx, start + 1).behind); /* a number that was not given here */

    fx_change(fx, &early);
    fx_change(fx, &late);
    fx_sweep(fx, NOW + HOUR - 1);
    assert_int_equal(read_log(fx, start).count, 2);
    assert_false(read_log(fx, start).behind);
    fx_sweep(fx, NOW + HOUR);
    fx_reopen(fx);
    assert_int_equal(read_log(fx, start).count, 0);
    assert_true(read_log(fx, start).behind);
    assert_true(read_log(fx, early.u.cut.seq).behind);
    assert_false(read_log(fx, late.u.cut.seq).behind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(each_cutoff_is_one_event),
        FX_TEST(a_receiver_reads_on_from_where_it_was),
        FX_TEST(a_receiver_that_is_too_far_behind_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
