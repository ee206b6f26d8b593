/* No snapshot is kept open for long (RELIABILITY, limits: one read transaction). */
#include "fixture.h"
#include "support/check.h"

#include <time.h>

/* Until the limit has passed by the clock that counts. */
static void outlast_the_limit(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t until_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + ASSAY_MAX_READ_MS + 20;
    const struct timespec step = {0, 5000000};
    do {
        (void)nanosleep(&step, NULL);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 < until_ms);
}

struct slow {
    struct fixture *fx;
    uint64_t as_of;
    bool found;
    bool slow;
};

static void answered(struct assay_store_find *find)
{
    struct slow *slow = find->context;
    assert_ok(find->status, &find->error);
    slow->as_of = find->lookup->as_of;
    slow->found = find->lookup->token != NULL;
    assert_non_null(find->lookup->caller);
    if (slow->slow) {
        /* Somebody changes something meanwhile, and this takes too long. */
        struct assay_change cut = {.verb = ASSAY_CHANGE_CUT, .now_s = NOW};
        struct assay_store_change op;
        cut.u.cut.kind = ASSAY_CUTOFF_EVERYTHING;
        fx_submit(slow->fx, &cut, &op, 1);
        fx_wait(slow->fx);
        outlast_the_limit();
    }
}

/* Look-ups of one turn share a snapshot; when one of them has kept it open for too long, the others
 * get a younger one, and right answers. */
static void a_snapshot_that_is_too_old_is_given_up(void **state)
{
    enum { COUNT = 20 };
    struct fixture *fx = *state;
    struct assay_change issued;
    struct assay_lookup lookups[COUNT];
    struct assay_store_find finds[COUNT];
    struct slow slow[COUNT];
    fx_add_client(fx, "robot");
    fx_issue(fx, "robot", false, NOW, &issued);
    for (size_t i = 0; i < COUNT; i++) {
        lookups[i] =
            (struct assay_lookup){.want_token = true, .address = issued.u.issue.access.address};
        lookups[i].caller_id = ASSAY_SLICE("robot");
        slow[i] = (struct slow){.fx = fx, .slow = i == 3 || i == 17};
        finds[i] =
            (struct assay_store_find){.lookup = &lookups[i], .done = answered, .context = &slow[i]};
        fx->store->ops->find(fx->store, &finds[i]);
    }
    test_loop_run_task(&fx->loop);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(slow[i].found);
        size_t first = i <= 3 ? 0 : i <= 17 ? 4 : 18;
        assert_int_equal(slow[i].as_of, slow[first].as_of);
    }
    assert_true(slow[4].as_of > slow[3].as_of);
    assert_true(slow[18].as_of > slow[17].as_of);
}

struct rows {
    size_t count;
    uint64_t last;
};

static bool take_slowly(struct assay_query *query)
{
    struct rows *rows = query->context;
    rows->count++;
    rows->last = query->event.seq;
    if (rows->count == 2) {
        outlast_the_limit();
    }
    return true;
}

/* A listing that takes long ends early and is continued. */
static void a_listing_that_takes_long_goes_on_with_the_next_page(void **state)
{
    struct fixture *fx = *state;
    struct rows rows = {0};
    struct assay_query query = {.verb = ASSAY_QUERY_EVENTS, .row = take_slowly, .context = &rows};
    struct assay_store_list list = {.query = &query, .done = fx_ignore_list};
    fx_add_client(fx, "robot");
    for (int i = 0; i < 6; i++) {
        fx_cut(fx, ASSAY_CUTOFF_EVERYTHING, (struct assay_slice){0}, NOW);
    }
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(list.status, ASSAY_OK);
    assert_int_equal(rows.count, 2);
    assert_true(query.more);
    query.after = rows.last;
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(rows.count, 6);
    assert_false(query.more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(a_snapshot_that_is_too_old_is_given_up),
        FX_TEST(a_listing_that_takes_long_goes_on_with_the_next_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
