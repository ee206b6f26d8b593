/* The token endpoint (RFC 6749): client_credentials (section 4.4) and refresh_token (section 6),
 * with resource indicators (RFC 8707). */
#include "base/limits.h"
#include "crypto/random.h"
#include "json/writer.h"
#include "oauth/resource.h"
#include "oauth/scope.h"
#include "server/flow_priv.h"

#include <string.h>

static struct assay_slice param(const struct flow *flow, struct assay_slice name)
{
    struct assay_slice value = {0};
    (void)assay_form_find(&flow->form, name, &value);
    return value;
}

static bool is_refresh(const struct flow *flow)
{
    return assay_slice_equal(param(flow, ASSAY_SLICE("grant_type")), ASSAY_SLICE("refresh_token"));
}

static void prepare(struct assay_exchange *ex, struct flow *flow)
{
    if (is_refresh(flow)) {
        flow_take_token(ex, flow, ASSAY_SLICE("refresh_token"));
    }
}

/* --- what is asked for --- */

/* The scope to grant: what is asked for if it is all in `have`, else `otherwise`. */
static bool choose_scope(const struct flow *flow, struct assay_slice have,
                         struct assay_slice otherwise, struct assay_slice *ret)
{
    struct assay_slice wanted = param(flow, ASSAY_SLICE("scope"));
    *ret = wanted.len == 0 ? otherwise : wanted;
    return ret->len != 0 && assay_scope_valid(*ret) && assay_scope_contains(have, *ret);
}

/* The resources named, as a list in `room`; false when one is malformed or not among `have`. */
static bool read_resources(const struct flow *flow, struct assay_slice have, struct assay_buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < flow->form.count; i++) {
        const struct assay_form_param *p = &flow->form.params[i];
        if (!assay_slice_equal(p->name, ASSAY_SLICE("resource")) || p->value.len == 0) {
            continue;
        }
        if (++count > ASSAY_MAX_AUDIENCES || !assay_resource_valid(p->value) ||
            !assay_scope_contains(have, p->value)) {
            return false;
        }
        if (assay_scope_contains(assay_buf_slice(out), p->value)) {
            continue; /* named twice */
        }
        if (out->len != 0) {
            assay_buf_append_byte(out, ' ');
        }
        assay_buf_append(out, p->value);
    }
    return true;
}

/* The audience of the token: the resources named, else `otherwise`; never none (R8707-2.1-1). */
static bool choose_audience(struct assay_exchange *ex, const struct flow *flow,
                            struct assay_slice have, struct assay_slice otherwise,
                            struct assay_slice *ret, enum assay_status *ret_status)
{
    struct assay_buf out;
    size_t size = have.len + ASSAY_MAX_AUDIENCES;
    uint8_t *room = assay_arena_take(ex->arena, size, 1);
    if (room == NULL) {
        *ret_status = ASSAY_ERR_LIMIT;
        return false;
    }
    assay_buf_init(&out, room, size);
    if (!read_resources(flow, have, &out) || out.spent) {
        return false;
    }
    *ret = out.len == 0 ? otherwise : assay_buf_slice(&out);
    return ret->len != 0;
}

static int64_t access_lifetime(const struct assay_exchange *ex)
{
    int64_t own = ex->lookup.caller->access_lifetime_s;
    return own != 0 ? own : ex->server->access_lifetime_s;
}

static int64_t refresh_lifetime(const struct assay_exchange *ex)
{
    int64_t own = ex->lookup.caller->refresh_lifetime_s;
    return own != 0 ? own : ex->server->refresh_lifetime_s;
}

/* --- copies: a change outlives the look-up it was made from --- */

static bool copy_slices(struct assay_arena *arena, struct assay_slice **slices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slices[i]->len != 0 && !assay_arena_copy(arena, *slices[i], slices[i])) {
            return false;
        }
    }
    return true;
}

static bool copy_record(struct assay_arena *arena, struct assay_token_record *record)
{
    struct assay_slice *slices[] = {
        &record->client_id,    &record->subject,  &record->username,
        &record->scope,        &record->audience, &record->session,
        &record->confirmation, &record->acr,      &record->authorization_details,
        &record->extra,
    };
    return copy_slices(arena, slices, sizeof(slices) / sizeof(slices[0]));
}

static enum assay_status no_room(struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_LIMIT, "no room for a token request", reterr);
}

/* --- client_credentials --- */

