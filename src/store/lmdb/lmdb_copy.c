#include "store/lmdb/lmdb_priv.h"

#include "crypto/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- backup and compact --- */

static enum assay_status copy_to(struct lmdb_store *store, const char *to, bool compact,
                                 struct assay_error *reterr)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST
                   ? assay_fail(ASSAY_ERR_EXISTS, "the copy's file exists already", reterr)
                   : assay_fail(ASSAY_ERR_SYSTEM, "the copy's file cannot be made", reterr);
    }
    int rc = mdb_env_copyfd2(store->env, fd, compact ? MDB_CP_COMPACT : 0);
    bool flushed = rc == 0 && fsync(fd) == 0;
    bool closed = close(fd) == 0;
    if (rc == 0 && flushed && closed && lmdb_sync_parent(to)) {
        return ASSAY_OK;
    }
    (void)unlink(to);
    return assay_fail(ASSAY_ERR_SYSTEM, "the copy could not be written whole (is the disk full?)",
                      reterr);
}

enum assay_status assay_lmdb_copy(const char *path, const char *to, bool compact,
                                  struct assay_error *reterr)
{
    struct assay_store *base = NULL;
    struct assay_lmdb_options options = {.path = path, .read_only = true};
    enum assay_status status = assay_lmdb_open(&options, &base, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    status = copy_to((struct lmdb_store *)base, to, compact, reterr);
    base->ops->close(base);
    return status;
}

/* --- restore --- */

static enum assay_status check_row(struct lmdb_store *store, size_t db, const MDB_val *key,
                                   const MDB_val *value, struct assay_error *reterr)
{
    struct assay_slice name = assay_slice_of(key->mv_data, key->mv_size);
    struct assay_slice bytes = assay_slice_of(value->mv_data, value->mv_size);
    uint64_t number = 0;
    union {
        struct assay_token_record token;
        struct assay_client_record client;
        struct assay_cutoff cutoff;
        struct assay_grant_record grant;
        struct assay_event event;
        struct assay_end_record end;
        struct assay_once_record once;
    } parsed;
    (void)store;
    if (name.len == sizeof(number)) {
        memcpy(&number, name.data, sizeof(number));
    }
    if (db >= LMDB_DBS) {
        struct assay_token_id id = {.lifetime_class = (uint8_t)(db - LMDB_DBS), .seq = number};
        return assay_token_record_parse(id, bytes, &parsed.token, reterr);
    }
    switch ((enum lmdb_db)db) {
    case LMDB_DB_CUTOFF:
        return assay_cutoff_parse(name, bytes, &parsed.cutoff, reterr);
    case LMDB_DB_CLIENT:
        return assay_client_record_parse(name, bytes, &parsed.client, reterr);
    case LMDB_DB_GRANT:
        return assay_grant_record_parse(number, bytes, &parsed.grant, reterr);
    case LMDB_DB_EVENT:
        return assay_event_parse(number, bytes, &parsed.event, reterr);
    case LMDB_DB_ONCE:
        return assay_once_record_parse(name, bytes, &parsed.once, reterr);
    case LMDB_DB_ENDS:
        return assay_end_record_parse(name, bytes, &parsed.end, reterr);
    case LMDB_DB_KEY:      /* read by the ring */
    case LMDB_DB_AUDIENCE: /* indexes without a value */
    case LMDB_DB_GRANT_SUBJECT:
        return ASSAY_OK;
    }
    return ASSAY_OK;
}

static enum assay_status check_db(struct lmdb_store *store, MDB_txn *txn, size_t db,
                                  struct assay_error *reterr)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    MDB_dbi dbi = db < LMDB_DBS ? store->dbis.db[db] : store->dbis.tokens[db - LMDB_DBS];
    int rc = mdb_cursor_open(txn, dbi, &cursor);
    if (rc != 0) {
        return lmdb_fail(rc, "the copy cannot be read", reterr);
    }
    enum assay_status status = ASSAY_OK;
    while (status == ASSAY_OK && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        status = check_row(store, db, &key, &value, reterr);
    }
    mdb_cursor_close(cursor);
    if (status == ASSAY_OK && rc != MDB_NOTFOUND) {
        status = lmdb_fail(rc, "the copy cannot be read", reterr);
    }
    return status;
}

