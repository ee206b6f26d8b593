#include "store/lmdb/lmdb_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void lmdb_spare_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    if (fd >= 0) {
        close(fd);
    }
}

/* The directory itself is opened without following a link, and everything in it by this descriptor.
 */
enum assay_status lmdb_dir_open(const char *path, int *ret_fd, struct assay_error *reterr)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return assay_fail(ASSAY_ERR_ABSENT,
                          "no store here; create one with: assay store create DIR", reterr);
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
        return assay_fail(ASSAY_ERR_SYSTEM,
                          "the store's path is not a directory (links are not followed)", reterr);
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's directory cannot be opened", reterr);
    }
    if (geteuid() != 0 && st.st_uid != geteuid()) {
        close(fd);
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's directory belongs to another user",
                          reterr);
    }
    *ret_fd = fd;
    return ASSAY_OK;
}

static bool sync_dir(int fd)
{
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* A name lies in the directory above: a store whose own name is lost with the power is lost whole,
 * however well its files were flushed. Of a directory that was there before, it may be the business
 * of somebody who does not let us read the one above. */
enum assay_status lmdb_dir_make(const char *path, int *ret_fd, struct assay_error *reterr)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's directory cannot be made", reterr);
    }
    enum assay_status status = lmdb_dir_open(path, ret_fd, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (!sync_dir(openat(*ret_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) && made) {
        close(*ret_fd);
        return assay_fail(ASSAY_ERR_SYSTEM, "the directory above the store cannot be flushed",
                          reterr);
    }
    return ASSAY_OK;
}

bool lmdb_sync_parent(const char *path)
{
    char parent[4096] = ".";
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : slash == NULL ? 0 : (size_t)(slash - path);
    if (len >= sizeof(parent)) {
        return false;
    }
    if (len != 0) {
        memcpy(parent, path, len);
        parent[len] = 0;
    }
    return sync_dir(open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static bool is_own_name(const char *name)
{
    static const char *const names[] = {
        ".",    "..",      "data",        "data-lock", "data.new",  "data.new-lock",
        "wake", "witness", "witness.new", "ballast",   "lost+found"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool lmdb_dir_is_ours(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    bool ours = true;
    const struct dirent *entry;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this stream */
    while (ours && (entry = readdir(dir)) != NULL) {
        ours = is_own_name(entry->d_name);
    }
    closedir(dir);
    return ours;
}

uint64_t lmdb_seq_floor(int64_t now_s)
{
    return (uint64_t)now_s << 24;
}

void lmdb_own_file(int dir_fd, const char *name)
{
    struct stat st;
    if (geteuid() != 0 || fstat(dir_fd, &st) != 0) {
        return;
    }
    /* Failure shows when the owner opens the file: nothing is hidden by going on here. */
    (void)!fchownat(dir_fd, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
}

int lmdb_file_open(int dir_fd, const char *name, int flags)
{
    int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0 && (flags & O_CREAT) != 0) {
        lmdb_own_file(dir_fd, name);
    }
    return fd;
}

/* LMDB's own layout of a meta page: the page's header (16 bytes), then magic and version, in the
 * byte order of the machine. */
static bool is_meta_page(const uint8_t *page)
{
    static const uint16_t meta_flag = 0x08;
    static const uint32_t magic = 0xBEEFC0DE;
    static const uint32_t version = 1;
    uint16_t flags;
    uint32_t found[2];
    memcpy(&flags, page + 10, sizeof(flags));
    memcpy(found, page + 16, sizeof(found));
    return (flags & meta_flag) != 0 && found[0] == magic && found[1] == version;
}

/* Behind magic and version a meta page has address and map size, the records of two trees (the
 * first starts with the page size), the last page and the transaction that wrote it. */
bool lmdb_data_size(int fd, off_t *ret_size)
{
    long page = sysconf(_SC_PAGESIZE);
    uint64_t newest = 0;
    off_t size = 0;
    for (long i = 0; i < 2; i++) {
        uint8_t head[152];
        uint32_t page_size;
        uint64_t last_page;
        uint64_t txn;
        if (pread(fd, head, sizeof(head), i * page) != (ssize_t)sizeof(head) ||
            !is_meta_page(head)) {
            return false;
        }
        memcpy(&page_size, head + 40, sizeof(page_size));
        memcpy(&last_page, head + 136, sizeof(last_page));
        memcpy(&txn, head + 144, sizeof(txn));
        if (page_size != (uint32_t)page || last_page >= ((uint64_t)1 << 40) / page_size) {
            return false;
        }
        if (txn >= newest) {
            newest = txn;
            size = (off_t)((last_page + 1) * page_size);
        }
    }
    *ret_size = size;
    return true;
}

/* A page that was taken at the end of the file and given back in the same transaction is counted
 * and never written: without this, the file would look as if it had been cut short. It only ever
 * makes the file longer, whatever others do meanwhile. */
void lmdb_data_keep_whole(int fd, uint64_t size, uint64_t page_size)
{
    struct stat st;
    if (size >= page_size && fstat(fd, &st) == 0 && (uint64_t)st.st_size < size) {
        (void)posix_fallocate(fd, (off_t)(size - page_size), (off_t)page_size);
    }
}

static enum assay_status cut_short(off_t size, off_t wanted, struct assay_error *reterr)
{
    enum assay_status status = assay_fail(
        ASSAY_ERR_CORRUPT,
        "the store is cut short; put a backup in place with: assay store restore", reterr);
    reterr->found = (unsigned long long)size;
    reterr->wanted = (unsigned long long)wanted;
    return status;
}

/* Others may be writing: the size is looked at after the pages that speak of it, since a file only
 * grows; and once more a little later, since it may grow (lmdb_data_keep_whole) just after them. */
static bool is_short(int fd, struct stat *ret_stat, off_t *ret_wanted, bool *ret_pages)
{
    static const struct timespec pause = {0, 20000000};
    for (int tries = 0; tries < 3; tries++) {
        *ret_wanted = 0;
        *ret_pages = lmdb_data_size(fd, ret_wanted);
        if (fstat(fd, ret_stat) != 0 || ret_stat->st_size >= *ret_wanted) {
            return false;
        }
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static enum assay_status check_pages(int fd, struct assay_error *reterr)
{
    struct stat st = {0};
    off_t wanted = 0;
    bool pages = false;
    off_t least = 2 * (off_t)sysconf(_SC_PAGESIZE);
    if (is_short(fd, &st, &wanted, &pages) && !lmdb_missing_are_free(fd)) {
        return cut_short(st.st_size, wanted, reterr);
    }
    if (st.st_size < least) {
        return cut_short(st.st_size, least, reterr);
    }
    return pages ? ASSAY_OK
                 : assay_fail(ASSAY_ERR_CORRUPT,
                              "the store's first pages are damaged; put a backup in place with: "
                              "assay store restore",
                              reterr);
}

enum assay_status lmdb_data_check(int dir_fd, const char *name, struct assay_error *reterr)
{
    struct stat st;
    int fd = lmdb_file_open(dir_fd, name, O_RDONLY);
    if (fd < 0 && errno == ENOENT) {
        return assay_fail(ASSAY_ERR_ABSENT,
                          "no store here; create one with: assay store create DIR", reterr);
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's data file cannot be opened", reterr);
    }
    enum assay_status status = ASSAY_OK;
    if (!S_ISREG(st.st_mode)) {
        status =
            assay_fail(ASSAY_ERR_SYSTEM, "the store's data file is not a regular file", reterr);
    } else if (st.st_size == 0) {
        status = assay_fail(
            ASSAY_ERR_ABSENT,
            "no store here (its data file is empty); create one with: assay store create DIR",
            reterr);
    } else {
        status = check_pages(fd, reterr);
    }
    close(fd);
    return status;
}

/* The witness: identity and last number, so that an older file copied over a newer one shows. */
#define WITNESS_LEN (ASSAY_LOG_ID_LEN + 8 + 4)

static void witness_bytes(const struct assay_header_record *header, uint8_t out[WITNESS_LEN])
{
    memcpy(out, header->log, ASSAY_LOG_ID_LEN);
    assay_cutoff_number_id(header->seq, out + ASSAY_LOG_ID_LEN);
    uint32_t check = assay_crc32c(0, assay_slice_of(out, ASSAY_LOG_ID_LEN + 8));
    for (size_t i = 0; i < 4; i++) {
        out[ASSAY_LOG_ID_LEN + 8 + i] = (uint8_t)(check >> (8 * i));
    }
}

enum assay_status lmdb_witness_write(int dir_fd, const struct assay_header_record *header,
                                     struct assay_error *reterr)
{
    uint8_t bytes[WITNESS_LEN];
    witness_bytes(header, bytes);
    int fd = lmdb_file_open(dir_fd, "witness.new", O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's witness cannot be written", reterr);
    }
    bool good = write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);
    good = close(fd) == 0 && good;
    if (!good || renameat(dir_fd, "witness.new", dir_fd, "witness") != 0) {
        (void)unlinkat(dir_fd, "witness.new", 0);
        return assay_fail(ASSAY_ERR_SYSTEM, "the store's witness cannot be written", reterr);
    }
    return ASSAY_OK;
}

/* One at a time, and each with the newest header there is: so the witness never goes back. The lock
 * is on the directory, since the file itself is replaced. */
bool lmdb_witness_renew(struct lmdb_store *store)
{
    struct assay_header_record header = {0};
    struct assay_error error = {0};
    MDB_txn *txn = NULL;
    if (flock(store->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    enum assay_status status = rc == 0 ? lmdb_read_header(store, txn, &header, &error)
                                       : lmdb_fail(rc, "the store cannot be read", &error);
    if (status == ASSAY_OK) {
        status = lmdb_witness_write(store->dir_fd, &header, &error);
    }
    mdb_txn_abort(txn);
    (void)flock(store->dir_fd, LOCK_UN);
    if (status != ASSAY_OK && !store->witness_failed) {
        lmdb_log(store, ASSAY_LOG_WARN, "store_witness", error.what);
    }
    store->witness_failed = status != ASSAY_OK;
    return status == ASSAY_OK;
}

/* A missing or torn witness proves nothing and is no trouble: it is written without a flush, since
 * it guards against a hand, not against the loss of power. */
bool lmdb_witness_read(int dir_fd, struct assay_header_record *ret)
{
    uint8_t bytes[WITNESS_LEN];
    uint8_t expected[WITNESS_LEN];
    int fd = lmdb_file_open(dir_fd, "witness", O_RDONLY);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (got != (ssize_t)sizeof(bytes)) {
        return false;
    }
    struct assay_header_record seen = {0};
    memcpy(seen.log, bytes, ASSAY_LOG_ID_LEN);
    for (size_t i = 0; i < 8; i++) {
        seen.seq = seen.seq << 8 | bytes[ASSAY_LOG_ID_LEN + i];
    }
    witness_bytes(&seen, expected);
    if (memcmp(bytes, expected, sizeof(bytes)) != 0) {
        return false;
    }
    *ret = seen;
    return true;
}

enum assay_status lmdb_witness_check(const struct assay_header_record *witness,
                                     const struct assay_header_record *header,
                                     struct assay_error *reterr)
{
    if (memcmp(witness->log, header->log, ASSAY_LOG_ID_LEN) != 0 || witness->seq > header->seq) {
        return assay_fail(ASSAY_ERR_CORRUPT,
                          "this data file is older than what was here, or another store's; put a "
                          "backup in place with: assay store restore",
                          reterr);
    }
    return ASSAY_OK;
}
