#include "store/lmdb/lmdb_priv.h"

#include "base/secret.h"
#include "crypto/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const db_names[LMDB_DBS] = {
    "cutoff", "client", "key", "grant", "grant_subject", "event", "once", "ends", "audience"};
static const bool db_by_number[LMDB_DBS] = {[LMDB_DB_GRANT] = true, [LMDB_DB_EVENT] = true};

enum assay_status lmdb_fail(int rc, const char *what, struct assay_error *reterr)
{
    switch (rc) {
    case MDB_MAP_FULL:
        return assay_fail(ASSAY_ERR_FULL, "the store is full", reterr);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return assay_fail(ASSAY_ERR_CORRUPT,
                          "the store is damaged; put a backup in place with: assay store restore",
                          reterr);
    case MDB_READERS_FULL:
        return assay_fail(ASSAY_ERR_STORE, "the store has no reader slot left", reterr);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return assay_fail(ASSAY_ERR_FULL, "the disk is full", reterr);
    default:
        return assay_fail(ASSAY_ERR_STORE, what, reterr);
    }
}

struct assay_slice lmdb_tree_name(unsigned lifetime_class, char room[LMDB_TREE_NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    room[0] = 't';
    room[1] = digits[lifetime_class >> 4 & 15];
    room[2] = digits[lifetime_class & 15];
    room[3] = 0;
    return assay_slice_of(room, 3);
}

bool lmdb_db_named(struct assay_slice name, size_t *ret_db, bool *ret_by_number)
{
    char tree[LMDB_TREE_NAME_SIZE];
    for (size_t i = 0; i < LMDB_DBS; i++) {
        if (assay_slice_equal(name, assay_slice_of_text(db_names[i]))) {
            *ret_db = i;
            *ret_by_number = db_by_number[i];
            return true;
        }
    }
    for (unsigned i = 0; i < ASSAY_LIFETIME_CLASSES; i++) {
        if (assay_slice_equal(name, lmdb_tree_name(i, tree))) {
            *ret_db = LMDB_DBS + i;
            *ret_by_number = true;
            return true;
        }
    }
    return false;
}

static int open_named(MDB_txn *txn, unsigned create, struct lmdb_dbis *ret)
{
    int rc = 0;
    for (size_t i = 0; i < LMDB_DBS && rc == 0; i++) {
        unsigned flags = create | (db_by_number[i] ? MDB_INTEGERKEY : 0u);
        rc = mdb_dbi_open(txn, db_names[i], flags, &ret->db[i]);
    }
    for (unsigned i = 0; i < ASSAY_LIFETIME_CLASSES && rc == 0; i++) {
        char name[LMDB_TREE_NAME_SIZE];
        (void)lmdb_tree_name(i, name);
        rc = mdb_dbi_open(txn, name, create | MDB_INTEGERKEY, &ret->tokens[i]);
    }
    return rc;
}

/* The environment itself, by LMDB's names inside the directory. */
static int open_env(const char *path, uint64_t map_size, unsigned flags, MDB_env **ret)
{
    char data[4096];
    MDB_env *env;
    if (snprintf(data, sizeof(data), "%s/data", path) >= (int)sizeof(data)) {
        return ENAMETOOLONG;
    }
    int rc = mdb_env_create(&env);
    if (rc != 0) {
        return rc;
    }
    rc = mdb_env_set_mapsize(env, map_size);
    if (rc == 0) {
        rc = mdb_env_set_maxdbs(env, LMDB_DBS + ASSAY_LIFETIME_CLASSES);
    }
    if (rc == 0) {
        rc = mdb_env_set_maxreaders(env, 1024);
    }
    if (rc == 0) {
        rc = mdb_env_open(env, data, flags | MDB_NOSUBDIR | MDB_NOTLS, 0600);
    }
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }
    *ret = env;
    return 0;
}

/* Where the map is, by a value that every store has. */
static enum assay_status find_pages(struct lmdb_store *store, struct assay_error *reterr)
{
    MDB_envinfo info;
    MDB_stat stat;
    struct assay_slice header;
    int rc = mdb_env_info(store->env, &info);
    if (rc == 0) {
        rc = mdb_env_stat(store->env, &stat);
    }
    if (rc != 0) {
        return lmdb_fail(rc, "the store cannot be opened", reterr);
    }
    enum assay_status status =
        lmdb_get(store->reader, store->dbis.header, ASSAY_SLICE("header"), &header, reterr);
    if (status == ASSAY_ERR_ABSENT) {
        return assay_fail(ASSAY_ERR_CORRUPT, "the store has no header", reterr);
    }
    return status == ASSAY_OK ? lmdb_pages_find(header, stat.ms_psize, info.me_last_pgno + 1,
                                                &store->pages, reterr)
                              : status;
}

