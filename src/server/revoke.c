/* Token revocation (RFC 7009): idempotent, for the token's own client (or an administrator), and
 * never answered with success before the cutoff is on the disk. */
#include "server/flow_priv.h"

static void prepare(struct assay_exchange *ex, struct flow *flow)
{
    flow_take_token(ex, flow, ASSAY_SLICE("token"));
}

static enum assay_status say_done(struct assay_exchange *ex, enum assay_step *ret_step)
{
    ex->reply = (struct assay_reply){.http_status = 200, .no_store = true};
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

static enum assay_status cut(struct assay_exchange *ex, int64_t now_s, enum assay_step *ret_step,
                             struct assay_error *reterr)
{
    const struct assay_token_record *token = ex->lookup.token;
    struct assay_change *change = flow_change(ex, ASSAY_CHANGE_CUT, now_s);
    uint8_t *room = assay_arena_take(ex->arena, 8, 1);
    if (change == NULL || room == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for a revocation", reterr);
    }
    assay_change_cut_token(token, ex->server->revoke_access_ends_grant, room, &change->u.cut);
    *ret_step = ASSAY_STEP_CHANGE;
    return ASSAY_OK;
}

static enum assay_status decide(struct assay_exchange *ex, struct flow *flow, int64_t now_s,
                                enum assay_step *ret_step, struct assay_error *reterr)
{
    bool matches = false;
    const struct assay_client_record *caller = ex->lookup.caller;
    if (flow->faulty) {
        return flow_refuse(ex, flow->fault, ret_step);
    }
    enum assay_status status = flow_token_matches(ex, flow, &matches, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (!matches) {
        return say_done(ex, ret_step); /* unknown, mistyped, swept: nothing to end */
    }
    if (!caller->admin && !assay_slice_equal(ex->lookup.token->client_id, caller->client_id)) {
        return flow_refuse(ex, ASSAY_ERROR_GRANT, ret_step);
    }
    switch (assay_lookup_judge(&ex->lookup, now_s)) {
    case ASSAY_DEAD_UNKNOWN:
    case ASSAY_DEAD_TEXT:
    case ASSAY_DEAD_EXPIRED:
    case ASSAY_DEAD_CUT:
        return say_done(ex, ret_step);
    case ASSAY_LIVE:
    case ASSAY_DEAD_NOT_YET:
    case ASSAY_DEAD_CLIENT:
    case ASSAY_DEAD_ROTATED: /* any member of a family ends the family */
        break;
    }
    return cut(ex, now_s, ret_step, reterr);
}

static enum assay_status finish(struct assay_exchange *ex, struct flow *flow,
                                struct assay_error *reterr)
{
    enum assay_step step;
    (void)flow;
    (void)reterr;
    return say_done(ex, &step);
}

const struct flow_endpoint flow_revoke = {prepare, decide, finish};
