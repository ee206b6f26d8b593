/* Token introspection on the authorization server (RFC 7662).
 *
 * Who may ask: an authenticated client that is registered as a resource server (403 for any other,
 * whatever the token). What it learns: of a live token whose audience names it, the members its
 * record allows, the scope cut to its own; of anything else the same few bytes. */
#include "base/limits.h"
#include "base/secret.h"
#include "oauth/introspection.h"
#include "oauth/scope.h"
#include "record/cutoff.h"
#include "record/header_record.h"
#include "server/flow_priv.h"

static void prepare(struct assay_exchange *ex, struct flow *flow)
{
    flow_take_token(ex, flow, ASSAY_SLICE("token"));
}

/* The token is live and for this caller. `now_s` is the wall clock of this request. */
static bool is_active_for(const struct assay_exchange *ex, int64_t now_s)
{
    const struct assay_token_record *token = ex->lookup.token;
    const struct assay_client_record *caller = ex->lookup.caller;
    return assay_lookup_judge(&ex->lookup, now_s) == ASSAY_LIVE &&
           (token->kind == ASSAY_TOKEN_ACCESS || caller->introspects_refresh) &&
           assay_scope_overlaps(token->audience, caller->audience);
}

static enum assay_status say_inactive(struct assay_exchange *ex, enum assay_step *ret_step)
{
    ex->inactive = true;
    assay_json_reply(200, assay_introspection_inactive, &ex->reply);
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

/* What this caller is shown; false when the arena is spent. */
static bool cut_to_caller(struct assay_exchange *ex, struct assay_introspection_view *ret)
{
    const struct assay_token_record *token = ex->lookup.token;
    const struct assay_client_record *caller = ex->lookup.caller;
    *ret = (struct assay_introspection_view){
        .members = caller->members,
        .scope = token->scope,
        .issuer = ex->server->issuer,
    };
    if (caller->scope.len != 0 &&
        !assay_scope_intersect(token->scope, caller->scope, ex->arena, &ret->scope)) {
        return false;
    }
    return assay_scope_intersect(token->audience, caller->audience, ex->arena, &ret->audience);
}

static enum assay_status add_key(const uint8_t receiver[ASSAY_SHA256_LEN],
                                 enum assay_freshness_kind kind, struct assay_slice id,
                                 struct assay_freshness *freshness, struct assay_error *reterr)
{
    return id.len == 0 ? ASSAY_OK
                       : assay_freshness_key(receiver, kind, id, &freshness->keys[kind], reterr);
}

/* What could end the token, as the guard that asks will hear of it. */
static enum assay_status add_keys(const struct assay_token_record *token,
                                  const uint8_t receiver[ASSAY_SHA256_LEN],
                                  struct assay_freshness *ret, struct assay_error *reterr)
{
    uint8_t number[8];
    uint8_t grant[8];
    struct assay_slice grant_id = assay_cutoff_number_id(token->grant, grant);
    grant_id.len = token->grant == 0 ? 0 : grant_id.len;
    const struct {
        enum assay_freshness_kind kind;
        struct assay_slice id;
    } ids[] = {
        {ASSAY_FRESHNESS_TOKEN, assay_cutoff_number_id(token->id.seq, number)},
        {ASSAY_FRESHNESS_GRANT, grant_id},
        {ASSAY_FRESHNESS_SESSION, token->session},
        {ASSAY_FRESHNESS_SUBJECT, token->subject},
        {ASSAY_FRESHNESS_CLIENT, token->client_id},
    };
    enum assay_status status = ASSAY_OK;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]) && status == ASSAY_OK; i++) {
        status = add_key(receiver, ids[i].kind, ids[i].id, ret, reterr);
    }
    return status;
}

static enum assay_status tell_guard(const struct assay_exchange *ex, struct assay_freshness *ret,
                                    struct assay_error *reterr)
{
    uint8_t receiver[ASSAY_SHA256_LEN];
    struct assay_slice log = assay_slice_of(ex->lookup.log, ASSAY_LOG_ID_LEN);
    *ret = (struct assay_freshness){.as_of = ex->lookup.as_of};
    enum assay_status status = assay_freshness_log(log, &ret->log, reterr);
    if (status == ASSAY_OK) {
        status = assay_freshness_receiver(log, ex->lookup.caller->client_id, receiver, reterr);
    }
    if (status == ASSAY_OK) {
        status = add_keys(ex->lookup.token, receiver, ret, reterr);
    }
    assay_secret_wipe(receiver, sizeof(receiver));
    return status;
}

/* Room for the answer: everything of the token, escaped at its worst, and the names around it. */
static size_t room_for(const struct assay_token_record *token,
                       const struct assay_introspection_view *view)
{
    static const size_t names = 768;
    static const size_t worst = 6; /* one byte as \u00XX */
    return names +
           worst * (token->client_id.len * 2 + token->username.len + token->subject.len +
                    view->scope.len + view->audience.len + view->issuer.len + token->session.len +
                    token->acr.len) +
           token->confirmation.len + token->authorization_details.len + token->extra.len;
}

static enum assay_status say_active(struct assay_exchange *ex, enum assay_step *ret_step,
                                    struct assay_error *reterr)
{
    struct assay_introspection_view view;
    struct assay_freshness freshness;
    uint8_t jti[ASSAY_JTI_LEN];
    struct assay_buf out;
    if (!cut_to_caller(ex, &view)) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an introspection answer", reterr);
    }
    if (ex->request.guard) {
        enum assay_status status = tell_guard(ex, &freshness, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
        view.freshness = &freshness;
    }
    assay_jti_write(&ex->lookup.address, jti);
    view.jti = assay_slice_of(jti, sizeof(jti));
    size_t size = room_for(ex->lookup.token, &view);
    uint8_t *room = assay_arena_take(ex->arena, size, 1);
    if (room == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for an introspection answer", reterr);
    }
    assay_buf_init(&out, room, size);
    assay_introspection_write(ex->lookup.token, &view, &out);
    if (out.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "an introspection answer is too long", reterr);
    }
    assay_arena_give_back(ex->arena, room, size, out.len);
    assay_json_reply(200, assay_buf_slice(&out), &ex->reply);
    *ret_step = ASSAY_STEP_REPLY;
    return ASSAY_OK;
}

static enum assay_status decide(struct assay_exchange *ex, struct flow *flow, int64_t now_s,
                                enum assay_step *ret_step, struct assay_error *reterr)
{
    bool matches = false;
    if (ex->lookup.caller->auth_method == ASSAY_AUTH_NONE) {
        assay_caller_refuse(ex, &flow->caller, now_s); /* a public client is nobody here */
        *ret_step = ASSAY_STEP_REPLY;
        return ASSAY_OK;
    }
    if (!ex->lookup.caller->resource_server) {
        return flow_refuse(ex, ASSAY_ERROR_NOT_ALLOWED, ret_step);
    }
    if (flow->faulty) {
        return flow_refuse(ex, flow->fault, ret_step);
    }
    enum assay_status status = flow_token_matches(ex, flow, &matches, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    return matches && is_active_for(ex, now_s) ? say_active(ex, ret_step, reterr)
                                               : say_inactive(ex, ret_step);
}

static enum assay_status finish(struct assay_exchange *ex, struct flow *flow,
                                struct assay_error *reterr)
{
    (void)ex;
    (void)flow;
    return assay_fail(ASSAY_ERR_STORE, "introspection changes nothing", reterr);
}

const struct flow_endpoint flow_introspect = {prepare, decide, finish};
