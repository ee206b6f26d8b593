#include "server/caller.h"

#include "base/secret.h"
#include "server/attempts.h"
#include "server/metrics.h"
#include "server/recent.h"
#include "server/remembered.h"

#include <string.h>

/* The caller asks for a signed answer, which nobody gets unauthenticated, by a 400 (RFC 9701
 * section 5). */
static bool wants_signed(const struct assay_exchange *ex)
{
    return ex->endpoint == ASSAY_ENDPOINT_INTROSPECT &&
           assay_slice_equal_nocase(ex->request.accept,
                                    ASSAY_SLICE("application/token-introspection+jwt"));
}

/* --- headers that were read lately */

/* Takes the caller from the memory of such headers: true when that is all there is to read. Basic
 * credentials alone are kept there, and count only while the body says nothing of who asks. */
static bool take_recent(struct assay_exchange *ex, const struct assay_form *form,
                        struct assay_caller *caller)
{
    const struct assay_recent_entry *entry =
        assay_recent_find(ex->server->recent, caller->header_sha256);
    struct assay_credentials *credentials = &caller->credentials;
    if (entry == NULL || assay_credentials_in_body(form) ||
        !assay_arena_copy(ex->arena, assay_slice_of(entry->client_id, entry->client_id_len),
                          &credentials->client_id) ||
        !assay_arena_copy(ex->arena, ex->request.authorization, &caller->header)) {
        return false;
    }
    credentials->method = ASSAY_AUTH_SECRET_BASIC;
    credentials->hashed = true;
    memcpy(credentials->secret_sha256, entry->secret_sha256, ASSAY_SHA256_LEN);
    caller->recent = true;
    ex->lookup.caller_id = credentials->client_id;
    return true;
}

static void note_recent(struct assay_exchange *ex, const struct assay_caller *caller)
{
    const struct assay_credentials *credentials = &caller->credentials;
    if (caller->header_hashed && !caller->recent &&
        credentials->method == ASSAY_AUTH_SECRET_BASIC) {
        assay_recent_note(ex->server->recent, caller->header_sha256, credentials->client_id,
                          credentials->secret_sha256);
    }
}

static enum assay_status read_credentials(struct assay_exchange *ex, const struct assay_form *form,
                                          struct assay_caller *caller,
                                          enum assay_caller_verdict *ret,
                                          struct assay_error *reterr);