/* Every record passes its check, and there is a sealing key. */
static enum assay_status check_all(struct lmdb_store *store, MDB_txn *txn,
                                   struct assay_header_record *ret, struct assay_error *reterr)
{
    struct lmdb_ring ring = {0};
    enum assay_status status = lmdb_read_header_to_write(store, txn, ret, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_ring_refresh(store, txn, ret->keys_seq, &ring, reterr);
    }
    for (size_t db = 0; db < LMDB_DBS + ASSAY_LIFETIME_CLASSES && status == ASSAY_OK; db++) {
        status = check_db(store, txn, db, reterr);
    }
    lmdb_ring_clear(&ring);
    return status;
}

/* A restore under way. */
struct restore {
    const char *path; /* of the store's directory */
    int dir_fd;
    bool keep_tokens;
    int64_t now_s;
    uint64_t seen_seq; /* last number of the store that goes, as far as its witness knows */
    struct assay_header_record header; /* of the store that comes */
};

/* No number may be lower than one that was given before, by the backup's store, by the one that
 * goes, or by any other within the same second. */
static uint64_t first_number(const struct restore *r, uint64_t seq)
{
    uint64_t floor = lmdb_seq_floor(r->now_s);
    uint64_t highest = seq > floor ? seq : floor;
    return (highest > r->seen_seq ? highest : r->seen_seq) + 1;
}

/* The new life of a restored store: another identity, numbers ahead of any that the old one can
 * have given, and, unless tokens are to be kept, an end to everything before. */
static enum assay_status start_anew(struct lmdb_store *store, struct restore *r,
                                    struct assay_error *reterr)
{
    int64_t now_s = r->now_s;
    bool keep_tokens = r->keep_tokens;
    struct lmdb_write w = {.store = store};
    uint8_t bytes[ASSAY_HEADER_LEN];
    uint64_t seq;
    int rc = mdb_txn_begin(store->env, NULL, 0, &w.txn);
    if (rc != 0) {
        return lmdb_fail(rc, "the copy cannot be written", reterr);
    }
    enum assay_status status = check_all(store, w.txn, &w.header, reterr);
    if (status == ASSAY_OK) {
        status = assay_random(w.header.log, sizeof(w.header.log), reterr);
    }
    w.header.seq = first_number(r, w.header.seq);
    w.header.events_from = w.header.seq; /* the log of the new identity starts here */
    w.header.kept_until_s = keep_tokens ? lmdb_keep_until(&w, now_s) : 0;
    if (status == ASSAY_OK && !keep_tokens) {
        struct assay_change change = {.now_s = now_s, .origin = ASSAY_BY_RESTORE};
        status = lmdb_put_cutoff(&w, &change, ASSAY_CUTOFF_EVERYTHING, (struct assay_slice){0},
                                 lmdb_keep_until(&w, now_s), &seq, reterr);
    }
    if (status == ASSAY_OK) {
        w.header.snapshot = mdb_txn_id(w.txn);
        assay_header_write(&w.header, bytes);
        MDB_val key = lmdb_val(ASSAY_SLICE("header"));
        MDB_val value = lmdb_val(assay_slice_of(bytes, sizeof(bytes)));
        rc = mdb_put(w.txn, store->dbis.header, &key, &value, 0);
        status = rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the copy cannot be written", reterr);
    }
    if (status != ASSAY_OK) {
        mdb_txn_abort(w.txn);
        return status;
    }
    r->header = w.header;
    rc = mdb_txn_commit(w.txn);
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the copy cannot be written", reterr);
}

static enum assay_status copy_bytes(int from, int to, struct assay_error *reterr)
{
    uint8_t bytes[65536];
    ssize_t got;
    while ((got = read(from, bytes, sizeof(bytes))) > 0) {
        if (write(to, bytes, (size_t)got) != got) {
            return assay_fail(ASSAY_ERR_SYSTEM,
                              "the copy cannot be put in place (is the disk full?)", reterr);
        }
    }
    return got == 0 ? ASSAY_OK : assay_fail(ASSAY_ERR_SYSTEM, "the copy cannot be read", reterr);
}