/* The header before all else: a store of another version may have other databases. */
static enum assay_status open_dbis(struct lmdb_store *store, struct assay_error *reterr)
{
    struct assay_header_record header = {0};
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0) {
        rc = mdb_dbi_open(txn, NULL, 0, &store->dbis.header);
    }
    enum assay_status status = rc == 0 ? lmdb_read_header(store, txn, &header, reterr)
                                       : lmdb_fail(rc, "the store cannot be opened", reterr);
    if (status == ASSAY_OK) {
        rc = open_named(txn, 0, &store->dbis);
        status = rc == MDB_NOTFOUND
                     ? assay_fail(ASSAY_ERR_CORRUPT, "the store lacks a database", reterr)
                 : rc != 0 ? lmdb_fail(rc, "the store cannot be opened", reterr)
                           : ASSAY_OK;
    }
    if (status != ASSAY_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    rc = mdb_txn_commit(txn); /* keeps the handles, as an abort would not */
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be opened", reterr);
}

/* The two snapshots of the loop's thread, both open. */
static enum assay_status open_readers(struct lmdb_store *store, struct assay_error *reterr)
{
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->lister);
    if (rc == 0) {
        rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->reader);
    }
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be opened", reterr);
}

enum assay_status lmdb_env_open(struct lmdb_store *store, unsigned flags,
                                struct assay_error *reterr)
{
    int dead = 0;
    int rc = open_env(store->path, store->map_size, flags, &store->env);
    if (rc != 0) {
        store->env = NULL;
        return lmdb_fail(rc,
                         rc == EACCES ? "the store's files belong to another user"
                                      : "the store cannot be opened",
                         reterr);
    }
    lmdb_own_file(store->dir_fd, "data-lock");
    rc = mdb_reader_check(store->env, &dead); /* slots that killed processes left behind */
    enum assay_status status =
        rc == 0 ? lmdb_verify(store, reterr) : lmdb_fail(rc, "the store cannot be opened", reterr);
    if (status == ASSAY_OK) {
        status = open_dbis(store, reterr);
    }
    if (status == ASSAY_OK) {
        status = open_readers(store, reterr);
    }
    if (status == ASSAY_OK) {
        status = find_pages(store, reterr);
    }
    if (status != ASSAY_OK) {
        lmdb_env_close(store);
        return status;
    }
    store->warmed_pages = 0;
    mdb_txn_reset(store->lister);
    mdb_txn_reset(store->reader);
    return ASSAY_OK;
}

void lmdb_env_close(struct lmdb_store *store)
{
    lmdb_find_forget(store);
    mdb_txn_abort(store->reader); /* takes NULL */
    store->reader = NULL;
    mdb_txn_abort(store->lister);
    store->lister = NULL;
    if (store->env != NULL) {
        mdb_env_close(store->env);
        store->env = NULL;
    }
}

/* Most snapshots have the header of the one before: its bytes are compared before they are read. */
static bool same_header(const struct lmdb_header_cache *cache, struct assay_slice bytes)
{
    return bytes.len == ASSAY_HEADER_LEN && cache->known &&
           memcmp(cache->bytes, bytes.data, ASSAY_HEADER_LEN) == 0;
}

/* The header that the commit `snapshot` wrote. */
static enum assay_status read_header(struct lmdb_store *store, MDB_txn *txn, uint64_t snapshot,
                                     struct assay_header_record *ret, struct assay_error *reterr)
{
    struct lmdb_header_cache *cache = txn == store->reader ? &store->header_cache : NULL;
    struct assay_slice bytes;
    enum assay_status status =
        lmdb_get(txn, store->dbis.header, ASSAY_SLICE("header"), &bytes, reterr);
    if (status != ASSAY_OK) {
        return status == ASSAY_ERR_ABSENT
                   ? assay_fail(ASSAY_ERR_CORRUPT, "the store has no header", reterr)
                   : status;
    }
    if (cache != NULL && same_header(cache, bytes) && lmdb_is_snapshot(&cache->header, snapshot)) {
        *ret = cache->header;
        return ASSAY_OK;
    }
    status = assay_header_parse(bytes, ret, reterr);
    if (status == ASSAY_OK && !lmdb_is_snapshot(ret, snapshot)) {
        return assay_fail(ASSAY_ERR_CORRUPT,
                          "the store shows an older state as its newest; put a backup in place "
                          "with: assay store restore",
                          reterr);
    }
    if (status == ASSAY_OK && store->log_known &&
        memcmp(ret->log, store->log_id, ASSAY_LOG_ID_LEN) != 0) {
        return assay_fail(ASSAY_ERR_STORE, "another store was written over this one", reterr);
    }
    if (status == ASSAY_OK && cache != NULL) {
        memcpy(cache->bytes, bytes.data, ASSAY_HEADER_LEN);
        cache->header = *ret;
        cache->known = true;
    }
    return status;
}

