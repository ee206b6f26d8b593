#include "admin/token.h"

#include "crypto/random.h"
#include "oauth/scope.h"

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

static const char *why_refused(enum assay_change_outcome outcome)
{
    if (outcome == ASSAY_REFUSED_SCOPE) {
        return "no resource server of that audience understands any of that scope";
    }
    return outcome == ASSAY_REFUSED_PARENT ? "the session has been ended"
                                           : "the client was removed or disabled meanwhile";
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
        status = assay_admin_refuse(admin, 409, "conflict", (struct assay_slice){0},
                                    why_refused(ex->change->outcome), ret_step, reterr);
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
        return assay_admin_spent(reterr);
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
        return assay_admin_spent(reterr);
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
        return assay_admin_no_client(admin, ret_step, reterr);
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
