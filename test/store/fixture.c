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
    fx->store->ops->close(fx->store);
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

void fx_change_all(struct fixture *fx, struct assay_change *changes, struct assay_store_change *ops,
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
    while (fx->under_way > 0) {
        test_loop_turn(&fx->loop, 1000);
    }
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

enum assay_change_outcome fx_issue(struct fixture *fx, const char *client, bool refresh,
                                   int64_t now_s, struct assay_change *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->verb = ASSAY_CHANGE_ISSUE;
    ret->now_s = now_s;
    ret->u.issue.client_id = assay_slice_of_text(client);
    ret->u.issue.with_refresh = refresh;
    fx_draft(&ret->u.issue.access, ASSAY_TOKEN_ACCESS, client, now_s, 3600);
    fx_draft(&ret->u.issue.refresh, ASSAY_TOKEN_REFRESH, client, now_s, 86400);
    return fx_change(fx, ret);
}

enum assay_change_outcome fx_rotate(struct fixture *fx, const char *client,
                                    const struct assay_token_draft *parent, int64_t now_s,
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
