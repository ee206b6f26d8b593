#include "admin/token.h"

#include "admin/target.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "oauth/introspection.h"
#include "oauth/scope.h"

#include <string.h>

static enum assay_status spent(struct assay_error *reterr)
{
    return assay_fail(ASSAY_ERR_LIMIT, "no room for an administrative request", reterr);
}

static enum assay_status no_client(struct assay_admin *admin, enum assay_step *ret_step,
                                   struct assay_error *reterr)
{
    return assay_admin_absent(admin, "there is no such client", ret_step, reterr);
}

/* --- issue --- */

/* One token of a draft as members: its text under `text_name`, its jti under `jti_name`. */
static void write_draft(struct assay_admin *admin, const struct assay_token_draft *draft,
                        struct assay_slice text_name, struct assay_slice jti_name)
{
    uint8_t jti[ASSAY_JTI_LEN];
    assay_jti_write(&draft->address, jti);
    assay_json_member_string(&admin->w, text_name, assay_slice_of(draft->text, draft->text_len));
    assay_json_member_string(&admin->w, jti_name, assay_slice_of(jti, sizeof jti));
}

static enum assay_status reply_issued(struct assay_admin *admin, int64_t now_s,
                                      enum assay_step *ret_step, struct assay_error *reterr)
{
    const struct assay_change_issue *issue = &admin->ex->change->u.issue;
    const struct assay_token_record *record = &issue->access.record;
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    write_draft(admin, &issue->access, ASSAY_SLICE("access_token"), ASSAY_SLICE("jti"));
    assay_json_member_string(&admin->w, ASSAY_SLICE("token_type"), ASSAY_SLICE("Bearer"));
    assay_json_member_i64(&admin->w, ASSAY_SLICE("expires_in"), record->expires_at_s - now_s);
    assay_json_member_text(&admin->w, ASSAY_SLICE("scope"), record->scope);
    assay_json_member_list(&admin->w, ASSAY_SLICE("audience"), record->audience);
    if (issue->with_refresh) {
        write_draft(admin, &issue->refresh, ASSAY_SLICE("refresh_token"),
                    ASSAY_SLICE("refresh_token_jti"));
        assay_admin_member_number(&admin->w, ASSAY_SLICE("grant"), record->grant);
    }
    return assay_admin_close(admin, ret_step, reterr);
}

static enum assay_status issued(struct assay_admin *admin, int64_t now_s, enum assay_step *ret_step,
                                struct assay_error *reterr)
{
    struct assay_exchange *ex = admin->ex;
    if (ex->store_status != ASSAY_OK) {
        assay_change_wipe(ex->change);
        return assay_admin_unable(admin, ret_step, reterr);
    }
    enum assay_status status = ASSAY_OK;
    if (ex->change->outcome == ASSAY_DONE) {
        status = reply_issued(admin, now_s, ret_step, reterr);
    } else {
        const char *what = ex->change->outcome == ASSAY_REFUSED_PARENT
                               ? "the session has been ended"
                               : "the client was removed or disabled meanwhile";
        status = assay_admin_refuse(admin, 409, "conflict", (struct assay_slice){0}, what, ret_step,
                                    reterr);
    }
    assay_change_wipe(ex->change);
    return status;
}

/* The words of `wanted`, or of `fallback` when the request names none. */
static struct assay_slice choose(const struct assay_admin *admin, uint32_t bit,
                                 struct assay_slice wanted, struct assay_slice fallback)
{
    return (admin->input.given & bit) != 0 ? wanted : fallback;
}

/* What is wrong with a token for `client`; NULL: nothing. */
static const char *refuse_issue(const struct assay_admin_input *in,
                                const struct assay_client_record *client)
{
    if (client->disabled) {
        return "the client is disabled";
    }
    if ((in->given & ASSAY_IN_SCOPE) != 0 && !assay_scope_valid(in->scope)) {
        return "scope is no list of scope tokens separated by single spaces";
    }
    if (!assay_scope_contains(client->scope, in->scope)) {
        return "scope holds what the client is not registered for";
    }
    if (!assay_scope_contains(client->audience, in->audience)) {
        return "audience holds what the client is not registered for";
    }
    if ((in->given & ASSAY_IN_USERNAME) != 0 && in->subject.len == 0) {
        return "username needs a subject";
    }
    if (in->refresh && in->subject.len == 0) {
        return "a refresh token needs a subject: whose authorization does it carry?";
    }
    if (in->refresh && (client->grants & ASSAY_GRANT_REFRESH_TOKEN) == 0) {
        return "the client is not registered for the grant refresh_token";
    }
    if ((in->given & ASSAY_IN_LIFETIME) != 0 && in->lifetime_s < ASSAY_MIN_LIFETIME_S) {
        return "lifetime must be one second or more";
    }
    if ((in->given & ASSAY_IN_REFRESH_LIFETIME) != 0 &&
        in->refresh_lifetime_s < ASSAY_MIN_LIFETIME_S) {
        return "refresh_lifetime must be one second or more";
    }
    return NULL;
}

