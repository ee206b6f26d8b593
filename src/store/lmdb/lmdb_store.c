#include "store/lmdb/lmdb_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int64_t system_clock(void *context)
{
    (void)context;
    return (int64_t)time(NULL);
}

/* --- clients, read once and kept while no client changes
 * --------------------------------------------- */

static void drop_slot(struct lmdb_client_slot *slot)
{
    free(slot->bytes);
    *slot = (struct lmdb_client_slot){0};
}

static void drop_shelf(struct lmdb_client_slot *shelf)
{
    for (size_t i = 0; i < LMDB_CLIENT_SLOTS; i++) {
        drop_slot(&shelf[i]);
    }
}

static bool slot_holds(const struct lmdb_client_slot *slot, struct assay_slice client_id,
                       uint64_t clients_seq)
{
    return slot->bytes != NULL && slot->clients_seq == clients_seq &&
           assay_slice_equal(assay_slice_of(slot->bytes, slot->id_len), client_id);
}

/* Reads a client into its slot, from bytes of its own, so that it outlives the snapshot. */
static enum assay_status fill_slot(struct lmdb_store *store, struct lmdb_client_slot *slot,
                                   struct assay_slice client_id, uint64_t clients_seq,
                                   struct assay_error *reterr)
{
    struct assay_slice bytes;
    drop_slot(slot);
    enum assay_status status =
        lmdb_get(store->reader, store->dbis.db[LMDB_DB_CLIENT], client_id, &bytes, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    slot->bytes = malloc(client_id.len + bytes.len);
    if (slot->bytes == NULL) {
        return assay_fail(ASSAY_ERR_STORE, "no memory for a client", reterr);
    }
    memcpy(slot->bytes, client_id.data, client_id.len);
    memcpy(slot->bytes + client_id.len, bytes.data, bytes.len);
    slot->id_len = client_id.len;
    slot->clients_seq = clients_seq;
    status = assay_client_record_parse(assay_slice_of(slot->bytes, client_id.len),
                                       assay_slice_of(slot->bytes + client_id.len, bytes.len),
                                       &slot->record, reterr);
    if (status != ASSAY_OK) {
        drop_slot(slot);
    }
    return status;
}

/* An answer lends at most one record of each shelf, so that reading one never drops another. */
static enum assay_status find_client(struct lmdb_store *store, struct lmdb_client_slot *shelf,
                                     struct assay_slice client_id, uint64_t clients_seq,
                                     const struct assay_client_record **ret,
                                     struct assay_error *reterr)
{
    *ret = NULL;
    if (client_id.len == 0 || client_id.len > ASSAY_MAX_CLIENT_ID) {
        return ASSAY_OK;
    }
    struct lmdb_client_slot *slot = &shelf[assay_crc32c(0, client_id) % LMDB_CLIENT_SLOTS];
    if (!slot_holds(slot, client_id, clients_seq)) {
        enum assay_status status = fill_slot(store, slot, client_id, clients_seq, reterr);
        if (status != ASSAY_OK) {
            return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
        }
    }
    *ret = &slot->record;
    return ASSAY_OK;
}

/* --- look-ups
 * ----------------------------------------------------------------------------------------- */

static enum assay_status find_token(struct lmdb_store *store,
                                    const struct assay_header_record *header,
                                    struct assay_lookup *lookup, struct assay_token_record *token,
                                    struct assay_error *reterr)
{
    enum assay_status status =
        lmdb_ring_refresh(store, store->reader, header->keys_seq, &store->reader_ring, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    lookup->address_opened =
        assay_address_open(&store->reader_ring.ring, &lookup->address, &lookup->token_id);
    if (!lookup->address_opened) {
        store->refused_addresses++;
        return ASSAY_OK;
    }
    store->token_lookups++;
    status = lmdb_get_token(store, store->reader, lookup->token_id, token, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    lookup->token = token;
    status = lmdb_find_cutoff(store, store->reader, header, lookup->token, &lookup->cut,
                              &lookup->cutoff, reterr);
    return status == ASSAY_OK ? find_client(store, store->owners, token->client_id,
                                            header->clients_seq, &lookup->client, reterr)
                              : status;
}

static enum assay_status find_all(struct lmdb_store *store, struct assay_lookup *lookup,
                                  struct assay_token_record *token, struct assay_error *reterr)
{
    struct assay_header_record header;
    enum assay_status status = lmdb_read_header(store, store->reader, &header, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    lookup->as_of = header.seq;
    lookup->horizon_s = header.horizon_s;
    status = find_client(store, store->callers, lookup->caller_id, header.clients_seq,
                         &lookup->caller, reterr);
    return status == ASSAY_OK && lookup->want_token
               ? find_token(store, &header, lookup, token, reterr)
               : status;
}

static void forget_answer(struct assay_lookup *lookup)
{
    lookup->caller = NULL;
    lookup->token = NULL;
    lookup->client = NULL;
    lookup->address_opened = false;
    lookup->cut = false;
}

static void find(struct assay_store *base, struct assay_store_find *find)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct assay_token_record token;
    forget_answer(find->lookup);
    /* A snapshot of its own for each look-up, taken now. */
    int rc = store->reader == NULL ? MDB_PANIC : mdb_txn_renew(store->reader);
    if (rc != 0) {
        find->status = lmdb_fail(rc, "the store cannot be read", &find->error);
        find->done(find);
        return;
    }
    find->status = find_all(store, find->lookup, &token, &find->error);
    if (find->status == ASSAY_ERR_CORRUPT) {
        atomic_store(&store->trouble.corrupt, true);
    }
    if (find->status != ASSAY_OK) {
        forget_answer(find->lookup); /* half an answer is none */
    }
    find->done(find);
    mdb_txn_reset(store->reader);
}

static void find_cancel(struct assay_store *store, struct assay_store_find *find)
{
    (void)store; /* every find is over when find() returns */
    (void)find;
}

static void list(struct assay_store *base, struct assay_store_list *list)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    list->status = store->reader == NULL
                       ? assay_fail(ASSAY_ERR_STORE, "the store is closed", &list->error)
                       : lmdb_list_run(store, list->query, &list->error);
    list->done(list);
}

static void list_cancel(struct assay_store *store, struct assay_store_list *list)
{
    (void)store;
    (void)list;
}

static void release(struct lmdb_store *store)
{
    lmdb_env_close(store);
    lmdb_ring_clear(&store->reader_ring);
    drop_shelf(store->callers);
    drop_shelf(store->owners);
    if (store->dir_fd >= 0) {
        close(store->dir_fd);
    }
    free(store->path);
    free(store);
}

static void close_store(struct assay_store *base)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    lmdb_writer_stop(store);
    release(store);
}

static const struct assay_store_ops ops = {
    .find = find,
    .find_cancel = find_cancel,
    .change = lmdb_writer_submit,
    .change_cancel = lmdb_writer_cancel,
    .list = list,
    .list_cancel = list_cancel,
    .close = close_store,
};

static struct lmdb_store *make(const struct assay_lmdb_options *options)
{
    struct lmdb_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return NULL;
    }
    store->base.ops = &ops;
    store->dir_fd = -1;
    store->event_fd = -1;
    store->wake_fd = -1;
    store->path = strdup(options->path);
    store->max_size = options->max_size == 0 ? ASSAY_STORE_DEFAULT_MAX_SIZE : options->max_size;
    store->map_size = options->map_size == 0 ? ASSAY_STORE_MAP_SIZE : options->map_size;
    store->read_only = options->read_only;
    store->sweep = options->sweep;
    store->loop = options->loop;
    store->log = options->log;
    store->clock = options->clock == NULL ? system_clock : options->clock;
    store->clock_context = options->clock_context;
    if (store->path == NULL) {
        free(store);
        return NULL;
    }
    return store;
}

