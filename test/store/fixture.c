#include "fixture.h"

#include "support/check.h"

int fx_setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));
    engine_create(&fx->place);
    test_loop_init(&fx->loop);
    fx->store = engine_open(&fx->place, &fx->loop.loop);
    *state = fx;
    return 0;
}

int fx_teardown(void **state)
{
    struct fixture *fx = *state;
    if (fx->store != NULL) { /* a test that failed may have closed it */
        fx->store->ops->close(fx->store);
    }
    engine_remove(&fx->place);
    free(fx);
    return 0;
}

void fx_reopen(struct fixture *fx)
{
    fx->store->ops->close(fx->store);
    fx->store = engine_open(&fx->place, &fx->loop.loop);
}

static void changed(struct assay_store_change *op)
{
    ((struct fixture *)op->context)->under_way--;
}

void fx_submit(struct fixture *fx, struct assay_change *changes, struct assay_store_change *ops,
               size_t count)
{
    fx->under_way = count;
    for (size_t i = 0; i < count; i++) {
        changes[i].prefix = ASSAY_SLICE("assay");
        changes[i].origin = changes[i].origin == 0 ? ASSAY_BY_CLIENT : changes[i].origin;
        ops[i] = (struct assay_store_change){.change = &changes[i], .done = changed, .context = fx};
    }
    for (size_t i = 0; i < count; i++) {
        fx->store->ops->change(fx->store, &ops[i]);
    }
}

void fx_wait(struct fixture *fx)
{
    while (fx->under_way > 0) {
        test_loop_turn(&fx->loop, 1000);
    }
}

void fx_change_all(struct fixture *fx, struct assay_change *changes, struct assay_store_change *ops,
                   size_t count)
{
    fx_submit(fx, changes, ops, count);
    fx_wait(fx);
}

enum assay_change_outcome fx_change(struct fixture *fx, struct assay_change *change)
{
    struct assay_store_change op;
    fx_change_all(fx, change, &op, 1);
    assert_ok(op.status, &op.error);
    return change->outcome;
}

struct looking {
    struct seen *seen;
    int64_t now_s;
};

static void looked(struct assay_store_find *find)
{
    struct looking *looking = find->context;
    struct seen *seen = looking->seen;
    assert_ok(find->status, &find->error);
    seen->found = find->lookup->token != NULL;
    seen->cut = find->lookup->cut;
    seen->cut_kind = find->lookup->cutoff.kind;
    seen->liveness = assay_lookup_judge(find->lookup, looking->now_s);
    seen->as_of = find->lookup->as_of;
    seen->caller = find->lookup->caller != NULL;
    if (seen->found) {
        seen->token = *find->lookup->token;
    }
}

struct seen fx_look(struct fixture *fx, const struct assay_address *address, int64_t now_s)
{
    struct seen seen = {0};
    struct assay_lookup lookup = {.want_token = true, .address = *address};
    struct looking looking = {.seen = &seen, .now_s = now_s};
    struct assay_store_find find = {.lookup = &lookup, .done = looked, .context = &looking};
    lookup.caller_id = ASSAY_SLICE("robot");
    fx->store->ops->find(fx->store, &find);
    test_loop_run_task(&fx->loop);
    return seen;
}

void fx_add_client(struct fixture *fx, const char *id)
{
    struct assay_change add = {.verb = ASSAY_CHANGE_CLIENT_ADD, .now_s = NOW};
    add.u.client.record.client_id = assay_slice_of_text(id);
    add.u.client.record.grants = ASSAY_GRANT_CLIENT_CREDENTIALS | ASSAY_GRANT_REFRESH_TOKEN;
    add.u.client.record.created_at_s = NOW;
    assert_int_equal(fx_change(fx, &add), ASSAY_DONE);
}

void fx_draft(struct assay_token_draft *draft, enum assay_token_kind kind, const char *client,
              int64_t now_s, int64_t lifetime_s)
{
    memset(draft, 0, sizeof(*draft));
    draft->record.kind = kind;
    draft->record.client_id = assay_slice_of_text(client);
    draft->record.subject = ASSAY_SLICE("alice");
    draft->record.scope = ASSAY_SLICE("read write");
    draft->record.issued_at_s = now_s;
    draft->record.expires_at_s = now_s + lifetime_s;
    draft->secret[0] = (uint8_t)rand();
}

void fx_issuance(const char *client, bool refresh, int64_t now_s, struct assay_change *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->verb = ASSAY_CHANGE_ISSUE;
    ret->now_s = now_s;
    ret->u.issue.client_id = assay_slice_of_text(client);
    ret->u.issue.with_refresh = refresh;
    fx_draft(&ret->u.issue.access, ASSAY_TOKEN_ACCESS, client, now_s, 3600);
    fx_draft(&ret->u.issue.refresh, ASSAY_TOKEN_REFRESH, client, now_s, 86400);
}

enum assay_change_outcome fx_issue(struct fixture *fx, const char *client, bool refresh,
                                   int64_t now_s, struct assay_change *ret)
{
    fx_issuance(client, refresh, now_s, ret);
    return fx_change(fx, ret);
}

