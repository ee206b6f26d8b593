#include "store/lmdb/lmdb_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 2000 /* for somebody who is just opening or closing the store */
#define WAIT_HURRIED_MS 20

static int64_t system_clock(void *context)
{
    (void)context;
    return (int64_t)time(NULL);
}

static void list(struct assay_store *base, struct assay_store_list *list)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    list->status = store->lister == NULL || atomic_load(&store->trouble.gone)
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
    lmdb_find_stop(store);
    lmdb_env_close(store);
    lmdb_presence_leave(store);
    lmdb_ring_clear(&store->reader_ring);
    if (store->dir_fd >= 0) {
        close(store->dir_fd);
    }
    free(store->path);
    free(store);
}

static void close_store(struct assay_store *base)
{
    struct lmdb_store *store = (struct lmdb_store *)base;
    if (lmdb_writer_stop(store)) {
        release(store);
    } else {
        lmdb_find_stop(store); /* the rest stays: the writer is still in it */
    }
}

static const struct assay_store_ops ops = {
    .find = lmdb_find_submit,
    .find_cancel = lmdb_find_cancel,
    .change = lmdb_queue_submit,
    .change_cancel = lmdb_queue_cancel,
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
    store->presence.fd = -1;
    store->event_fd = -1;
    store->wake_fd = -1;
    store->path = strdup(options->path);
    store->max_size = options->max_size == 0 ? ASSAY_STORE_DEFAULT_MAX_SIZE : options->max_size;
    store->map_size = options->map_size == 0 ? ASSAY_STORE_MAP_SIZE : options->map_size;
    store->read_only = options->read_only;
    store->sweep = options->sweep;
    store->warm = options->warm;
    store->loop = options->loop;
    store->log = options->log;
    store->meter = options->meter;
    store->clock = options->clock == NULL ? system_clock : options->clock;
    store->clock_context = options->clock_context;
    lmdb_find_init(store);
    if (store->path == NULL) {
        free(store);
        return NULL;
    }
    return store;
}

/* What a restore kept alive although it may have been revoked is said for as long as it may live.
 */
static void tell_of_restore(struct lmdb_store *store, const struct assay_header_record *header)
{
    if (!store->read_only && header->kept_until_s > header->horizon_s) {
        lmdb_log(store, ASSAY_LOG_WARN, "restored",
                 "the store was restored with its tokens kept: what was revoked after the backup "
                 "is alive again");
    }
}

/* Opens what `store` names, in the order in which trouble is easiest to tell. */
static enum assay_status open_all(struct lmdb_store *store, int64_t wait_ms,
                                  struct assay_error *reterr)
{
    struct assay_header_record header = {0};
    struct assay_header_record witness;
    enum assay_status status = lmdb_dir_open(store->path, &store->dir_fd, reterr);
    if (status == ASSAY_OK) {
        status = lmdb_data_check(store->dir_fd, "data", reterr);
    }
    if (status == ASSAY_OK) {
        status = lmdb_presence_join(store, wait_ms, reterr);
    }
    if (status == ASSAY_OK) {
        status = lmdb_env_open(store, 0, reterr);
    }
    if (status == ASSAY_OK) {
        status = lmdb_presence_settle(store, reterr);
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
    if (status == ASSAY_OK) {
        memcpy(store->log_id, header.log, ASSAY_LOG_ID_LEN);
        store->log_known = true;
        tell_of_restore(store, &header);
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
    int64_t wait_ms = options->tries_again ? WAIT_HURRIED_MS : WAIT_MS;
    lmdb_spare_standard_descriptors();
    enum assay_status status = open_all(store, wait_ms, reterr);
    if (status != ASSAY_OK) {
        (void)lmdb_writer_stop(store); /* it has none */
        release(store);
        return status;
    }
    *ret = &store->base;
    return ASSAY_OK;
}
