#include "store/lmdb/lmdb_priv.h"

#include "base/secret.h"

#include <string.h>

enum assay_status lmdb_next_seq(struct lmdb_write *w, uint64_t *ret, struct assay_error *reterr)
{
    if (w->header.seq >= ASSAY_SEQ_MAX) {
        return assay_fail(ASSAY_ERR_STORE, "the store has used up its numbers", reterr);
    }
    *ret = ++w->header.seq;
    return ASSAY_OK;
}

static enum assay_status put(struct lmdb_write *w, MDB_dbi db, struct assay_slice key,
                             struct assay_slice value, unsigned flags, struct assay_error *reterr)
{
    MDB_val name = lmdb_val(key);
    MDB_val bytes = lmdb_val(value);
    w->dirty = true;
    int rc = mdb_put(w->txn, db, &name, &bytes, flags);
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be written", reterr);
}

/* The entry that is there now, if any, is to go: it leaves the header's count and digest. */
static enum assay_status leave_vital(struct lmdb_write *w, enum lmdb_db db, struct assay_slice key,
                                     struct assay_error *reterr)
{
    struct assay_slice old;
    if (!lmdb_is_vital(db)) {
        return ASSAY_OK;
    }
    enum assay_status status = lmdb_get(w->txn, w->store->dbis.db[db], key, &old, reterr);
    if (status == ASSAY_OK) {
        w->header.vital_count--;
        w->header.vital_digest -= lmdb_vital_part(db, key, old);
    }
    return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
}