void fx_rotation(const char *client, const struct assay_token_draft *parent, int64_t now_s,
                 int64_t window_s, struct assay_change *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->verb = ASSAY_CHANGE_ROTATE;
    ret->now_s = now_s;
    ret->u.rotate.client_id = assay_slice_of_text(client);
    ret->u.rotate.text = assay_slice_of(parent->text, parent->text_len);
    ret->u.rotate.address = parent->address;
    ret->u.rotate.window_s = window_s;
    ret->u.rotate.salt[0] = 7;
    fx_draft(&ret->u.rotate.access, ASSAY_TOKEN_ACCESS, client, now_s, 3600);
    fx_draft(&ret->u.rotate.refresh, ASSAY_TOKEN_REFRESH, client, now_s, 86400);
}

enum assay_change_outcome fx_rotate(struct fixture *fx, const char *client,
                                    const struct assay_token_draft *parent, int64_t now_s,
                                    int64_t window_s, struct assay_change *ret)
{
    fx_rotation(client, parent, now_s, window_s, ret);
    return fx_change(fx, ret);
}

enum assay_change_outcome fx_cut(struct fixture *fx, enum assay_cutoff_kind kind,
                                 struct assay_slice id, int64_t now_s)
{
    struct assay_change c = {.verb = ASSAY_CHANGE_CUT, .now_s = now_s};
    c.u.cut.kind = kind;
    c.u.cut.id = id;
    return fx_change(fx, &c);
}

struct assay_slice fx_text_of(const struct assay_token_draft *draft)
{
    return assay_slice_of(draft->text, draft->text_len);
}

enum assay_change_outcome fx_sweep_once(struct fixture *fx, int64_t now_s, int64_t steady_s,
                                        uint8_t boot, struct assay_change_sweep *ret)
{
    struct assay_change change = {.verb = ASSAY_CHANGE_SWEEP, .now_s = now_s};
    change.u.sweep.steady_s = steady_s;
    change.u.sweep.steady_id[0] = boot;
    enum assay_change_outcome outcome = fx_change(fx, &change);
    if (ret != NULL) {
        *ret = change.u.sweep;
    }
    return outcome;
}

size_t fx_sweep(struct fixture *fx, int64_t now_s)
{
    struct assay_change_sweep sweep = {.more = true};
    size_t removed = 0;
    while (sweep.more) {
        fx_sweep_once(fx, now_s, now_s, 0, &sweep);
        removed += sweep.removed;
    }
    return removed;
}

static void listed(struct assay_store_list *list)
{
    assert_ok(list->status, &list->error);
}

struct assay_store_stat fx_stat(struct fixture *fx)
{
    struct assay_query query = {.verb = ASSAY_QUERY_STAT};
    struct assay_store_list list = {.query = &query, .done = listed};
    fx->store->ops->list(fx->store, &list);
    return query.stat;
}

bool fx_says(struct fixture *fx, const char *word)
{
    struct assay_store_stat stat = fx_stat(fx);
    bool says = false;
    for (size_t i = 0; i < stat.reason_count; i++) {
        says = says || strcmp(stat.reasons[i], word) == 0;
    }
    return says;
}

struct counted {
    size_t count;
    uint64_t last;
};

static bool count_event(struct assay_query *query)
{
    struct counted *counted = query->context;
    counted->count++;
    counted->last = query->event.seq;
    return true;
}

size_t fx_events(struct fixture *fx, uint64_t after, uint64_t *ret_last)
{
    struct counted counted = {.last = after};
    struct assay_query query = {
        .verb = ASSAY_QUERY_EVENTS, .row = count_event, .context = &counted};
    struct assay_store_list list = {.query = &query, .done = listed};
    do {
        query.after = counted.last;
        fx->store->ops->list(fx->store, &list);
    } while (query.more);
    if (ret_last != NULL) {
        *ret_last = counted.last;
    }
    return counted.count;
}

struct assay_slice fx_token_id(const struct assay_token_draft *draft, uint8_t out[8])
{
    return assay_cutoff_number_id(draft->record.id.seq, out);
}

struct assay_slice fx_grant_id(const struct assay_token_draft *draft, uint8_t out[8])
{
    return assay_cutoff_number_id(draft->record.grant, out);
}

static void version_read(struct assay_store_find *find)
{
    assert_ok(find->status, &find->error);
    *(uint64_t *)find->context = find->lookup->caller == NULL ? 0 : find->lookup->caller->version;
}

uint64_t fx_client_version(struct fixture *fx, const char *id)
{
    uint64_t version = 0;
    struct assay_lookup lookup = {.caller_id = assay_slice_of_text(id)};
    struct assay_store_find find = {.lookup = &lookup, .done = version_read, .context = &version};
    fx->store->ops->find(fx->store, &find);
    test_loop_run_task(&fx->loop);
    return version;
}

void fx_ignore(struct assay_store_find *find)
{
    (void)find;
}

void fx_ignore_list(struct assay_store_list *list)
{
    (void)list;
}

bool fx_no_row(struct assay_query *query)
{
    (void)query;
    return true;
}
