#include "store/lmdb/lmdb_priv.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AT_LEAST_US 1000000 /* free pages are counted once in this time while size matters */
#define COST_SHARE 50            /* or as often as takes a fiftieth of the writer's time */

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- the store's own size --- */

/* Counting walks the lists of free pages: so often that it costs a bounded share of the time, which
 * is each time while the store is small, and then its limits are kept to the page. */
static void count_free_pages(struct lmdb_store *store)
{
    MDB_txn *txn;
    int64_t start_us = now_us();
    int64_t wait_us = store->free_pages_cost_us * COST_SHARE;
    wait_us = wait_us < LOOK_AT_LEAST_US ? wait_us : LOOK_AT_LEAST_US;
    if (start_us - store->free_pages_us < wait_us ||
        mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0) {
        return;
    }
    store->free_pages = lmdb_free_pages(txn);
    mdb_txn_abort(txn);
    store->free_pages_us = now_us();
    store->free_pages_cost_us = store->free_pages_us - start_us;
}

static uint64_t used_bytes(struct lmdb_store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    if (store->env == NULL || mdb_env_info(store->env, &info) != 0 ||
        mdb_env_stat(store->env, &stat) != 0) {
        return 0;
    }
    uint64_t pages = info.me_last_pgno + 1;
    if (pages * stat.ms_psize < store->max_size / 100 * 95) {
        return pages * stat.ms_psize; /* small enough even if none of them were free */
    }
    count_free_pages(store);
    return (pages > store->free_pages ? pages - store->free_pages : 0) * stat.ms_psize;
}

/* --- the disk --- */

/* Bytes that this process may still write in the file system of the store. */
static uint64_t disk_free(const struct lmdb_store *store)
{
    struct statvfs fs;
    if (fstatvfs(store->dir_fd, &fs) != 0) {
        return 0;
    }
    return (uint64_t)fs.f_frsize * (geteuid() == 0 ? fs.f_bfree : fs.f_bavail);
}

bool lmdb_disk_is_full(const struct lmdb_store *store)
{
    return disk_free(store) < LMDB_BALLAST / 4;
}

/* Looked at each time: any process of the store may have given it up. */
static bool has_ballast(const struct lmdb_store *store)
{
    struct stat st;
    return fstatat(store->dir_fd, "ballast", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t)st.st_size >= LMDB_BALLAST;
}

static bool build_ballast(const struct lmdb_store *store)
{
    static const uint8_t zeros[65536];
    int fd = lmdb_file_open(store->dir_fd, "ballast", O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
        return false;
    }
    bool good = true;
    for (uint64_t written = 0; written < LMDB_BALLAST && good; written += sizeof(zeros)) {
        good = write(fd, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros);
    }
    good = close(fd) == 0 && good;
    if (!good) {
        lmdb_ballast_release(store->dir_fd);
    }
    return good;
}

void lmdb_ballast_release(int dir_fd)
{
    (void)unlinkat(dir_fd, "ballast", 0);
}

/* The ballast is room that only revocation gets: given up when the disk is full, built again when
 * there is plenty. Until then what is left is not for new tokens. */
static bool disk_takes_tokens(const struct lmdb_store *store)
{
    uint64_t left = disk_free(store);
    if (has_ballast(store)) {
        bool full = left < LMDB_BALLAST / 4;
        if (full) {
            lmdb_ballast_release(store->dir_fd);
        }
        return !full;
    }
    if (left <= 4 * LMDB_BALLAST) {
        lmdb_ballast_release(store->dir_fd); /* a part that somebody died over */
        return false;
    }
    return build_ballast(store) || left > 16 * LMDB_BALLAST;
}

/* --- both --- */

static void note_full(struct lmdb_store *store, bool full)
{
    if (atomic_exchange(&store->trouble.full, full) != full) {
        lmdb_log(store, full ? ASSAY_LOG_ERROR : ASSAY_LOG_NOTICE, "store_full",
                 full ? "no room for new tokens: free disk space or raise max_size"
                      : "there is room again");
    }
}

struct lmdb_room lmdb_room_look(struct lmdb_store *store)
{
    uint64_t used = used_bytes(store);
    struct lmdb_room room = {
        .issue = used < store->max_size / 100 * 95 && disk_takes_tokens(store),
        .revoke = used < store->max_size,
    };
    note_full(store, !room.issue);
    return room;
}