/* Opens what `store` names, in the order in which trouble is easiest to tell. */
static enum assay_status open_all(struct lmdb_store *store, struct assay_error *reterr)
{
    struct assay_header_record header;
    struct assay_header_record witness;
    enum assay_status status = lmdb_dir_open(store->path, &store->dir_fd, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_data_check(store->dir_fd, "data", reterr);
    }
    if (status == ASSAY_OK) {
        status = lmdb_env_open(store, 0, reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    /* The witness before the snapshot: others may commit, and bear witness, between the two. */
    bool witnessed = lmdb_witness_read(store->dir_fd, &witness);
    int rc = mdb_txn_renew(store->reader);
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    status = lmdb_read_header(store, store->reader, &header, reterr);
    mdb_txn_reset(store->reader);
    if (status == ASSAY_OK && witnessed) {
        status = lmdb_witness_check(&witness, &header, reterr);
    }
    return status == ASSAY_OK && !store->read_only ? lmdb_writer_start(store, reterr) : status;
}

enum assay_status assay_lmdb_open(const struct assay_lmdb_options *options,
                                  struct assay_store **ret, struct assay_error *reterr)
{
    struct lmdb_store *store = make(options);
    if (store == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no memory for a store", reterr);
    }
    enum assay_status status = open_all(store, reterr);
    if (status != ASSAY_OK) {
        lmdb_writer_stop(store);
        release(store);
        return status;
    }
    *ret = &store->base;
    return ASSAY_OK;
}
