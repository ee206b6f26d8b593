#include "store/lmdb/lmdb_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- clients, read once and kept while no client changes */

static void drop_slot(struct lmdb_client_slot *slot)
{
    free(slot->bytes);
    *slot = (struct lmdb_client_slot){0};
}

void lmdb_clients_forget(struct lmdb_store *store)
{
    for (size_t i = 0; i < LMDB_CLIENT_SLOTS; i++) {
        drop_slot(&store->callers[i]);
        drop_slot(&store->owners[i]);
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

/* --- one look-up in a snapshot */

/* The tree of a lifetime class, as this snapshot has it. */
static enum assay_status tree_of(struct lmdb_store *store, uint8_t lifetime_class,
                                 const struct lmdb_tree **ret, struct assay_error *reterr)
{
    struct lmdb_kept_tree *kept = &store->finds.trees[lifetime_class];
    *ret = &kept->tree;
    if (kept->snapshot == store->finds.snapshot) {
        return ASSAY_OK;
    }
    struct assay_slice record;
    char name[LMDB_TREE_NAME_SIZE];
    enum assay_status status = lmdb_get(store->reader, store->dbis.header,
                                        lmdb_tree_name(lifetime_class, name), &record, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_tree_parse(&store->pages, record, &kept->tree, reterr);
    } else if (status == ASSAY_ERR_ABSENT) {
        kept->tree = (struct lmdb_tree){.root = LMDB_NO_PAGE};
        status = ASSAY_OK;
    }
    kept->snapshot = status == ASSAY_OK ? store->finds.snapshot : 0;
    return status;
}

static void open_address(struct lmdb_store *store, struct assay_lookup *lookup)
{
    lookup->address_opened =
        assay_address_open(&store->reader_ring.ring, &lookup->address, &lookup->token_id);
}

/* What was looked ahead for `lookup`; NULL: nothing. */
static const struct lmdb_ahead *ahead_of(const struct lmdb_finds *finds,
                                         const struct assay_lookup *lookup)
{
    for (size_t i = 0; i < finds->ahead_count; i++) {
        if (finds->ahead[i].of == lookup) {
            return &finds->ahead[i];
        }
    }
    return NULL;
}

static enum assay_status get_token(struct lmdb_store *store, const struct assay_lookup *lookup,
                                   struct assay_slice *ret, struct assay_error *reterr)
{
    const struct lmdb_ahead *ahead = ahead_of(&store->finds, lookup);
    const struct lmdb_tree *tree;
    if (ahead != NULL) {
        return lmdb_tree_get_ahead(ahead, ret, reterr);
    }
    enum assay_status status = tree_of(store, lookup->token_id.lifetime_class, &tree, reterr);
    return status == ASSAY_OK ? lmdb_tree_get(tree, lookup->token_id.seq, ret, reterr) : status;
}

/* A refresh token lives while its grant calls it the current one. So the record of one that was
 * rotated, should an older page show it as it was before, revives nothing: the two are on different
 * pages, and do not agree. */
static enum assay_status check_grant(struct lmdb_store *store,
                                     const struct assay_header_record *header,
                                     const struct assay_token_record *token,
                                     struct assay_error *reterr)
{
    struct assay_slice bytes;
    struct lmdb_tree grants;
    struct assay_grant_record grant;
    if (token->kind != ASSAY_TOKEN_REFRESH || token->rotation.rotated_at_s != 0 ||
        token->expires_at_s <= header->horizon_s) {
        return ASSAY_OK;
    }
    enum assay_status status =
        lmdb_get(store->reader, store->dbis.header, ASSAY_SLICE("grant"), &bytes, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_tree_parse(&store->pages, bytes, &grants, reterr);
    }
    if (status == ASSAY_OK) {
        status = lmdb_tree_get(&grants, token->grant, &bytes, reterr);
    }
    if (status == ASSAY_OK) {
        status = assay_grant_record_parse(token->grant, bytes, &grant, reterr);
    }
    if (status == ASSAY_ERR_ABSENT ||
        (status == ASSAY_OK && !assay_token_id_equal(grant.current, token->id))) {
        return assay_fail(ASSAY_ERR_CORRUPT, "a refresh token and its grant do not agree", reterr);
    }
    return status;
}

static enum assay_status find_token(struct lmdb_store *store,
                                    const struct assay_header_record *header,
                                    struct assay_lookup *lookup, struct assay_token_record *token,
                                    struct assay_error *reterr)
{
    struct assay_slice bytes;
    if (!lookup->address_opened) {
        open_address(store, lookup);
    }
    if (!lookup->address_opened) {
        return ASSAY_OK;
    }
    enum assay_status status = get_token(store, lookup, &bytes, reterr);
    if (status == ASSAY_OK) {
        status = assay_token_record_parse(lookup->token_id, bytes, token, reterr);
    }
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT ? ASSAY_OK : status;
    }
    lookup->token = token;
    status = lmdb_find_cutoff(store, store->reader, header, lookup->token, &lookup->cut,
                              &lookup->cutoff, reterr);
    if (status == ASSAY_OK) {
        status = check_grant(store, header, token, reterr);
    }
    return status == ASSAY_OK ? find_client(store, store->owners, token->client_id,
                                            header->clients_seq, &lookup->client, reterr)
                              : status;
}

static enum assay_status find_all(struct lmdb_store *store,
                                  const struct assay_header_record *header,
                                  struct assay_lookup *lookup, struct assay_token_record *token,
                                  struct assay_error *reterr)
{
    lookup->as_of = header->seq;
    lookup->log = header->log;
    lookup->horizon_s = header->horizon_s;
    enum assay_status status = find_client(store, store->callers, lookup->caller_id,
                                           header->clients_seq, &lookup->caller, reterr);
    return status == ASSAY_OK && lookup->want_token
               ? find_token(store, header, lookup, token, reterr)
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

static void refuse(struct assay_store_find *find, enum assay_status status,
                   const struct assay_error *error)
{
    forget_answer(find->lookup);
    find->status = status;
    find->error = *error;
    find->done(find);
}

/* --- lists of look-ups */

static struct assay_store_find *next_of(const struct assay_store_find *find)
{
    return find->engine;
}

static void append(struct lmdb_find_list *list, struct assay_store_find *find)
{
    find->engine = NULL;
    if (list->last == NULL) {
        list->first = find;
    } else {
        list->last->engine = find;
    }
    list->last = find;
}

/* Takes `find` out; false when it is not there. */
static bool unlink_find(struct lmdb_find_list *list, struct assay_store_find *find)
{
    struct assay_store_find *before = NULL;
    struct assay_store_find *at = list->first;
    while (at != NULL && at != find) {
        before = at;
        at = next_of(at);
    }
    if (at == NULL) {
        return false;
    }
    if (before == NULL) {
        list->first = next_of(at);
    } else {
        before->engine = at->engine;
    }
    if (list->last == at) {
        list->last = before;
    }
    return true;
}

/* --- snapshots
 *
 * The look-ups that have come in during one turn of the loop are answered together, from one
 * snapshot that is taken after the last of them: so each has a snapshot that is younger than its
 * request, and the pages that all of them want are asked of memory at once. */

struct snapshot {
    struct assay_header_record header;
    enum assay_status status; /* ASSAY_OK: it is open */
    struct assay_error error;
    int64_t since_ms;
};

/* Good to some milliseconds, and next to nothing to read. */
static int64_t coarse_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum assay_status read_snapshot(struct lmdb_store *store,
                                       struct assay_header_record *ret_header,
                                       struct assay_error *reterr)
{
    MDB_envinfo info;
    enum assay_status status = lmdb_read_header(store, store->reader, ret_header, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_ring_refresh(store, store->reader, ret_header->keys_seq, &store->reader_ring,
                                   reterr);
    }
    int rc = status == ASSAY_OK ? mdb_env_info(store->env, &info) : 0;
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be read", reterr);
    }
    if (status == ASSAY_OK) {
        store->pages.count = info.me_last_pgno + 1;
    }
    return status;
}

static void open_snapshot(struct lmdb_store *store, struct snapshot *snapshot)
{
    /* Not while its data is not there any more: others may write to what is in its place. */
    bool readable = store->reader != NULL && !atomic_load(&store->trouble.gone);
    store->finds.ahead_count = 0;
    store->finds.snapshot++;
    snapshot->since_ms = coarse_ms();
    int rc = readable ? mdb_txn_renew(store->reader) : MDB_PANIC;
    if (rc != 0) {
        snapshot->status = lmdb_fail(rc, "the store cannot be read", &snapshot->error);
        return;
    }
    snapshot->status = read_snapshot(store, &snapshot->header, &snapshot->error);
    if (snapshot->status != ASSAY_OK) {
        mdb_txn_reset(store->reader);
    }
}

static void close_snapshot(struct lmdb_store *store, struct snapshot *snapshot)
{
    if (snapshot->status == ASSAY_OK) {
        mdb_txn_reset(store->reader);
        snapshot->status = assay_fail(ASSAY_ERR_STORE, "no snapshot is open", &snapshot->error);
    }
}

/* A snapshot holds back the pages that writers free: it is given up for a younger one when it has
 * been open for too long, whatever took the time. */
static bool is_old(const struct snapshot *snapshot)
{
    return coarse_ms() - snapshot->since_ms > ASSAY_MAX_READ_MS;
}

static void reopen_snapshot(struct lmdb_store *store, struct snapshot *snapshot)
{
    close_snapshot(store, snapshot);
    open_snapshot(store, snapshot);
}

/* An answer that took too long, or came after one that did, is looked for once more, in a younger
 * snapshot. */
static void answer(struct lmdb_store *store, struct snapshot *snapshot,
                   struct assay_store_find *find)
{
    struct assay_token_record token;
    struct assay_lookup *lookup = find->lookup;
    find->status = find_all(store, &snapshot->header, lookup, &token, &find->error);
    if (is_old(snapshot)) {
        forget_answer(lookup);
        reopen_snapshot(store, snapshot);
        if (snapshot->status != ASSAY_OK) {
            refuse(find, snapshot->status, &snapshot->error);
            return;
        }
        find->status = find_all(store, &snapshot->header, lookup, &token, &find->error);
        if (find->status == ASSAY_OK && is_old(snapshot)) {
            find->status = assay_fail(ASSAY_ERR_STORE, "a read took too long", &find->error);
        }
    }
    if (find->status == ASSAY_ERR_CORRUPT) {
        lmdb_note_corrupt(store, find->error.what);
    }
    if (find->status != ASSAY_OK) {
        forget_answer(lookup); /* half an answer is none */
    }
    find->done(find);
}

/* Fetches the tokens of the next look-ups from memory. Trouble is left for each to meet by itself.
 */
static void look_ahead(struct lmdb_store *store)
{
    struct lmdb_finds *finds = &store->finds;
    size_t seen = 0;
    finds->ahead_count = 0;
    for (struct assay_store_find *find = finds->answering.first; find != NULL && seen < LMDB_AHEAD;
         find = next_of(find), seen++) {
        struct assay_lookup *lookup = find->lookup;
        if (!lookup->want_token) {
            continue;
        }
        open_address(store, lookup);
        struct lmdb_ahead *at = &finds->ahead[finds->ahead_count];
        *at = (struct lmdb_ahead){.of = lookup, .number = lookup->token_id.seq};
        if (lookup->address_opened &&
            tree_of(store, lookup->token_id.lifetime_class, &at->tree, NULL) == ASSAY_OK) {
            finds->ahead_count++;
        }
    }
    lmdb_tree_look_ahead(finds->ahead, finds->ahead_count);
}

/* Answers what waits. Whoever is answered may ask again, and is answered from a younger snapshot.
 */
static void answer_waiting(struct lmdb_store *store)
{
    struct lmdb_finds *finds = &store->finds;
    struct snapshot snapshot = {.status = ASSAY_ERR_STORE};
    struct assay_store_find *find;
    finds->answering = finds->waiting;
    finds->waiting = (struct lmdb_find_list){0};

    open_snapshot(store, &snapshot);
    for (size_t i = 0; (find = finds->answering.first) != NULL; i++) {
        if (snapshot.status == ASSAY_OK && i % LMDB_AHEAD == 0 && next_of(find) != NULL) {
            look_ahead(store);
        }
        (void)unlink_find(&finds->answering, find);
        if (snapshot.status == ASSAY_OK) {
            answer(store, &snapshot, find);
        } else {
            refuse(find, snapshot.status, &snapshot.error);
        }
    }
    close_snapshot(store, &snapshot);
}

static void on_turn(struct assay_task *task)
{
    struct lmdb_store *store = task->context;
    store->finds.task_set = false;
    answer_waiting(store);
}

void lmdb_find_submit(struct assay_store *base, struct assay_store_find *find)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    struct lmdb_finds *finds = &store->finds;
    forget_answer(find->lookup);
    find->error = (struct assay_error){0};
    append(&finds->waiting, find);
    if (finds->task_set) {
        return;
    }
    finds->task_set = true;
    if (store->loop != NULL && store->loop->defer != NULL) {
        store->loop->defer(store->loop, &finds->task);
        return;
    }
    while (finds->waiting.first != NULL) {
        answer_waiting(store);
    }
    finds->task_set = false;
}

void lmdb_find_cancel(struct assay_store *base, struct assay_store_find *find)
{
    struct lmdb_finds *finds = &((struct lmdb_store *)base)->finds;
    if (!unlink_find(&finds->answering, find)) {
        (void)unlink_find(&finds->waiting, find);
    }
}

void lmdb_find_forget(struct lmdb_store *store)
{
    struct lmdb_finds *finds = &store->finds;
    finds->ahead_count = 0;
    memset(finds->trees, 0, sizeof(finds->trees));
}

void lmdb_find_init(struct lmdb_store *store)
{
    store->finds.task = (struct assay_task){.run = on_turn, .context = store};
}

void lmdb_find_stop(struct lmdb_store *store)
{
    struct assay_error error = {.what = "the store is closing"};
    struct assay_store_find *find;
    if (store->finds.task_set) {
        store->loop->undefer(store->loop, &store->finds.task);
    }
    while ((find = store->finds.waiting.first) != NULL) {
        (void)unlink_find(&store->finds.waiting, find);
        refuse(find, ASSAY_ERR_STORE, &error);
    }
    lmdb_clients_forget(store);
}