static size_t count_words(struct assay_slice list)
{
    size_t count = 0;
    while (list.len > 0) {
        (void)assay_slice_cut(&list, ' ');
        count++;
    }
    return count;
}

static int64_t lifetime_of(const struct assay_admin *admin, uint32_t bit, int64_t given_s,
                           int64_t client_s, int64_t server_s)
{
    if ((admin->input.given & bit) != 0) {
        return given_s;
    }
    return client_s != 0 ? client_s : server_s;
}

/* The fields that both tokens share; slices borrow from the request and the copied client. */
static bool fill_record(struct assay_admin *admin, const struct assay_client_record *client,
                        int64_t now_s, struct assay_token_record *record)
{
    const struct assay_admin_input *in = &admin->input;
    struct assay_arena *arena = admin->ex->arena;
    struct assay_slice scope = choose(admin, ASSAY_IN_SCOPE, in->scope, client->default_scope);
    struct assay_slice audience =
        choose(admin, ASSAY_IN_AUDIENCE, in->audience, client->default_audience);
    *record = (struct assay_token_record){
        .issued_at_s = now_s,
        .not_before_s = in->not_before_s != 0 ? now_s + in->not_before_s : 0,
        .client_id = in->client_id,
        .subject = in->subject,
        .username = in->username,
        .session = in->sid,
    };
    return assay_arena_copy(arena, scope, &record->scope) &&
           assay_arena_copy(arena, audience, &record->audience);
}

static enum assay_status draft_tokens(struct assay_admin *admin,
                                      const struct assay_client_record *client, int64_t now_s,
                                      struct assay_change_issue *issue, struct assay_error *reterr)
{
    const struct assay_server *server = admin->ex->server;
    const struct assay_admin_input *in = &admin->input;
    if (!fill_record(admin, client, now_s, &issue->access.record)) {
        return spent(reterr);
    }
    issue->client_id = in->client_id;
    issue->with_refresh = in->refresh;
    issue->refresh.record = issue->access.record;
    issue->access.record.kind = ASSAY_TOKEN_ACCESS;
    issue->refresh.record.kind = ASSAY_TOKEN_REFRESH;
    issue->access.record.expires_at_s =
        now_s + lifetime_of(admin, ASSAY_IN_LIFETIME, in->lifetime_s, client->access_lifetime_s,
                            server->access_lifetime_s);
    issue->refresh.record.expires_at_s =
        now_s + lifetime_of(admin, ASSAY_IN_REFRESH_LIFETIME, in->refresh_lifetime_s,
                            client->refresh_lifetime_s, server->refresh_lifetime_s);
    enum assay_status status =
        assay_random(issue->access.secret, sizeof issue->access.secret, reterr);
    return status == ASSAY_OK
               ? assay_random(issue->refresh.secret, sizeof issue->refresh.secret, reterr)
               : status;
}

