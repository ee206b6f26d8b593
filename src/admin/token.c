#include "admin/token_priv.h"

#include "oauth/introspection.h"
#include "oauth/scope.h"

enum assay_status token_target_find(struct assay_admin *admin, assay_admin_piece *next,
                                    enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_admin_target *target =
        assay_arena_take(admin->ex->arena, sizeof *target, _Alignof(struct assay_admin_target));
    if (target == NULL) {
        return assay_admin_spent(reterr);
    }
    admin->state = target;
    if (!assay_admin_target_read(admin, target)) {
        return assay_admin_wrong(admin, "exactly one of jti and token must stand", ret_step,
                                 reterr);
    }
    return assay_admin_target_find(admin, target, admin->input.for_client, next, ret_step);
}

void token_jti_write(struct assay_json_writer *w, const struct assay_admin_target *target)
{
    uint8_t jti[ASSAY_JTI_LEN];
    if (!target->malformed) {
        assay_jti_write(&target->address, jti);
        assay_json_member_string(w, ASSAY_SLICE("jti"), assay_slice_of(jti, sizeof jti));
    }
}

const char *token_refuse_for(const struct assay_client_record *rs,
                             const struct assay_token_record *token)
{
    if (rs == NULL) {
        return "there is no such resource server";
    }
    if (rs->disabled) {
        return "the resource server is disabled";
    }
    if (!rs->resource_server) {
        return "that client is no resource server: it may not introspect";
    }
    if (token->kind == ASSAY_TOKEN_REFRESH && !rs->introspects_refresh) {
        return "a refresh token is no business of that resource server";
    }
    if (!assay_scope_overlaps(token->audience, rs->audience)) {
        return "the token is for another audience than that of the resource server";
    }
    return NULL;
}

/* --- introspect --- */

/* What is shown: everything, or what the resource server that was looked up would be. False when
 * the arena is spent. */
static bool choose_view(struct assay_admin *admin, struct assay_introspection_view *ret)
{
    const struct assay_exchange *ex = admin->ex;
    const struct assay_token_record *token = ex->lookup.token;
    const struct assay_client_record *rs = ex->lookup.caller;
    *ret = (struct assay_introspection_view){
        .members = ASSAY_MEMBERS_ALL,
        .scope = token->scope,
        .audience = token->audience,
        .issuer = ex->server->issuer,
    };
    if ((admin->input.given & ASSAY_IN_FOR) == 0) {
        return true;
    }
    ret->members = rs->members;
    return assay_scope_intersect(token->audience, rs->audience, ex->arena, &ret->audience) &&
           (rs->scope.len == 0 ||
            assay_scope_intersect(token->scope, rs->scope, ex->arena, &ret->scope));
}

static enum assay_status reply_active(struct assay_admin *admin, enum assay_step *ret_step,
                                      struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    struct assay_introspection_view view;
    uint8_t jti[ASSAY_JTI_LEN];
    uint8_t *room = assay_arena_take(ex->arena, ASSAY_MAX_REPLY, 1);
    if (room == NULL || !choose_view(admin, &view)) {
        return assay_admin_spent(reterr);
    }
    assay_jti_write(&ex->lookup.address, jti);
    view.jti = assay_slice_of(jti, sizeof jti);
    assay_buf_init(&admin->out, room, ASSAY_MAX_REPLY);
    assay_introspection_write(ex->lookup.token, &view, &admin->out);
    return admin->out.spent ? assay_admin_spent(reterr)
                            : assay_admin_reply(admin, assay_buf_slice(&admin->out), ret_step);
}

static enum assay_status introspected(struct assay_admin *admin, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    const struct assay_lookup *lookup = &admin->ex->lookup;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_liveness liveness = ASSAY_DEAD_UNKNOWN;
    enum assay_status status =
        assay_admin_target_judge(admin, admin->state, now_s, &liveness, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    bool asked_for = (admin->input.given & ASSAY_IN_FOR) != 0;
    if (liveness == ASSAY_LIVE &&
        (!asked_for || token_refuse_for(lookup->caller, lookup->token) == NULL)) {
        return reply_active(admin, ret_step, reterr);
    }
    return assay_admin_reply(admin, assay_introspection_inactive, ret_step);
}

enum assay_status assay_admin_token_introspect(struct assay_admin *admin, int64_t now_s,
                                               enum assay_step *ret_step,
                                               struct assay_error *reterr)
{
    (void)now_s;
    return token_target_find(admin, introspected, ret_step, reterr);
}

/* --- revoke --- */

static enum assay_status reply_revoked(struct assay_admin *admin, bool changed,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    token_jti_write(&admin->w, admin->state);
    assay_json_member_bool(&admin->w, ASSAY_SLICE("revoked"), true);
    assay_json_member_bool(&admin->w, ASSAY_SLICE("changed"), changed);
    return assay_admin_close(admin, ret_step, reterr);
}

static enum assay_status revoked(struct assay_admin *admin, int64_t now_s,
                                 enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    bool changed = admin->ex->change->outcome == ASSAY_DONE;
    return reply_revoked(admin, changed, ret_step, reterr);
}

/* The number of what is cut off, in the arena: the look-up ends with this call. */
static enum assay_status cut(struct assay_admin *admin, const struct assay_token_record *token,
                             int64_t now_s, enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_CUT, now_s);
    uint8_t *room = assay_arena_take(admin->ex->arena, 8, 1);
    if (change == NULL || room == NULL) {
        return assay_admin_spent(reterr);
    }
    assay_change_cut_token(token, admin->ex->server->revoke_access_ends_grant, room,
                           &change->u.cut);
    return assay_admin_carry(admin, revoked, ret_step);
}

static enum assay_status revoke_found(struct assay_admin *admin, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_liveness liveness = ASSAY_DEAD_UNKNOWN;
    enum assay_status status =
        assay_admin_target_judge(admin, admin->state, now_s, &liveness, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    switch (liveness) {
    case ASSAY_DEAD_UNKNOWN:
    case ASSAY_DEAD_TEXT:
        return assay_admin_absent(admin, "there is no such token (or it expired long ago)",
                                  ret_step, reterr);
    case ASSAY_DEAD_EXPIRED:
    case ASSAY_DEAD_CUT:
        return reply_revoked(admin, false, ret_step, reterr);
    case ASSAY_LIVE:
    case ASSAY_DEAD_NOT_YET:
    case ASSAY_DEAD_CLIENT:
    case ASSAY_DEAD_ROTATED:
        return cut(admin, admin->ex->lookup.token, now_s, ret_step, reterr);
    }
    return assay_admin_unable(admin, ret_step, reterr);
}

enum assay_status assay_admin_token_revoke(struct assay_admin *admin, int64_t now_s,
                                           enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    return token_target_find(admin, revoke_found, ret_step, reterr);
}
