#include "store/lmdb/lmdb_priv.h"

#include "base/secret.h"

/* The version asked for stays in the change: a batch may run twice (lmdb_writer.c). */
static enum assay_status put_client(struct lmdb_write *w, struct assay_change_client *change,
                                    struct assay_error *reterr)
{
    uint8_t bytes[ASSAY_MAX_CLIENT_RECORD];
    size_t len = 0;
    struct assay_client_record record = change->record;
    enum assay_status status = lmdb_next_seq(w, &record.version, reterr);
    if (status == ASSAY_OK) {
        status = assay_client_record_write(&record, bytes, sizeof(bytes), &len, reterr);
    }
    if (status == ASSAY_OK) {
        status = lmdb_put(w, LMDB_DB_CLIENT, record.client_id, assay_slice_of(bytes, len), reterr);
    }
    w->header.clients_seq = record.version;
    change->version = record.version;
    return status;
}

static enum assay_status remove_client(struct lmdb_write *w, struct assay_slice client_id,
                                       struct assay_error *reterr)
{
    enum assay_status status = lmdb_delete(w, LMDB_DB_CLIENT, client_id, reterr);
    return status == ASSAY_OK ? lmdb_next_seq(w, &w->header.clients_seq, reterr) : status;
}

/* The outcome that what is stored now allows; ASSAY_DONE to go on. */
static enum assay_change_outcome judge(const struct assay_change *change, bool exists,
                                       const struct assay_client_record *stored)
{
    uint64_t version = change->u.client.record.version;
    if (change->verb == ASSAY_CHANGE_CLIENT_ADD) {
        return exists ? ASSAY_REFUSED_EXISTS : ASSAY_DONE;
    }
    if (!exists) {
        return ASSAY_REFUSED_ABSENT;
    }
    bool any = change->verb == ASSAY_CHANGE_CLIENT_REMOVE && version == 0;
    return any || stored->version == version ? ASSAY_DONE : ASSAY_REFUSED_STALE;
}

/* A client that is removed or disabled takes its tokens with it: it may come back, they may not. */
static bool ends_tokens(const struct assay_change *change, const struct assay_client_record *stored,
                        bool exists)
{
    const struct assay_change_client *client = &change->u.client;
    bool disabled = exists && !stored->disabled && client->record.disabled;
    return client->cut || disabled || change->verb == ASSAY_CHANGE_CLIENT_REMOVE;
}

enum assay_status lmdb_client_run(struct lmdb_write *w, struct assay_change *change,
                                  struct assay_error *reterr)
{
    struct assay_change_client *client = &change->u.client;
    struct assay_slice client_id = client->record.client_id;
    struct assay_client_record stored = {0};
    uint64_t cut_seq;
    enum assay_status status = lmdb_get_client(w->store, w->txn, client_id, &stored, reterr);
    if (status != ASSAY_OK && status != ASSAY_ERR_ABSENT) {
        return status;
    }
    bool exists = status == ASSAY_OK;
    change->outcome = judge(change, exists, &stored);
    if (change->outcome != ASSAY_DONE) {
        return ASSAY_OK;
    }
    bool removes = change->verb == ASSAY_CHANGE_CLIENT_REMOVE;
    bool ends = ends_tokens(change, &stored, exists); /* while its page is as it was read */
    status = lmdb_index_audiences(w, client_id, exists ? &stored : NULL,
                                  removes ? NULL : &client->record, reterr);
    if (status == ASSAY_OK && ends) {
        status = lmdb_put_cutoff(w, change, ASSAY_CUTOFF_CLIENT, client_id,
                                 lmdb_keep_until(w, change->now_s), &cut_seq, reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    return removes ? remove_client(w, client_id, reterr) : put_client(w, client, reterr);
}