static enum assay_status issue_to(struct assay_admin *admin,
                                  const struct assay_client_record *client, int64_t now_s,
                                  enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_change *change = assay_admin_change(admin, ASSAY_CHANGE_ISSUE, now_s);
    if (change == NULL) {
        return spent(reterr);
    }
    enum assay_status status = draft_tokens(admin, client, now_s, &change->u.issue, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    size_t audiences = count_words(change->u.issue.access.record.audience);
    if (audiences == 0) {
        return assay_admin_wrong(admin,
                                 "the token is for no audience: name one, or register one with the "
                                 "client",
                                 ret_step, reterr);
    }
    if (audiences > ASSAY_MAX_AUDIENCES) {
        return assay_admin_wrong(admin, "the token is for too many audiences", ret_step, reterr);
    }
    return assay_admin_carry(admin, issued, ret_step);
}

static enum assay_status issue_client_found(struct assay_admin *admin, int64_t now_s,
                                            enum assay_step *ret_step, struct assay_error *reterr)
{
    const struct assay_client_record *client = admin->ex->lookup.caller;
    if (admin->ex->store_status != ASSAY_OK) {
        return assay_admin_unable(admin, ret_step, reterr);
    }
    if (client == NULL) {
        return no_client(admin, ret_step, reterr);
    }
    const char *fault = refuse_issue(&admin->input, client);
    if (fault != NULL) {
        return assay_admin_wrong(admin, fault, ret_step, reterr);
    }
    return issue_to(admin, client, now_s, ret_step, reterr);
}

enum assay_status assay_admin_token_issue(struct assay_admin *admin, int64_t now_s,
                                          enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    (void)reterr;
    return assay_admin_find_client(admin, admin->input.client_id, issue_client_found, ret_step);
}

/* --- what the other three share --- */

static enum assay_status find_target(struct assay_admin *admin, assay_admin_piece *next,
                                     enum assay_step *ret_step, struct assay_error *reterr)
{
    struct assay_admin_target *target =
        assay_arena_take(admin->ex->arena, sizeof *target, _Alignof(struct assay_admin_target));
    if (target == NULL) {
        return spent(reterr);
    }
    admin->state = target;
    if (!assay_admin_target_read(admin, target)) {
        return assay_admin_wrong(admin, "exactly one of jti and token must stand", ret_step,
                                 reterr);
    }
    return assay_admin_target_find(admin, target, admin->input.for_client, next, ret_step);
}

static void write_member_time(struct assay_json_writer *w, struct assay_slice name, int64_t at_s)
{
    if (at_s != 0) {
        assay_json_member_i64(w, name, at_s);
    }
}

/* Everything that is known of a token but its text. */
static void write_facts(struct assay_json_writer *w, const struct assay_token_record *record)
{
    bool refresh = record->kind == ASSAY_TOKEN_REFRESH;
    assay_json_member_text(w, ASSAY_SLICE("scope"), record->scope);
    assay_json_member_string(w, ASSAY_SLICE("client_id"), record->client_id);
    assay_json_member_text(w, ASSAY_SLICE("username"), record->username);
    assay_json_member_i64(w, ASSAY_SLICE("exp"), record->expires_at_s);
    assay_json_member_i64(w, ASSAY_SLICE("iat"), record->issued_at_s);
    assay_json_member_string(w, ASSAY_SLICE("token_type"),
                             refresh ? ASSAY_SLICE("refresh_token") : ASSAY_SLICE("Bearer"));
    write_member_time(w, ASSAY_SLICE("nbf"), record->not_before_s);
    assay_json_member_string(w, ASSAY_SLICE("sub"),
                             record->subject.len > 0 ? record->subject : record->client_id);
    assay_json_member_list(w, ASSAY_SLICE("aud"), record->audience);
    assay_json_member_text(w, ASSAY_SLICE("sid"), record->session);
    if (record->grant != 0) {
        assay_admin_member_number(w, ASSAY_SLICE("grant"), record->grant);
    }
}

static void write_jti(struct assay_json_writer *w, const struct assay_admin_target *target)
{
    uint8_t jti[ASSAY_JTI_LEN];
    if (!target->malformed) {
        assay_jti_write(&target->address, jti);
        assay_json_member_string(w, ASSAY_SLICE("jti"), assay_slice_of(jti, sizeof jti));
    }
}

/* Why the resource server that was looked up would not be told of a live token; NULL: it would. */
static const char *refuse_for(const struct assay_client_record *rs,
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
        return spent(reterr);
    }
    assay_jti_write(&ex->lookup.address, jti);
    view.jti = assay_slice_of(jti, sizeof jti);
    assay_buf_init(&admin->out, room, ASSAY_MAX_REPLY);
    assay_introspection_write(ex->lookup.token, &view, &admin->out);
    return admin->out.spent ? spent(reterr)
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
        (!asked_for || refuse_for(lookup->caller, lookup->token) == NULL)) {
        return reply_active(admin, ret_step, reterr);
    }
    return assay_admin_reply(admin, assay_introspection_inactive, ret_step);
}

enum assay_status assay_admin_token_introspect(struct assay_admin *admin, int64_t now_s,
                                               enum assay_step *ret_step,
                                               struct assay_error *reterr)
{
    (void)now_s;
    return find_target(admin, introspected, ret_step, reterr);
}

/* --- revoke --- */

static enum assay_status reply_revoked(struct assay_admin *admin, bool changed,
                                       enum assay_step *ret_step, struct assay_error *reterr)
{
    enum assay_status status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    write_jti(&admin->w, admin->state);
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
        return spent(reterr);
    }
    bool grant = token->grant != 0 && (token->kind == ASSAY_TOKEN_REFRESH ||
                                       admin->ex->server->revoke_access_ends_grant);
    change->u.cut.kind = grant ? ASSAY_CUTOFF_GRANT : ASSAY_CUTOFF_TOKEN;
    change->u.cut.id = assay_cutoff_number_id(grant ? token->grant : token->id.seq, room);
    change->u.cut.token_expires_at_s = token->expires_at_s;
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
    return find_target(admin, revoke_found, ret_step, reterr);
}

/* --- why --- */