enum assay_status lmdb_read_header(struct lmdb_store *store, MDB_txn *txn,
                                   struct assay_header_record *ret, struct assay_error *reterr)
{
    return read_header(store, txn, mdb_txn_id(txn), ret, reterr);
}

enum assay_status lmdb_read_header_to_write(struct lmdb_store *store, MDB_txn *txn,
                                            struct assay_header_record *ret,
                                            struct assay_error *reterr)
{
    return read_header(store, txn, mdb_txn_id(txn) - 1, ret, reterr);
}

void lmdb_ring_clear(struct lmdb_ring *ring)
{
    for (size_t i = 0; i < ring->ring.count; i++) {
        assay_seal_close(ring->ring.seals[i]);
    }
    *ring = (struct lmdb_ring){0};
}

/* The keys of the store, newest first. Generations count up, so the last ones are the newest. */
static enum assay_status read_ring(struct lmdb_store *store, MDB_txn *txn, struct lmdb_ring *ring,
                                   struct assay_error *reterr)
{
    MDB_cursor *cursor;
    MDB_val key;
    MDB_val value;
    int rc = mdb_cursor_open(txn, store->dbis.db[LMDB_DB_KEY], &cursor);
    if (rc != 0) {
        return lmdb_fail(rc, "the sealing keys cannot be read", reterr);
    }
    enum assay_status status = ASSAY_OK;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    while (rc == 0 && status == ASSAY_OK && ring->ring.count < ASSAY_MAX_SEAL_KEYS) {
        struct assay_key_record record;
        size_t at = ring->ring.count;
        uint8_t generation = key.mv_size == 1 ? *(const uint8_t *)key.mv_data : 0;
        status = assay_key_record_parse(generation, assay_slice_of(value.mv_data, value.mv_size),
                                        &record, reterr);
        if (status == ASSAY_OK) {
            status = assay_seal_open(record.key, &ring->ring.seals[at], reterr);
            assay_secret_wipe(&record, sizeof(record));
        }
        if (status == ASSAY_OK) {
            ring->ring.generations[at] = generation;
            ring->ring.count++;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
    }
    mdb_cursor_close(cursor);
    if (status == ASSAY_OK && rc != 0 && rc != MDB_NOTFOUND) {
        status = lmdb_fail(rc, "the sealing keys cannot be read", reterr);
    }
    return status;
}

enum assay_status lmdb_ring_refresh(struct lmdb_store *store, MDB_txn *txn, uint64_t keys_seq,
                                    struct lmdb_ring *ring, struct assay_error *reterr)
{
    if (ring->keys_seq == keys_seq && ring->ring.count != 0) {
        return ASSAY_OK;
    }
    lmdb_ring_clear(ring);
    enum assay_status status = read_ring(store, txn, ring, reterr);
    if (status == ASSAY_OK && ring->ring.count == 0) {
        status = assay_fail(ASSAY_ERR_CORRUPT, "the store has no sealing key", reterr);
    }
    if (status != ASSAY_OK) {
        lmdb_ring_clear(ring);
        return status;
    }
    ring->keys_seq = keys_seq;
    return ASSAY_OK;
}

/* The first content of a store: databases, a sealing key, the header. */
static enum assay_status fill_new(MDB_txn *txn, struct assay_error *reterr)
{
    struct lmdb_dbis dbis;
    /* No store that was here before can have given a number as high (DESIGN section 4). */
    uint64_t seq = lmdb_seq_floor((int64_t)time(NULL)) + 1;
    struct assay_header_record header = {
        .seq = seq, .keys_seq = seq, .newest_generation = 1, .events_from = seq};
    struct assay_key_record key = {.generation = 1};
    uint8_t key_bytes[ASSAY_KEY_RECORD_LEN];
    uint8_t header_bytes[ASSAY_HEADER_LEN];