enum assay_status lmdb_put(struct lmdb_write *w, enum lmdb_db db, struct assay_slice key,
                           struct assay_slice value, struct assay_error *reterr)
{
    enum assay_status status = leave_vital(w, db, key, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (lmdb_is_vital(db)) {
        w->header.vital_count++;
        w->header.vital_digest += lmdb_vital_part(db, key, value);
    }
    return put(w, w->store->dbis.db[db], key, value, 0, reterr);
}

enum assay_status lmdb_put_number(struct lmdb_write *w, MDB_dbi db, uint64_t number,
                                  struct assay_slice value, unsigned flags,
                                  struct assay_error *reterr)
{
    return put(w, db, assay_slice_of(&number, sizeof(number)), value, flags, reterr);
}

enum assay_status lmdb_delete(struct lmdb_write *w, enum lmdb_db db, struct assay_slice key,
                              struct assay_error *reterr)
{
    MDB_val name = lmdb_val(key);
    enum assay_status status = leave_vital(w, db, key, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    int rc = mdb_del(w->txn, w->store->dbis.db[db], &name, NULL);
    if (rc == MDB_NOTFOUND) {
        return assay_fail(ASSAY_ERR_ABSENT, "no such entry", reterr);
    }
    w->dirty = true;
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be written", reterr);
}

enum assay_status lmdb_put_token(struct lmdb_write *w, const struct assay_token_record *record,
                                 unsigned flags, struct assay_error *reterr)
{
    uint8_t bytes[ASSAY_MAX_TOKEN_RECORD];
    size_t len = 0;
    enum assay_status status = assay_token_record_write(record, bytes, sizeof(bytes), &len, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    MDB_dbi db = w->store->dbis.tokens[record->id.lifetime_class];
    return lmdb_put_number(w, db, record->id.seq, assay_slice_of(bytes, len), flags, reterr);
}

enum assay_status lmdb_place_draft(struct lmdb_write *w, struct assay_token_draft *draft,
                                   struct assay_error *reterr)
{
    struct assay_header_record *header = &w->header;
    struct assay_token_record *record = &draft->record;
    bool ordered = record->issued_at_s >= 0 && record->expires_at_s > record->issued_at_s;
    int64_t lifetime_s = ordered ? record->expires_at_s - record->issued_at_s : 0;
    if (lifetime_s < ASSAY_MIN_LIFETIME_S || lifetime_s > ASSAY_MAX_LIFETIME_S) {
        return assay_fail(ASSAY_ERR_LIMIT, "a token's lifetime is out of range", reterr);
    }
    if (record->expires_at_s <= header->horizon_s) { /* dead whatever the clock says */
        return assay_fail(ASSAY_ERR_STORE,
                          "the clock is so far behind that a new token would have expired", reterr);
    }
    record->id.lifetime_class = assay_lifetime_class(lifetime_s);
    if (lifetime_s > header->longest_lifetime_s) {
        header->longest_lifetime_s = lifetime_s;
    }
    if (record->expires_at_s > header->latest_expiry_s) {
        header->latest_expiry_s = record->expires_at_s;
    }
    enum assay_status status = lmdb_next_seq(w, &record->id.seq, reterr);
    return status == ASSAY_OK ? assay_address_seal(&w->store->writer_ring.ring, record->id,
                                                   &draft->address, &record->generation, reterr)
                              : status;
}

enum assay_status lmdb_put_draft(struct lmdb_write *w, struct assay_slice prefix,
                                 struct assay_token_draft *draft, struct assay_error *reterr)
{
    enum assay_status status = lmdb_place_draft(w, draft, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_slice text = assay_token_text_write(prefix, draft->record.kind, &draft->address,
                                                     draft->secret, draft->text);
    draft->text_len = text.len;
    status = assay_sha256(w->store->digester, text, draft->record.text_sha256, reterr);
    /* Appended, and only ever appended: a number in use would be refused here. */
    return status == ASSAY_OK ? lmdb_put_token(w, &draft->record, MDB_APPEND, reterr) : status;
}

enum assay_status lmdb_put_end(struct lmdb_write *w, int64_t until_s, enum assay_end_kind kind,
                               struct assay_slice detail, struct assay_error *reterr)
{
    uint8_t key[ASSAY_END_KEY_LEN];
    uint8_t value[ASSAY_END_VALUE_SIZE];
    size_t len = 0;
    struct assay_end_record record = {.kind = kind, .until_s = until_s, .detail = detail};
    enum assay_status status = lmdb_next_seq(w, &record.seq, reterr);
    if (status == ASSAY_OK) {
        status = assay_end_record_write(&record, value, sizeof(value), &len, reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    assay_end_key(&record, key);
    return lmdb_put(w, LMDB_DB_ENDS, assay_slice_of(key, sizeof(key)), assay_slice_of(value, len),
                    reterr);
}

/* The latest expiry counts, not the clock: it may have been ahead when a token was issued, and what
 * came of that must not outlive its cutoff. The longest lifetime is for tokens that leave no trace
 * here. */
int64_t lmdb_keep_until(const struct lmdb_write *w, int64_t now_s)
{
    int64_t until_s = now_s + w->header.longest_lifetime_s;
    if (until_s < w->header.latest_expiry_s) {
        until_s = w->header.latest_expiry_s;
    }
    return until_s + ASSAY_CUTOFF_SLACK_S;
}

static enum assay_status put_event(struct lmdb_write *w, const struct assay_cutoff *cutoff,
                                   struct assay_error *reterr)
{
    uint8_t bytes[ASSAY_MAX_EVENT];
    size_t len = 0;
    struct assay_event event = {
        .seq = cutoff->seq,
        .made_at_s = cutoff->made_at_s,
        .kind = cutoff->kind,
        .id = cutoff->id,
        .origin = cutoff->origin,
    };
    enum assay_status status = assay_event_write(&event, bytes, sizeof(bytes), &len, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    return lmdb_put_number(w, w->store->dbis.db[LMDB_DB_EVENT], event.seq,
                           assay_slice_of(bytes, len), MDB_APPEND, reterr);
}

enum assay_status lmdb_put_cutoff(struct lmdb_write *w, const struct assay_change *change,
                                  enum assay_cutoff_kind kind, struct assay_slice id,
                                  int64_t keep_until_s, uint64_t *ret_seq,
                                  struct assay_error *reterr)
{
    uint8_t key[ASSAY_CUTOFF_KEY_SIZE];
    uint8_t value[ASSAY_CUTOFF_VALUE_LEN];
    struct assay_cutoff cutoff = {
        .kind = kind,
        .id = id,
        .made_at_s = change->now_s,
        .keep_until_s = keep_until_s,
        .origin = change->origin,
    };
    size_t key_len = assay_cutoff_key(kind, id, key);
    if (key_len == 0) {
        return assay_fail(ASSAY_ERR_LIMIT, "id is too long for a cutoff", reterr);
    }
    enum assay_status status = lmdb_next_seq(w, &cutoff.seq, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_cutoff_write(&cutoff, value);
    status = lmdb_put(w, LMDB_DB_CUTOFF, assay_slice_of(key, key_len),
                      assay_slice_of(value, sizeof(value)), reterr);
    if (status == ASSAY_OK) {
        status = put_event(w, &cutoff, reterr);
    }
    if (status == ASSAY_OK) {
        status =
            lmdb_put_end(w, keep_until_s, ASSAY_END_CUTOFF, assay_slice_of(key, key_len), reterr);
    }
    w->header.newest_cutoff[kind] = cutoff.seq;
    *ret_seq = cutoff.seq;
    return status;
}

enum assay_status lmdb_put_grant(struct lmdb_write *w, const struct assay_grant_record *grant,
                                 struct assay_error *reterr)
{
    uint8_t bytes[ASSAY_MAX_GRANT_RECORD];
    size_t len = 0;
    enum assay_status status = assay_grant_record_write(grant, bytes, sizeof(bytes), &len, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    return lmdb_put_number(w, w->store->dbis.db[LMDB_DB_GRANT], grant->grant,
                           assay_slice_of(bytes, len), 0, reterr);
}
