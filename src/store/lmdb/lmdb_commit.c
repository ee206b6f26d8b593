/* One write transaction, from the lock to the disk, and what a failed one leaves to do. */
#include "store/lmdb/lmdb_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int lmdb_write_begin(struct lmdb_store *store, struct lmdb_write *w, struct assay_error *error)
{
    *w = (struct lmdb_write){.store = store};
    if (store->env == NULL || atomic_load(&store->trouble.replaced)) {
        return MDB_PANIC;
    }
    int rc = mdb_txn_begin(store->env, NULL, 0, &w->txn);
    if (rc != 0) {
        w->txn = NULL;
        return rc;
    }
    atomic_store(&store->trouble.write_blocked, false);
    enum assay_status status = lmdb_read_header_to_write(store, w->txn, &w->header, error);
    if (status == ASSAY_OK) {
        status = lmdb_ring_refresh(store, w->txn, w->header.keys_seq, &store->writer_ring, error);
    }
    if (status != ASSAY_OK) {
        mdb_txn_abort(w->txn);
        w->txn = NULL;
        return MDB_CORRUPTED;
    }
    return 0;
}

static enum assay_status put_header(struct lmdb_write *w, struct assay_error *reterr)
{
    uint8_t bytes[ASSAY_HEADER_LEN];
    w->header.snapshot = mdb_txn_id(w->txn);
    assay_header_write(&w->header, bytes);
    MDB_val key = lmdb_val(ASSAY_SLICE("header"));
    MDB_val value = lmdb_val(assay_slice_of(bytes, sizeof(bytes)));
    int rc = mdb_put(w->txn, w->store->dbis.header, &key, &value, 0);
    return rc == 0 ? ASSAY_OK : lmdb_fail(rc, "the store cannot be written", reterr);
}

static void wake_others(struct lmdb_store *store)
{
    static const uint8_t mark = 1;
    if (store->wake_fd < 0) {
        store->wake_fd = lmdb_file_open(store->dir_fd, "wake", O_WRONLY | O_CREAT);
    }
    if (store->wake_fd >= 0) {
        (void)!pwrite(store->wake_fd, &mark, 1, 0); /* news is a hint; who misses it asks anyway */
    }
}

void lmdb_see_to_environment(struct lmdb_store *store)
{
    lmdb_presence_look(store);
    if ((store->env == NULL || store->poisoned) && !atomic_load(&store->trouble.replaced)) {
        lmdb_ask_to_reopen(store);
    }
}

static void note_io(struct lmdb_store *store, bool trouble)
{
    if (atomic_exchange(&store->trouble.io, trouble) != trouble) {
        lmdb_log(store, trouble ? ASSAY_LOG_ERROR : ASSAY_LOG_NOTICE, "store_io",
                 trouble ? "a commit failed" : "commits reach the disk again");
    }
}

/* Nothing of a failed commit is tried again: what the system was told to flush and could not, it
 * may have forgotten since. The change is refused, and the environment opened anew before the next.
 */
static enum assay_status commit_failed(struct lmdb_store *store, int rc, struct assay_error *error)
{
    note_io(store, true);
    /* LMDB reports a short write as EIO: whether the disk was full shows in what is left of it. */
    bool full = rc == ENOSPC || lmdb_disk_is_full(store);
    if (full) {
        lmdb_ballast_release(store->dir_fd);
    }
    lmdb_ask_to_reopen(store);
    return full ? assay_fail(ASSAY_ERR_FULL, "the disk is full", error)
                : assay_fail(ASSAY_ERR_STORE, "the store could not be written to the disk", error);
}

static void keep_whole(struct lmdb_store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    int fd;
    if (mdb_env_get_fd(store->env, &fd) == 0 && mdb_env_info(store->env, &info) == 0 &&
        mdb_env_stat(store->env, &stat) == 0) {
        lmdb_data_keep_whole(fd, (info.me_last_pgno + 1) * stat.ms_psize, stat.ms_psize);
    }
}

enum assay_status lmdb_write_commit(struct lmdb_write *w, struct assay_error *error)
{
    struct lmdb_store *store = w->store;
    int64_t start_us = now_us();
    enum assay_status status = put_header(w, error);
    if (status != ASSAY_OK) {
        mdb_txn_abort(w->txn);
        w->txn = NULL;
        return status;
    }
    int rc = mdb_txn_commit(w->txn);
    w->txn = NULL;
    if (rc != 0) {
        return commit_failed(store, rc, error);
    }
    note_io(store, false);
    keep_whole(store);
    if (store->meter != NULL) {
        store->meter->committed(store->meter, w->changes, (uint64_t)(now_us() - start_us));
    }
    wake_others(store);
    store->witness_due = true;
    return ASSAY_OK;
}