    enum assay_status status = assay_random(header.log, sizeof(header.log), reterr);
    if (status == ASSAY_OK) {
        status = assay_random(key.key, sizeof(key.key), reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    assay_key_record_write(&key, key_bytes);
    header.snapshot = mdb_txn_id(txn);
    header.vital_count = 1;
    header.vital_digest = lmdb_vital_part(LMDB_DB_KEY, assay_slice_of(&key.generation, 1),
                                          assay_slice_of(key_bytes, sizeof(key_bytes)));
    assay_header_write(&header, header_bytes);
    MDB_val names[] = {lmdb_val(assay_slice_of(&key.generation, 1)),
                       lmdb_val(ASSAY_SLICE("header"))};
    MDB_val values[] = {lmdb_val(assay_slice_of(key_bytes, sizeof(key_bytes))),
                        lmdb_val(assay_slice_of(header_bytes, sizeof(header_bytes)))};
    int rc = mdb_dbi_open(txn, NULL, 0, &dbis.header);
    if (rc == 0) {
        rc = open_named(txn, MDB_CREATE, &dbis);
    }
    if (rc == 0) {
        rc = mdb_put(txn, dbis.db[LMDB_DB_KEY], &names[0], &values[0], MDB_NOOVERWRITE);
    }
    if (rc == 0) {
        rc = mdb_put(txn, dbis.header, &names[1], &values[1], MDB_NOOVERWRITE);
    }
    assay_secret_wipe(&key, sizeof(key));
    assay_secret_wipe(key_bytes, sizeof(key_bytes));
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be written", reterr);
}

/* Under a name of its own, and renamed when it is whole: a crash leaves no store or a complete one.
 */
static enum assay_status create_data(const char *path, int dir_fd, struct assay_error *reterr)
{
    char name[4096];
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    if (snprintf(name, sizeof(name), "%s/data.new", path) >= (int)sizeof(name)) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's path is too long", reterr);
    }
    (void)unlinkat(dir_fd, "data.new", 0);
    (void)unlinkat(dir_fd, "data.new-lock", 0);
    int rc = mdb_env_create(&env);
    if (rc == 0) {
        rc = mdb_env_set_maxdbs(env, LMDB_DBS + ASSAY_LIFETIME_CLASSES);
    }
    if (rc == 0) {
        rc = mdb_env_open(env, name, MDB_NOSUBDIR, 0600);
    }
    if (rc == 0) {
        rc = mdb_txn_begin(env, NULL, 0, &txn);
    }
    enum assay_status status =
        rc == 0 ? fill_new(txn, reterr) : lmdb_fail(rc, "the store cannot be created", reterr);
    if (status == ASSAY_OK) {
        rc = mdb_txn_commit(txn);
        status = rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be created", reterr);
    } else if (txn != NULL) {
        mdb_txn_abort(txn);
    }
    if (env != NULL) {
        mdb_env_close(env);
    }
    (void)unlinkat(dir_fd, "data.new-lock", 0);
    if (status == ASSAY_OK &&
        (renameat(dir_fd, "data.new", dir_fd, "data") != 0 || fsync(dir_fd) != 0)) {
        status = assay_fail(ASSAY_ERR_SYSTEM, "the store cannot be put in place", reterr);
    }
    if (status != ASSAY_OK) {
        (void)unlinkat(dir_fd, "data.new", 0);
        return status;
    }
    lmdb_own_file(dir_fd, "data");
    return ASSAY_OK;
}

/* Whose directory is it? One with a store in it, or with files of somebody else, is left as it is:
 * a mistyped path must not shut a home directory. */
static enum assay_status take_dir(int dir_fd, struct assay_error *reterr)
{
    struct stat st;
    if (fstatat(dir_fd, "data", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size != 0) {
        return assay_fail(ASSAY_ERR_EXISTS, "there is a store here already", reterr);
    }
    if (!lmdb_dir_is_ours(dir_fd)) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the directory is not empty", reterr);
    }
    if (fchmod(dir_fd, 0700) != 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's directory cannot be made private", reterr);
    }
    return ASSAY_OK;
}

enum assay_status assay_lmdb_create(const char *path, struct assay_error *reterr)
{
    int dir_fd;
    enum assay_status status = lmdb_dir_make(path, &dir_fd, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    status =
        flock(dir_fd, LOCK_EX | LOCK_NB) == 0
            ? take_dir(dir_fd, reterr)
            : assay_fail(ASSAY_ERR_CONFLICT, "another command is at work on the store", reterr);
    if (status == ASSAY_OK) {
        status = create_data(path, dir_fd, reterr);
    }
    close(dir_fd);
    return status;
}

enum assay_status assay_lmdb_check(const char *path, struct assay_error *reterr)
{
    int dir_fd;
    enum assay_status status = lmdb_dir_open(path, &dir_fd, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    status = lmdb_data_check(dir_fd, "data", reterr);
    close(dir_fd);
    return status;
}
