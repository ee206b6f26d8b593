/* LMDB's processes agree through the lock file. Should somebody delete it while they have the store
 * open, the next to come would make another, and two writers who know nothing of each other would
 * write at once. So each process also holds a shared lock on the data file: who comes finds either
 * nobody there, or somebody and the lock file in use; anything else is refused, and who was there
 * before goes on reading, alone as before, and writes no more.
 *
 * A file locked by flock() stays so until its descriptor is closed; LMDB's own locks are of another
 * kind, which knows nothing of these. */
#include "store/lmdb/lmdb_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEP_MS 5

/* Does some other process have the lock file in use? They share a lock on its first byte. Asked
 * only while this process has not: closing the descriptor would end its own lock. */
static bool lock_file_in_use(int dir_fd)
{
    int fd = lmdb_file_open(dir_fd, "data-lock", O_RDWR);
    if (fd < 0) {
        return false;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    bool in_use = fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
    close(fd);
    return in_use;
}

/* True: this process may open the environment. */
static bool may_enter(int dir_fd, int data_fd)
{
    if (flock(data_fd, LOCK_EX | LOCK_NB) == 0) {
        /* Nobody has this data open; who has the lock file open has other data, now gone. */
        if (!lock_file_in_use(dir_fd)) {
            return true;
        }
        (void)flock(data_fd, LOCK_UN);
        return false;
    }
    if (flock(data_fd, LOCK_SH | LOCK_NB) != 0) {
        return false; /* somebody is opening it just now */
    }
    if (lock_file_in_use(dir_fd)) {
        return true;
    }
    (void)flock(data_fd, LOCK_UN);
    return false;
}

enum assay_status lmdb_presence_join(struct lmdb_store *store, int64_t wait_ms,
                                     struct assay_error *reterr)
{
    static const struct timespec step = {0, WAIT_STEP_MS * 1000000L};
    struct lmdb_presence *presence = &store->presence;
    presence->fd = lmdb_file_open(store->dir_fd, "data", O_RDONLY);
    if (presence->fd < 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's data file cannot be opened", reterr);
    }
    for (int64_t waited_ms = 0; waited_ms <= wait_ms; waited_ms += WAIT_STEP_MS) {
        if (may_enter(store->dir_fd, presence->fd)) {
            return ASSAY_OK;
        }
        (void)nanosleep(&step, NULL);
    }
    return assay_fail(ASSAY_ERR_SYSTEM,
                      "the store is open elsewhere, but its lock file or its data is not what was "
                      "opened there: stop what has it open first",
                      reterr);
}

static bool inode_of(int dir_fd, const char *name, uint64_t *ret_device, uint64_t *ret_inode)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    *ret_device = (uint64_t)st.st_dev;
    *ret_inode = (uint64_t)st.st_ino;
    return true;
}

enum assay_status lmdb_presence_settle(struct lmdb_store *store, struct assay_error *reterr)
{
    struct lmdb_presence *presence = &store->presence;
    struct stat data;
    struct stat opened;
    int env_fd = -1;
    bool same = fstat(presence->fd, &data) == 0 && mdb_env_get_fd(store->env, &env_fd) == 0 &&
                fstat(env_fd, &opened) == 0 && data.st_dev == opened.st_dev &&
                data.st_ino == opened.st_ino;
    if (!same || !inode_of(store->dir_fd, "data-lock", &presence->device, &presence->lock_inode)) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's files changed while they were opened",
                          reterr);
    }
    presence->data_inode = (uint64_t)data.st_ino;
    /* From exclusive to shared; nobody who comes in between minds, since the lock file is in use.
     */
    return flock(presence->fd, LOCK_SH) == 0
               ? ASSAY_OK
               : assay_fail(ASSAY_ERR_SYSTEM, "the store's data file cannot be locked", reterr);
}

void lmdb_presence_leave(struct lmdb_store *store)
{
    if (store->presence.fd >= 0) {
        close(store->presence.fd);
        store->presence.fd = -1;
    }
}

static bool is_there(const struct lmdb_store *store, const char *name, uint64_t inode)
{
    uint64_t device;
    uint64_t found;
    return inode_of(store->dir_fd, name, &device, &found) && device == store->presence.device &&
           found == inode;
}

void lmdb_presence_look(struct lmdb_store *store)
{
    const struct lmdb_presence *presence = &store->presence;
    bool data = is_there(store, "data", presence->data_inode);
    bool replaced = !data || !is_there(store, "data-lock", presence->lock_inode);
    atomic_store(&store->trouble.gone, !data);
    if (atomic_exchange(&store->trouble.replaced, replaced) != replaced) {
        lmdb_log(store, replaced ? ASSAY_LOG_ERROR : ASSAY_LOG_NOTICE, "store_replaced",
                 !replaced ? "the store's files are in their place again"
                 : data    ? "the store's lock file was removed or replaced: nothing is written "
                             "until what has the store open is restarted"
                           : "the store's data file was removed or replaced: nothing is read or "
                             "written until what has the store open is restarted");
    }
}

bool lmdb_presence_claim(int dir_fd, int *ret_fd)
{
    int fd = lmdb_file_open(dir_fd, "data", O_RDONLY);
    bool free = (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) && !lock_file_in_use(dir_fd);
    if (!free && fd >= 0) {
        close(fd);
    }
    *ret_fd = free ? fd : -1;
    return free;
}