static enum assay_status make_issue(struct assay_exchange *ex, struct assay_slice scope,
                                    struct assay_slice audience, int64_t now_s,
                                    enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_change *change = flow_change(ex, ASSAY_CHANGE_ISSUE, now_s);
    if (change == NULL) {
        return no_room(reterr);
    }
    struct assay_change_issue *issue = &change->u.issue;
    struct assay_token_record *record = &issue->access.record;
    record->kind = ASSAY_TOKEN_ACCESS;
    record->client_id = ex->lookup.caller_id;
    record->scope = scope;
    record->audience = audience;
    record->issued_at_s = now_s;
    record->expires_at_s = now_s + access_lifetime(ex);
    if (!copy_record(ex->arena, record)) {
        return no_room(reterr);
    }
    issue->client_id = record->client_id;
    issue->seen_at = ex->lookup.as_of;
    issue->require_grant = ASSAY_GRANT_CLIENT_CREDENTIALS;
    if (assay_random(issue->access.secret, sizeof(issue->access.secret), reterr) != ASSAY_OK) {
        return flow_refuse(ex, ASSAY_ERROR_UNAVAILABLE, ret_step);
    }
    *ret_step = ASSAY_STEP_CHANGE;
    return ASSAY_OK;
}

static enum assay_status client_credentials(struct assay_exchange *ex, struct flow *flow,
                                            int64_t now_s, enum assay_step *ret_step,
                                            struct assay_error *reterr)
{
    const struct assay_client_record *caller = ex->lookup.caller;
    struct assay_slice scope;
    struct assay_slice audience;
    enum assay_status status = ASSAY_OK;
    if (caller->auth_method == ASSAY_AUTH_NONE ||
        (caller->grants & ASSAY_GRANT_CLIENT_CREDENTIALS) == 0) {
        return flow_refuse(ex, ASSAY_ERROR_UNAUTHORIZED, ret_step);
    }
    if (!choose_scope(flow, caller->scope, caller->default_scope, &scope)) {
        return flow_refuse(ex, ASSAY_ERROR_SCOPE, ret_step);
    }
    if (!choose_audience(ex, flow, caller->audience, caller->default_audience, &audience,
                         &status)) {
        return status == ASSAY_OK ? flow_refuse(ex, ASSAY_ERROR_TARGET, ret_step) : no_room(reterr);
    }
    return make_issue(ex, scope, audience, now_s, ret_step, reterr);
}

/* --- refresh_token --- */

/* The drafts of a rotation: a refresh token that keeps all of its parent, an access token that may
 * be narrower (R6749-6-3, R8707-2.2-2). What a user did stays as it was: auth_time and acr are the
 * parent's. */
static bool draft_rotation(struct assay_exchange *ex, struct assay_change_rotate *rotate,
                           struct assay_slice scope, struct assay_slice audience, int64_t now_s)
{
    struct assay_token_record parent = *ex->lookup.token;
    parent.id = (struct assay_token_id){0};
    parent.rotation = (struct assay_rotation){0};
    parent.issued_at_s = now_s;
    parent.not_before_s = 0;
    if (!copy_record(ex->arena, &parent)) {
        return false;
    }
    rotate->refresh.record = parent;
    rotate->refresh.record.expires_at_s = now_s + refresh_lifetime(ex);
    rotate->access.record = parent;
    rotate->access.record.kind = ASSAY_TOKEN_ACCESS;
    rotate->access.record.scope = scope;
    rotate->access.record.audience = audience;
    rotate->access.record.expires_at_s = now_s + access_lifetime(ex);
    struct assay_slice *chosen[] = {&rotate->access.record.scope, &rotate->access.record.audience};
    return copy_slices(ex->arena, chosen, 2);
}

static enum assay_status make_rotation(struct assay_exchange *ex, struct flow *flow,
                                       struct assay_slice scope, struct assay_slice audience,
                                       int64_t now_s, enum assay_step *ret_step,
                                       struct assay_error *reterr)
{
    struct assay_change *change = flow_change(ex, ASSAY_CHANGE_ROTATE, now_s);
    if (change == NULL) {
        return no_room(reterr);
    }
    struct assay_change_rotate *rotate = &change->u.rotate;
    if (!draft_rotation(ex, rotate, scope, audience, now_s) ||
        !assay_arena_copy(ex->arena, ex->lookup.caller_id, &rotate->client_id) ||
        !assay_arena_copy(ex->arena, flow->token, &rotate->text)) {
        return no_room(reterr);
    }
    rotate->address = ex->lookup.address;
    rotate->window_s = ex->server->refresh_window_s;
    if (assay_random(rotate->salt, sizeof(rotate->salt), reterr) != ASSAY_OK ||
        assay_random(rotate->access.secret, sizeof(rotate->access.secret), reterr) != ASSAY_OK) {
        return flow_refuse(ex, ASSAY_ERROR_UNAVAILABLE, ret_step);
    }
    *ret_step = ASSAY_STEP_CHANGE;
    return ASSAY_OK;
}

/* A refresh token worth asking the writer about: alive and the caller's own, or rotated, whoever
 * brings it and whenever, since that may be a theft to punish. What the writer finds decides. */
static bool worth_asking(const struct assay_exchange *ex, const struct flow *flow, bool matches,
                         int64_t now_s)
{
    if (!matches || flow->kind != ASSAY_TOKEN_REFRESH ||
        ex->lookup.token->kind != ASSAY_TOKEN_REFRESH) {
        return false;
    }
    const struct assay_token_record *token = ex->lookup.token;
    if (token->rotation.rotated_at_s != 0) {
        return !ex->lookup.cut;
    }
    return assay_lookup_judge(&ex->lookup, now_s) == ASSAY_LIVE &&
           assay_slice_equal(token->client_id, ex->lookup.caller->client_id);
}

