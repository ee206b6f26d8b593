#include "store/lmdb/lmdb_priv.h"

#include "base/secret.h"

#include <string.h>

/* Has (kind, id) been cut off after `seen_at`? */
static enum assay_status cut_since(struct lmdb_write *w, enum assay_cutoff_kind kind,
                                   struct assay_slice id, uint64_t seen_at, bool *ret_cut,
                                   struct assay_error *reterr)
{
    struct assay_cutoff cutoff;
    *ret_cut = false;
    if (w->header.newest_cutoff[kind] <= seen_at) {
        return ASSAY_OK;
    }
    enum assay_status status = lmdb_get_cutoff(w->store, w->txn, kind, id, &cutoff, reterr);
    *ret_cut = status == ASSAY_OK && cutoff.seq > seen_at;
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

/* A client that may be given tokens: it exists, is enabled, and has the grants asked for. */
static enum assay_status judge_client(struct lmdb_write *w, const struct assay_change_issue *issue,
                                      bool *ret_good, struct assay_error *reterr)
{
    struct assay_client_record client;
    *ret_good = false;
    enum assay_status status = lmdb_get_client(w->store, w->txn, issue->client_id, &client, reterr);
    if (status == ASSAY_OK) {
        *ret_good =
            !client.disabled && (client.grants & issue->require_grant) == issue->require_grant;
    }
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

/* What an issue derives from must live now, whatever the asker saw: the client, who proved itself
 * at `seen_at` and has not been cut off since, though it may have been enabled again; the session.
 */
static enum assay_status may_issue(struct lmdb_write *w, const struct assay_change_issue *issue,
                                   enum assay_change_outcome *ret, struct assay_error *reterr)
{
    const struct assay_slice all = {0};
    struct assay_slice session = issue->access.record.session;
    bool good = false;
    bool cut = false;
    *ret = ASSAY_REFUSED_CLIENT;
    enum assay_status status = judge_client(w, issue, &good, reterr);
    if (status == ASSAY_OK && good && issue->seen_at != 0) {
        status = cut_since(w, ASSAY_CUTOFF_CLIENT, issue->client_id, issue->seen_at, &cut, reterr);
    }
    if (status == ASSAY_OK && good && issue->seen_at != 0 && !cut) {
        status = cut_since(w, ASSAY_CUTOFF_EVERYTHING, all, issue->seen_at, &cut, reterr);
    }
    if (status != ASSAY_OK || !good || cut) {
        return status;
    }
    if (session.len != 0) {
        status = cut_since(w, ASSAY_CUTOFF_SESSION, session, 0, &cut, reterr);
    }
    *ret = cut ? ASSAY_REFUSED_PARENT : ASSAY_DONE;
    return status;
}

static enum assay_status index_grant(struct lmdb_write *w, const struct assay_grant_record *grant,
                                     struct assay_error *reterr)
{
    uint8_t key[1 + ASSAY_MAX_SUBJECT + 8];
    uint8_t number[8];
    if (grant->subject.len == 0 || grant->subject.len > ASSAY_MAX_SUBJECT) {
        return assay_fail(ASSAY_ERR_LIMIT, "a grant needs a subject of at most 255 bytes", reterr);
    }
    key[0] = (uint8_t)grant->subject.len;
    memcpy(key + 1, grant->subject.data, grant->subject.len);
    assay_cutoff_number_id(grant->grant, key + 1 + grant->subject.len);
    enum assay_status status =
        lmdb_put(w, LMDB_DB_GRANT_SUBJECT, assay_slice_of(key, 9 + grant->subject.len),
                 (struct assay_slice){0}, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    return lmdb_put_end(w, grant->expires_at_s + ASSAY_CUTOFF_SLACK_S, ASSAY_END_GRANT,
                        assay_cutoff_number_id(grant->grant, number), reterr);
}

static enum assay_status issue_with_refresh(struct lmdb_write *w, struct assay_change *change,
                                            struct assay_error *reterr)
{
    struct assay_change_issue *issue = &change->u.issue;
    struct assay_grant_record grant = {
        .client_id = issue->client_id,
        .subject = issue->refresh.record.subject,
        .scope = issue->refresh.record.scope,
        .created_at_s = change->now_s,
        .expires_at_s = issue->refresh.record.expires_at_s,
    };
    enum assay_status status = lmdb_next_seq(w, &grant.grant, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    issue->access.record.grant = grant.grant;
    issue->refresh.record.grant = grant.grant;
    status = lmdb_put_draft(w, change->prefix, &issue->refresh, reterr);
    grant.current = issue->refresh.record.id;
    if (status == ASSAY_OK) {
        status = lmdb_put_grant(w, &grant, reterr);
    }
    return status == ASSAY_OK ? index_grant(w, &grant, reterr) : status;
}

static enum assay_status issue(struct lmdb_write *w, struct assay_change *change,
                               struct assay_error *reterr)
{
    enum assay_status status = may_issue(w, &change->u.issue, &change->outcome, reterr);
    if (status != ASSAY_OK || change->outcome != ASSAY_DONE) {
        return status;
    }
    bool any = false;
    status = lmdb_narrow_scope(w, change, &change->u.issue.access.record, &any, reterr);
    if (status != ASSAY_OK || !any) {
        return status;
    }
    if (change->u.issue.with_refresh) {
        status = issue_with_refresh(w, change, reterr);
    }
    return status == ASSAY_OK ? lmdb_put_draft(w, change->prefix, &change->u.issue.access, reterr)
                              : status;
}

/* What is cut off for good by one cutoff: no token of it can be made afterwards. Of a subject, a
 * client or everything it can, and a JWT will leave no trace by which a second cutoff could be
 * known to be idle: so that is always written. */
static bool ends_once(enum assay_cutoff_kind kind)
{
    return kind == ASSAY_CUTOFF_TOKEN || kind == ASSAY_CUTOFF_GRANT || kind == ASSAY_CUTOFF_SESSION;
}

static enum assay_status cut(struct lmdb_write *w, struct assay_change *change,
                             struct assay_error *reterr)
{
    struct assay_change_cut *cut = &change->u.cut;
    struct assay_cutoff before;
    struct assay_client_record client;
    enum assay_status status;
    if (cut->check_client) {
        status = lmdb_get_client(w->store, w->txn, cut->id, &client, reterr);
        if (status == ASSAY_ERR_ABSENT) {
            change->outcome = ASSAY_REFUSED_ABSENT;
            return ASSAY_OK;
        }
        if (status != ASSAY_OK) {
            return status;
        }
    }
    status = lmdb_get_cutoff(w->store, w->txn, cut->kind, cut->id, &before, reterr);
    if (status == ASSAY_OK && ends_once(cut->kind)) {
        cut->seq = before.seq;
        change->outcome = ASSAY_DONE_NOTHING;
        return ASSAY_OK;
    }
    if (status != ASSAY_OK && status != ASSAY_ERR_ABSENT) {
        return status;
    }
    int64_t keep_until_s = cut->kind == ASSAY_CUTOFF_TOKEN && cut->token_expires_at_s != 0
                               ? cut->token_expires_at_s + ASSAY_CUTOFF_SLACK_S
                               : lmdb_keep_until(w, change->now_s);
    return lmdb_put_cutoff(w, change, cut->kind, cut->id, keep_until_s, &cut->seq, reterr);
}

/* Generations count up to 255 and start over is refused: a key each hour would last ten days, a key
 * each quarter longer than the format will. */
static enum assay_status rotate_seal(struct lmdb_write *w, struct assay_change *change,
                                     struct assay_error *reterr)
{
    struct assay_key_record record = {.created_at_s = change->now_s};
    uint8_t bytes[ASSAY_KEY_RECORD_LEN];
    uint64_t generation = w->header.newest_generation + 1;
    if (generation > UINT8_MAX) {
        return assay_fail(ASSAY_ERR_STORE, "the store has used up its sealing keys", reterr);
    }
    record.generation = (uint8_t)generation;
    memcpy(record.key, change->u.seal.key, sizeof(record.key));
    assay_key_record_write(&record, bytes);
    enum assay_status status = lmdb_put(w, LMDB_DB_KEY, assay_slice_of(&record.generation, 1),
                                        assay_slice_of(bytes, sizeof(bytes)), reterr);
    assay_secret_wipe(&record, sizeof(record));
    assay_secret_wipe(bytes, sizeof(bytes));
    if (status == ASSAY_OK && generation > ASSAY_MAX_SEAL_KEYS) {
        uint8_t oldest = (uint8_t)(generation - ASSAY_MAX_SEAL_KEYS);
        status = lmdb_delete(w, LMDB_DB_KEY, assay_slice_of(&oldest, 1), reterr);
        status = status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    if (status == ASSAY_OK) {
        status = lmdb_next_seq(w, &w->header.keys_seq, reterr);
    }
    w->header.newest_generation = generation;
    return status == ASSAY_OK ? lmdb_ring_refresh(w->store, w->txn, w->header.keys_seq,
                                                  &w->store->writer_ring, reterr)
                              : status;
}

static enum assay_status consume_once(struct lmdb_write *w, struct assay_change *change,
                                      struct assay_error *reterr)
{
    struct assay_once_record record = {.keep_until_s = change->u.once.keep_until_s};
    struct assay_slice id = assay_slice_of(record.id_sha256, sizeof(record.id_sha256));
    uint8_t value[ASSAY_ONCE_LEN];
    struct assay_slice found;
    memcpy(record.id_sha256, change->u.once.id_sha256, sizeof(record.id_sha256));
    enum assay_status status =
        lmdb_get(w->txn, w->store->dbis.db[LMDB_DB_ONCE], id, &found, reterr);
    if (status == ASSAY_OK) {
        change->outcome = ASSAY_REFUSED_EXISTS; /* whether or not it can be read */
        return ASSAY_OK;
    }
    if (status != ASSAY_ERR_ABSENT) {
        return status;
    }
    assay_once_record_write(&record, value);
    status = lmdb_put(w, LMDB_DB_ONCE, id, assay_slice_of(value, sizeof(value)), reterr);
    return status == ASSAY_OK ? lmdb_put_end(w, record.keep_until_s, ASSAY_END_ONCE, id, reterr)
                              : status;
}

enum assay_status lmdb_change_run(struct lmdb_write *w, struct assay_change *change,
                                  struct assay_error *reterr)
{
    change->outcome = ASSAY_DONE;
    switch (change->verb) {
    case ASSAY_CHANGE_ISSUE:
        return issue(w, change, reterr);
    case ASSAY_CHANGE_ROTATE:
        return lmdb_rotate_run(w, change, reterr);
    case ASSAY_CHANGE_CUT:
        return cut(w, change, reterr);
    case ASSAY_CHANGE_CLIENT_ADD:
    case ASSAY_CHANGE_CLIENT_UPDATE:
    case ASSAY_CHANGE_CLIENT_REMOVE:
        return lmdb_client_run(w, change, reterr);
    case ASSAY_CHANGE_SEAL_ROTATE:
        return rotate_seal(w, change, reterr);
    case ASSAY_CHANGE_CONSUME_ONCE:
        return consume_once(w, change, reterr);
    case ASSAY_CHANGE_SWEEP:
        return lmdb_sweep_run(w, change, reterr);
    }
    return assay_fail(ASSAY_ERR_STORE, "unknown change", reterr);
}