static const char *cutoff_name(enum assay_cutoff_kind kind)
{
    switch (kind) {
    case ASSAY_CUTOFF_TOKEN:
        return "token";
    case ASSAY_CUTOFF_GRANT:
        return "grant";
    case ASSAY_CUTOFF_SESSION:
        return "session";
    case ASSAY_CUTOFF_SUBJECT:
        return "subject";
    case ASSAY_CUTOFF_CLIENT:
        return "client";
    case ASSAY_CUTOFF_KEY:
        return "key";
    case ASSAY_CUTOFF_EVERYTHING:
        return "everything";
    }
    return "unknown";
}

static const char *origin_name(enum assay_change_origin origin)
{
    switch (origin) {
    case ASSAY_BY_CLIENT:
        return "client";
    case ASSAY_BY_ADMIN:
        return "administrator";
    case ASSAY_BY_REUSE:
        return "reuse of a rotated refresh token";
    case ASSAY_BY_RESTORE:
        return "restore";
    }
    return "unknown";
}

static void write_cutoff(struct assay_json_writer *w, const struct assay_cutoff *cutoff)
{
    assay_json_member_string(w, ASSAY_SLICE("revoked"),
                             assay_slice_of_text(cutoff_name(cutoff->kind)));
    assay_json_member_i64(w, ASSAY_SLICE("revoked_at"), cutoff->made_at_s);
    assay_json_member_string(w, ASSAY_SLICE("revoked_by"),
                             assay_slice_of_text(origin_name(cutoff->origin)));
}

/* One word for the reason, then a sentence where the word is not enough. */
static const char *explain(const struct assay_admin_target *target,
                           const struct assay_lookup *lookup, enum assay_liveness liveness)
{
    switch (liveness) {
    case ASSAY_LIVE:
        return "it is good";
    case ASSAY_DEAD_UNKNOWN:
        if (target->malformed) {
            return "it is no token of this server: mistyped, cut off, or of another prefix";
        }
        return lookup->address_opened
                   ? "it expired long ago and has been swept, or this store was restored since"
                   : "it was not made by this store, or its sealing key has been rotated away";
    case ASSAY_DEAD_TEXT:
        return "a token of that jti exists, but the secret part of this one is wrong";
    case ASSAY_DEAD_EXPIRED:
        return "its time is up";
    case ASSAY_DEAD_NOT_YET:
        return "its time has not come";
    case ASSAY_DEAD_CUT:
        return "it was revoked";
    case ASSAY_DEAD_CLIENT:
        return lookup->client == NULL ? "its client has been removed" : "its client is disabled";
    case ASSAY_DEAD_ROTATED:
        return "it has been exchanged for its successor";
    }
    return "unknown";
}

static const char *reason_name(const struct assay_admin_target *target,
                               enum assay_liveness liveness)
{
    return target->malformed ? "malformed" : assay_liveness_name(liveness);
}

static void write_why(struct assay_admin *admin, enum assay_liveness liveness)
{
    const struct assay_admin_target *target = admin->state;
    const struct assay_lookup *lookup = &admin->ex->lookup;
    struct assay_json_writer *w = &admin->w;
    bool live = liveness == ASSAY_LIVE;
    const char *reason = reason_name(target, liveness);
    const char *text = explain(target, lookup, liveness);
    const char *refused = live && (admin->input.given & ASSAY_IN_FOR) != 0
                              ? refuse_for(lookup->caller, lookup->token)
                              : NULL;
    assay_json_member_bool(w, ASSAY_SLICE("active"), live && refused == NULL);
    assay_json_member_string(
        w, ASSAY_SLICE("reason"),
        assay_slice_of_text(refused != NULL ? "not for that resource server" : reason));
    assay_json_member_string(w, ASSAY_SLICE("explanation"),
                             assay_slice_of_text(refused != NULL ? refused : text));
    if (liveness == ASSAY_DEAD_CUT) {
        write_cutoff(w, &lookup->cutoff);
    }
    write_jti(w, target);
    if (lookup->token != NULL && liveness != ASSAY_DEAD_TEXT) {
        write_facts(w, lookup->token);
        write_member_time(w, ASSAY_SLICE("rotated_at"), lookup->token->rotation.rotated_at_s);
    }
}

static enum assay_status why_found(struct assay_admin *admin, int64_t now_s,
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
    status = assay_admin_open(admin, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    write_why(admin, liveness);
    return assay_admin_close(admin, ret_step, reterr);
}

enum assay_status assay_admin_token_why(struct assay_admin *admin, int64_t now_s,
                                        enum assay_step *ret_step, struct assay_error *reterr)
{
    (void)now_s;
    return find_target(admin, why_found, ret_step, reterr);
}