static enum assay_status refresh_token(struct assay_exchange *ex, struct flow *flow, int64_t now_s,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_slice scope;
    struct assay_slice audience;
    bool matches = false;
    if ((ex->lookup.caller->grants & ASSAY_GRANT_REFRESH_TOKEN) == 0) {
        return flow_refuse(ex, ASSAY_ERROR_UNAUTHORIZED, ret_step);
    }
    if (flow->faulty) {
        return flow_refuse(ex, flow->fault, ret_step);
    }
    enum assay_status status = flow_token_matches(ex, flow, &matches, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (!worth_asking(ex, flow, matches, now_s)) {
        return flow_refuse(ex, ASSAY_ERROR_GRANT, ret_step);
    }
    const struct assay_token_record *token = ex->lookup.token;
    bool wants_scope = param(flow, ASSAY_SLICE("scope")).len != 0;
    scope = token->scope;
    if (wants_scope && !choose_scope(flow, token->scope, token->scope, &scope)) {
        return flow_refuse(ex, ASSAY_ERROR_SCOPE, ret_step);
    }
    if (!choose_audience(ex, flow, token->audience, token->audience, &audience, &status)) {
        return status == ASSAY_OK ? flow_refuse(ex, ASSAY_ERROR_TARGET, ret_step) : no_room(reterr);
    }
    return make_rotation(ex, flow, scope, audience, now_s, ret_step, reterr);
}

static enum assay_status decide(struct assay_exchange *ex, struct flow *flow, int64_t now_s,
                                enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_slice grant_type = param(flow, ASSAY_SLICE("grant_type"));
    if (grant_type.len == 0) {
        return flow_refuse(ex, ASSAY_ERROR_REQUEST, ret_step);
    }
    if (assay_slice_equal(grant_type, ASSAY_SLICE("client_credentials"))) {
        return client_credentials(ex, flow, now_s, ret_step, reterr);
    }
    return is_refresh(flow) ? refresh_token(ex, flow, now_s, ret_step, reterr)
                            : flow_refuse(ex, ASSAY_ERROR_GRANT_TYPE, ret_step);
}

/* --- the reply --- */

static enum assay_status say_tokens(struct assay_exchange *ex,
                                    const struct assay_token_draft *access,
                                    const struct assay_token_draft *refresh,
                                    struct assay_error *reterr)
{
    struct assay_buf out;
    struct assay_json_writer w;
    size_t size = 512 + 2 * access->record.scope.len;
    uint8_t *room = assay_arena_take(ex->arena, size, 1);
    if (room == NULL) {
        return no_room(reterr);
    }
    assay_buf_init(&out, room, size);
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    assay_json_member_string(&w, ASSAY_SLICE("access_token"),
                             assay_slice_of(access->text, access->text_len));
    assay_json_member_string(&w, ASSAY_SLICE("token_type"), ASSAY_SLICE("Bearer"));
    assay_json_member_i64(&w, ASSAY_SLICE("expires_in"),
                          access->record.expires_at_s - access->record.issued_at_s);
    if (refresh != NULL) {
        assay_json_member_string(&w, ASSAY_SLICE("refresh_token"),
                                 assay_slice_of(refresh->text, refresh->text_len));
    }
    assay_json_member_text(&w, ASSAY_SLICE("scope"), access->record.scope);
    assay_json_object_close(&w);
    if (out.spent) {
        return no_room(reterr);
    }
    assay_json_reply(200, assay_buf_slice(&out), &ex->reply);
    return ASSAY_OK;
}

static enum assay_oauth_error refusal_of(enum assay_change_outcome outcome, bool rotation)
{
    if (outcome == ASSAY_REFUSED_SCOPE) {
        return ASSAY_ERROR_SCOPE;
    }
    if (rotation) {
        return ASSAY_ERROR_GRANT;
    }
    return outcome == ASSAY_REFUSED_CLIENT ? ASSAY_ERROR_UNAUTHORIZED : ASSAY_ERROR_GRANT;
}

static enum assay_status finish(struct assay_exchange *ex, struct flow *flow,
                                struct assay_error *reterr)
{
    struct assay_change *change = ex->change;
    bool rotation = change->verb == ASSAY_CHANGE_ROTATE;
    (void)flow;
    if (change->outcome != ASSAY_DONE) {
        assay_oauth_error_reply(refusal_of(change->outcome, rotation), &ex->reply);
        return ASSAY_OK;
    }
    return rotation ? say_tokens(ex, &change->u.rotate.access, &change->u.rotate.refresh, reterr)
                    : say_tokens(ex, &change->u.issue.access, NULL, reterr);
}

const struct flow_endpoint flow_token = {prepare, decide, finish};