/* Brings `from` into the directory under a name of its own. */
static enum assay_status bring_in(int dir_fd, const char *from, struct assay_error *reterr)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (in < 0 || fstat(in, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (in >= 0) {
            close(in);
        }
        return assay_fail(ASSAY_ERR_ABSENT, "the backup is not a file that can be read", reterr);
    }
    int out = lmdb_file_open(dir_fd, "restore/data", O_WRONLY | O_CREAT | O_TRUNC);
    enum assay_status status =
        out < 0 ? assay_fail(ASSAY_ERR_SYSTEM, "the store's directory cannot be written", reterr)
                : copy_bytes(in, out, reterr);
    if (out >= 0 && close(out) != 0 && status == ASSAY_OK) {
        status = assay_fail(ASSAY_ERR_SYSTEM, "the copy cannot be put in place", reterr);
    }
    close(in);
    return status;
}

static void clean_up(int dir_fd)
{
    (void)unlinkat(dir_fd, "restore/data", 0);
    (void)unlinkat(dir_fd, "restore/data-lock", 0);
    (void)unlinkat(dir_fd, "restore", AT_REMOVEDIR);
}

/* Checks the copy whole and gives it its new life, still beside the old store. */
static enum assay_status prepare(struct restore *r, struct assay_error *reterr)
{
    char inner[4096];
    struct lmdb_store store = {.dir_fd = r->dir_fd, .map_size = ASSAY_STORE_MAP_SIZE};
    enum assay_status status = lmdb_data_check(r->dir_fd, "restore/data", reterr);
    if (status != ASSAY_OK) {
        return assay_fail(ASSAY_ERR_CORRUPT, "the backup is damaged or is no store", reterr);
    }
    if (snprintf(inner, sizeof(inner), "%s/restore", r->path) >= (int)sizeof(inner)) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's path is too long", reterr);
    }
    store.path = inner;
    status = lmdb_env_open(&store, 0, reterr);
    if (status == ASSAY_OK) {
        status = start_anew(&store, r, reterr);
        lmdb_env_close(&store);
    }
    if (status == ASSAY_ERR_CORRUPT) {
        return assay_fail(ASSAY_ERR_CORRUPT, "the backup is damaged or of another version", reterr);
    }
    return status;
}

/* The witness speaks of the store that goes: it is off the disk before the other one comes, which
 * must not be taken for a stranger. The new one is for the case that somebody copies a file over
 * the restored one before anything is written; without it nothing is lost but that. */
static enum assay_status put_in_place(const struct restore *r, struct assay_error *reterr)
{
    int dir_fd = r->dir_fd;
    (void)unlinkat(dir_fd, "witness", 0);
    if (fsync(dir_fd) != 0 || renameat(dir_fd, "restore/data", dir_fd, "data") != 0 ||
        fsync(dir_fd) != 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the copy cannot be put in place", reterr);
    }
    lmdb_own_file(dir_fd, "data");
    enum assay_status witnessed = lmdb_witness_write(dir_fd, &r->header, reterr);
    (void)witnessed; /* it is restored all the same */
    return ASSAY_OK;
}

/* With the directory locked and nobody in the store. */
static enum assay_status restore_alone(struct restore *r, const char *from,
                                       struct assay_error *reterr)
{
    struct assay_header_record witness;
    r->seen_seq = lmdb_witness_read(r->dir_fd, &witness) ? witness.seq : 0;
    clean_up(r->dir_fd);
    if (mkdirat(r->dir_fd, "restore", 0700) != 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's directory cannot be written", reterr);
    }
    enum assay_status status = bring_in(r->dir_fd, from, reterr);
    if (status == ASSAY_OK) {
        status = prepare(r, reterr);
    }
    if (status == ASSAY_OK) {
        status = put_in_place(r, reterr);
    }
    clean_up(r->dir_fd);
    return status;
}

enum assay_status assay_lmdb_restore(const char *path, const char *from, bool keep_tokens,
                                     int64_t now_s, struct assay_error *reterr)
{
    struct restore r = {.path = path, .keep_tokens = keep_tokens, .now_s = now_s};
    int claim_fd;
    enum assay_status status = lmdb_dir_make(path, &r.dir_fd, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (flock(r.dir_fd, LOCK_EX | LOCK_NB) != 0) {
        status = assay_fail(ASSAY_ERR_CONFLICT, "another command is at work on the store", reterr);
    } else if (!lmdb_presence_claim(r.dir_fd, &claim_fd)) {
        status =
            assay_fail(ASSAY_ERR_CONFLICT, "the store is in use: stop the server first", reterr);
    } else {
        status = restore_alone(&r, from, reterr);
        if (claim_fd >= 0) {
            close(claim_fd);
        }
    }
    close(r.dir_fd);
    return status;
}
