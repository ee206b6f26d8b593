#include "admin/token_priv.h"

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
                              ? token_refuse_for(lookup->caller, lookup->token)
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
    token_jti_write(w, target);
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
    return token_target_find(admin, why_found, ret_step, reterr);
}