enum assay_status assay_caller_start(struct assay_exchange *ex, const struct assay_form *form,
                                     struct assay_caller *caller, enum assay_caller_verdict *ret,
                                     struct assay_error *reterr)
{
    memset(caller, 0, sizeof(*caller));
    caller->form = form;
    if (ex->server->recent != NULL && ex->request.authorization.len != 0) {
        enum assay_status status = assay_sha256(ex->server->digester, ex->request.authorization,
                                                caller->header_sha256, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
        caller->header_hashed = true;
        if (take_recent(ex, form, caller)) {
            *ret = ASSAY_CALLER_KNOWN;
            return ASSAY_OK;
        }
    }
    return read_credentials(ex, form, caller, ret, reterr);
}

static enum assay_status read_credentials(struct assay_exchange *ex, const struct assay_form *form,
                                          struct assay_caller *caller,
                                          enum assay_caller_verdict *ret,
                                          struct assay_error *reterr)
{
    enum assay_credentials_result result;
    enum assay_status status = assay_credentials_read(&ex->request, form, ex->arena,
                                                      &caller->credentials, &result, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    *ret = ASSAY_CALLER_REFUSED;
    switch (result) {
    case ASSAY_CREDENTIALS_OK:
        ex->lookup.caller_id = caller->credentials.client_id;
        *ret = ASSAY_CALLER_KNOWN;
        break;
    case ASSAY_CREDENTIALS_TWO:
        ex->refused = "two ways to authenticate at once";
        assay_oauth_error_reply(ASSAY_ERROR_TWO_METHODS, &ex->reply);
        break;
    case ASSAY_CREDENTIALS_NONE:
        assay_oauth_error_reply(wants_signed(ex) ? ASSAY_ERROR_NO_CLIENT : ASSAY_ERROR_CLIENT,
                                &ex->reply);
        break;
    case ASSAY_CREDENTIALS_MALFORMED:
        ex->refused = "credentials that cannot be read";
        assay_oauth_error_reply(ASSAY_ERROR_CLIENT, &ex->reply);
        break;
    case ASSAY_CREDENTIALS_CONFLICT:
        ex->refused = "the body names another client than the credentials";
        ex->refused_id = caller->credentials.client_id;
        (void)assay_form_find(form, ASSAY_SLICE("client_id"), &ex->refused_body_id);
        assay_oauth_error_reply(ASSAY_ERROR_CLIENT, &ex->reply);
        break;
    }
    return ASSAY_OK;
}

static unsigned wait_s(struct assay_exchange *ex, const struct assay_caller *caller, int64_t now_s)
{
    if (ex->server->attempts == NULL) {
        return 0;
    }
    return assay_attempts_wait_s(ex->server->attempts, caller->credentials.client_id,
                                 ex->request.source, now_s);
}

static void refuse_limited(struct assay_exchange *ex, unsigned wait)
{
    assay_oauth_error_reply(ASSAY_ERROR_LIMITED, &ex->reply);
    ex->reply.retry_after_s = wait;
}

void assay_caller_refuse(struct assay_exchange *ex, struct assay_caller *caller, int64_t now_s)
{
    unsigned wait = wait_s(ex, caller, now_s);
    if (wait != 0) {
        refuse_limited(ex, wait);
        return;
    }
    if (ex->server->attempts != NULL) {
        assay_attempts_failed(ex->server->attempts, caller->credentials.client_id,
                              ex->request.source, now_s);
    }
    ex->refused = "client authentication failed"; /* unless limited: a flood fills no log */
    ex->refused_id = caller->credentials.client_id;
    assay_oauth_error_reply(ASSAY_ERROR_CLIENT, &ex->reply);
}

static void note_known(struct assay_exchange *ex)
{
    const struct assay_client_record *record = ex->lookup.caller;
    ex->client_id = ex->lookup.caller_id;
    ex->caller_role = record->admin             ? ASSAY_CALLER_ADMIN
                      : record->resource_server ? ASSAY_CALLER_RESOURCE_SERVER
                                                : ASSAY_CALLER_CLIENT;
}

/* The spellings of the secret that scrypt is tried on: as decoded, then as it stood (P-2.3-3). */
static struct assay_slice spelling(const struct assay_caller *caller, size_t i)
{
    return i == 0 ? caller->credentials.secret : caller->credentials.secret_raw;
}

#define SPELLINGS 2

static const struct assay_client_secret *candidate_of(const struct assay_client_record *record,
                                                      const struct assay_caller *caller,
                                                      int64_t now_s)
{
    size_t at = caller->candidate / SPELLINGS;
    if (at >= record->secret_count || spelling(caller, caller->candidate % SPELLINGS).len == 0) {
        return NULL;
    }
    const struct assay_client_secret *secret = &record->secrets[at];
    bool live = secret->expires_at_s == 0 || now_s < secret->expires_at_s;
    return secret->form == ASSAY_SECRET_SCRYPT && live ? secret : NULL;
}

/* Is one of the record's scrypt secrets known to match, from this request or from an earlier one?
 */
static bool already_matched(struct assay_exchange *ex, const struct assay_caller *caller,
                            int64_t now_s)
{
    const struct assay_client_record *record = ex->lookup.caller;
    struct assay_caller probe = *caller;
    for (probe.candidate = 0; probe.candidate < record->secret_count * SPELLINGS;
         probe.candidate++) {
        const struct assay_client_secret *secret = candidate_of(record, &probe, now_s);
        if (secret == NULL) {
            continue;
        }
        bool here = caller->scrypt_matched &&
                    assay_secret_equal(assay_slice_of(secret->hash, ASSAY_SCRYPT_LEN),
                                       assay_slice_of(caller->matched_hash, ASSAY_SCRYPT_LEN));
        bool before =
            ex->server->remembered != NULL &&
            assay_remembered_knows(ex->server->remembered, record->client_id, secret->hash,
                                   spelling(caller, probe.candidate % SPELLINGS));
        if (here || before) {
            return true;
        }
    }
    return false;
}

/* Takes in what the step before computed. */
static void take_scrypt(struct assay_exchange *ex, struct assay_caller *caller, int64_t now_s)
{
    const struct assay_client_record *record = ex->lookup.caller;
    const struct assay_client_secret *secret = candidate_of(record, caller, now_s);
    struct assay_slice computed = assay_slice_of(ex->kdf_out, ASSAY_SCRYPT_LEN);
    if (secret != NULL && !ex->kdf_failed &&
        assay_slice_equal(assay_slice_of(secret->salt, ASSAY_SCRYPT_SALT_LEN),
                          assay_slice_of(ex->kdf_salt, ASSAY_SCRYPT_SALT_LEN)) &&
        assay_secret_equal(computed, assay_slice_of(secret->hash, ASSAY_SCRYPT_LEN))) {
        caller->scrypt_matched = true;
        memcpy(caller->matched_hash, secret->hash, ASSAY_SCRYPT_LEN);
        if (ex->server->remembered != NULL) {
            assay_remembered_add(ex->server->remembered, record->client_id, secret->hash,
                                 spelling(caller, caller->candidate % SPELLINGS));
        }
    }
    assay_secret_wipe(ex->kdf_out, sizeof(ex->kdf_out));
    caller->candidate++;
}

/* The next secret and spelling to try, or a refusal when all were. */
static enum assay_caller_verdict ask_scrypt(struct assay_exchange *ex, struct assay_caller *caller,
                                            int64_t now_s)
{
    const struct assay_client_record *record = ex->lookup.caller;
    unsigned wait = wait_s(ex, caller, now_s);
    if (wait != 0) {
        refuse_limited(ex, wait); /* before any work: a slow hash must not be a lever */
        return ASSAY_CALLER_REFUSED;
    }
    for (; caller->candidate < record->secret_count * SPELLINGS; caller->candidate++) {
        const struct assay_client_secret *secret = candidate_of(record, caller, now_s);
        if (secret != NULL) {
            ex->kdf_secret = spelling(caller, caller->candidate % SPELLINGS);
            memcpy(ex->kdf_salt, secret->salt, ASSAY_SCRYPT_SALT_LEN);
            ex->kdf_failed = false;
            caller->scrypt_asked = true;
            return ASSAY_CALLER_SCRYPT;
        }
    }
    assay_caller_refuse(ex, caller, now_s);
    return ASSAY_CALLER_REFUSED;
}

static enum assay_caller_verdict judge_scrypt(struct assay_exchange *ex,
                                              struct assay_caller *caller, int64_t now_s)
{
    if (caller->scrypt_asked) {
        caller->scrypt_asked = false;
        if (ex->kdf_failed) {
            assay_oauth_error_reply(ASSAY_ERROR_UNAVAILABLE, &ex->reply);
            return ASSAY_CALLER_REFUSED;
        }
        take_scrypt(ex, caller, now_s);
    }
    if (already_matched(ex, caller, now_s)) {
        note_known(ex);
        return ASSAY_CALLER_KNOWN;
    }
    return ask_scrypt(ex, caller, now_s);
}

enum assay_status assay_caller_judge(struct assay_exchange *ex, struct assay_caller *caller,
                                     int64_t now_s, enum assay_caller_verdict *ret,
                                     struct assay_error *reterr)
{
    enum assay_auth_result result;
    size_t secret = 0;
    enum assay_status status =
        assay_credentials_check(&caller->credentials, ex->lookup.caller, now_s,
                                ex->server->digester, &result, &secret, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    switch (result) {
    case ASSAY_AUTH_OK:
        note_recent(ex, caller);
        note_known(ex);
        *ret = ASSAY_CALLER_KNOWN;
        break;
    case ASSAY_AUTH_FAILED:
        assay_caller_refuse(ex, caller, now_s);
        *ret = ASSAY_CALLER_REFUSED;
        break;
    case ASSAY_AUTH_NEEDS_SCRYPT:
        *ret = ASSAY_CALLER_KNOWN;
        if (caller->recent) { /* the secret itself is wanted now */
            caller->recent = false;
            ex->request.authorization = caller->header; /* the host wipes it once it was read */
            status = read_credentials(ex, caller->form, caller, ret, reterr);
        }
        if (status == ASSAY_OK && *ret == ASSAY_CALLER_KNOWN) {
            *ret = judge_scrypt(ex, caller, now_s);
        }
        break;
    }
    return status;
}
