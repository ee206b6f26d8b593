/* The recorder: preloaded into a program that works on a store, it logs in order each change of the
 * files below ASSAY_RECORD_DIR to ASSAY_RECORD_LOG (record_log.h). Everything goes by raw system
 * calls, made and logged under one lock, so that the log's order is the true one, also between
 * processes. A write to the file ASSAY_RECORD_ACKS is a mark: a client has its answer.
 *
 * ASSAY_RECORD_WEAKEN=nosync or nometasync adds LMDB's flag of that name to whatever environment is
 * opened: the negative controls of the test, which no setting of the product can reach. */
#include "crash/record_log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 1024

enum role {
    ROLE_NONE = 0,
    ROLE_FILE,
    ROLE_DIR,
    ROLE_ACKS,
};

struct tracked {
    enum role role;
    bool dsync;
    uint64_t inode;
    char name[256]; /* relative to the directory */
};

static struct tracked fds[MAX_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static const char *root;
static size_t root_len;
static const char *acks;

__attribute__((constructor)) static void start(void)
{
    const char *log = getenv("ASSAY_RECORD_LOG");
    root = getenv("ASSAY_RECORD_DIR");
    acks = getenv("ASSAY_RECORD_ACKS");
    if (log == NULL || root == NULL || acks == NULL) {
        return;
    }
    root_len = strlen(root);
    log_fd =
        (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void enter(void)
{
    pthread_mutex_lock(&lock);
    if (log_fd >= 0) {
        (void)syscall(SYS_flock, log_fd, LOCK_EX);
    }
}

static void leave(void)
{
    int saved = errno;
    if (log_fd >= 0) {
        (void)syscall(SYS_flock, log_fd, LOCK_UN);
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static void die(const char *what)
{
    (void)!syscall(SYS_write, 2, what, strlen(what));
    _exit(97);
}

static void put(const void *bytes, size_t len)
{
    if (len != 0 && syscall(SYS_write, log_fd, bytes, len) != (long)len) {
        die("recorder: the log cannot be written\n");
    }
}

static void put_entry(struct record_entry entry, const char *name, const char *to)
{
    entry.name_len = name == NULL ? 0 : (uint32_t)strlen(name);
    entry.to_len = to == NULL ? 0 : (uint32_t)strlen(to);
    put(&entry, sizeof(entry));
}

/* An entry without data. */
static void note(enum record_kind kind, uint64_t inode, int64_t offset, const char *name,
                 const char *to)
{
    if (log_fd < 0) {
        return;
    }
    put_entry((struct record_entry){.kind = (uint32_t)kind, .file = inode, .offset = offset}, name,
              to);
    put(name, name == NULL ? 0 : strlen(name));
    put(to, to == NULL ? 0 : strlen(to));
}

static struct tracked *tracked(int fd)
{
    return fd >= 0 && fd < MAX_FDS && fds[fd].role != ROLE_NONE ? &fds[fd] : NULL;
}

static struct tracked *tracked_file(int fd)
{
    struct tracked *t = tracked(fd);
    return t != NULL && t->role == ROLE_FILE ? t : NULL;
}

static void unknown(int fd, const char *what)
{
    const struct tracked *t = tracked(fd);
    if (t != NULL) {
        note(RECORD_UNKNOWN, t->inode, 0, what, NULL);
    }
}

/* --- names --- */

/* Files whose content means nothing after a loss of power: LMDB's lock file is made anew by the
 * first to open the store, the ballast is room, `wake` is a bell. */
static bool is_left_out(const char *name)
{
    const char *base = strrchr(name, '/');
    base = base == NULL ? name : base + 1;
    size_t len = strlen(base);
    return strcmp(base, "ballast") == 0 || strcmp(base, "wake") == 0 ||
           (len > 5 && strcmp(base + len - 5, "-lock") == 0);
}

/* The part of an absolute path that is below the directory; NULL when it is not. */
static const char *below(const char *path)
{
    if (root == NULL || strncmp(path, root, root_len) != 0) {
        return NULL;
    }
    if (path[root_len] == 0) {
        return ".";
    }
    return path[root_len] == '/' ? path + root_len + 1 : NULL;
}

static bool path_of_fd(int fd, char out[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, out, PATH_MAX - 1);
    if (len < 0) {
        return false;
    }
    out[len] = 0;
    return true;
}

/* What `path` at `dir_fd` is called below the directory. */
static const char *name_at(int dir_fd, const char *path, char room[PATH_MAX])
{
    char base[PATH_MAX];
    int len;
    if (log_fd < 0) {
        return NULL;
    }
    if (path[0] == '/') {
        return below(path);
    }
    if (dir_fd == AT_FDCWD ? getcwd(base, sizeof(base)) == NULL : !path_of_fd(dir_fd, base)) {
        return NULL;
    }
    len = snprintf(room, PATH_MAX, "%s/%s", base, path);
    return len > 0 && len < PATH_MAX ? below(room) : NULL;
}

/* --- open and close --- */

static void watch(int fd, int flags, bool made)
{
    char path[PATH_MAX];
    struct stat st;
    if (log_fd < 0 || fd < 0 || fd >= MAX_FDS || !path_of_fd(fd, path)) {
        return;
    }
    const char *name = below(path);
    struct tracked t = {.dsync = (flags & O_DSYNC) != 0};
    if (strcmp(path, acks) == 0) {
        t.role = ROLE_ACKS;
    } else if (name != NULL && fstat(fd, &st) == 0 && !is_left_out(name)) {
        t.role = S_ISDIR(st.st_mode) ? ROLE_DIR : ROLE_FILE;
        t.inode = st.st_ino;
        snprintf(t.name, sizeof(t.name), "%s", name);
    }
    fds[fd] = t;
    if (t.role == ROLE_FILE && made) {
        note(RECORD_CREATE, t.inode, 0, t.name, NULL);
    } else if (t.role == ROLE_FILE && (flags & O_TRUNC) != 0) {
        note(RECORD_TRUNCATE, t.inode, 0, NULL, NULL);
    }
}

static int open_at(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct stat st;
    enter();
    bool made = (flags & O_CREAT) != 0 && fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
    int fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    watch(fd, flags, made);
    leave();
    return fd;
}

static mode_t mode_in(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_in(flags, args);
    va_end(args);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int dir_fd, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_in(flags, args);
    va_end(args);
    return open_at(dir_fd, path, flags, mode);
}

/* The same under the names that glibc gives them for large files and for fortified callers. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int dir_fd, const char *path, int flags, ...) __attribute__((alias("openat")));
int __open_2(const char *path, int flags);
int __openat_2(int dir_fd, const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat64_2(int dir_fd, const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dir_fd, const char *path, int flags)
{
    return open_at(dir_fd, path, flags, 0);
}

int __openat64_2(int dir_fd, const char *path, int flags)
{
    return open_at(dir_fd, path, flags, 0);
}

int close(int fd)
{
    enter();
    if (fd >= 0 && fd < MAX_FDS) {
        fds[fd].role = ROLE_NONE;
    }
    int rc = (int)syscall(SYS_close, fd);
    leave();
    return rc;
}

int dup(int fd)
{
    unknown(fd, "dup");
    return (int)syscall(SYS_dup, fd);
}

int dup2(int fd, int to)
{
    unknown(fd, "dup2");
    return (int)syscall(SYS_dup2, fd, to);
}

/* --- writes --- */

static void note_write(const struct tracked *t, int64_t offset, const struct iovec *parts,
                       int count, size_t written)
{
    struct record_entry entry = {.file = t->inode, .offset = offset, .len = written};
    entry.kind = t->dsync ? RECORD_DSYNC_WRITE : RECORD_WRITE;
    put_entry(entry, NULL, NULL);
    for (int i = 0; i < count && written > 0; i++) {
        size_t len = parts[i].iov_len < written ? parts[i].iov_len : written;
        put(parts[i].iov_base, len);
        written -= len;
    }
}

static void note_ack(const struct iovec *part)
{
    struct record_entry entry = {.kind = RECORD_ACK};
    if (part->iov_len != sizeof(entry.number)) {
        die("recorder: a mark is a number of four bytes\n");
    }
    memcpy(&entry.number, part->iov_base, sizeof(entry.number));
    put_entry(entry, NULL, NULL);
}

/* At `offset`, or where the descriptor stands when that is -1. */
static ssize_t write_parts(int fd, const struct iovec *parts, int count, off_t offset)
{
    enter();
    const struct tracked *t = log_fd < 0 ? NULL : tracked(fd);
    off_t at = offset;
    if (t != NULL && t->role == ROLE_FILE && offset < 0) {
        at = (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
        if ((fcntl(fd, F_GETFL) & O_APPEND) != 0) {
            note(RECORD_UNKNOWN, t->inode, 0, "append", NULL);
        }
    }
    ssize_t got = offset < 0 ? syscall(SYS_writev, fd, parts, count)
                             : syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
    if (t != NULL && got > 0 && t->role == ROLE_FILE) {
        note_write(t, at, parts, count, (size_t)got);
    } else if (t != NULL && got > 0 && t->role == ROLE_ACKS) {
        note_ack(parts);
    }
    leave();
    return got;
}

/* iovec has no const, and nothing is written through it here. */
static struct iovec part_of(const void *bytes, size_t len)
{
    union {
        const void *in;
        void *out;
    } data = {.in = bytes};
    return (struct iovec){.iov_base = data.out, .iov_len = len};
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    struct iovec part = part_of(bytes, len);
    return write_parts(fd, &part, 1, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    struct iovec part = part_of(bytes, len);
    return write_parts(fd, &part, 1, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_parts(fd, parts, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return write_parts(fd, parts, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
    __attribute__((alias("pwrite")));
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
    __attribute__((alias("pwritev")));

/* --- sync and length --- */

static int sync_fd(long call, int fd)
{
    enter();
    int rc = (int)syscall(call, fd);
    const struct tracked *t = tracked(fd);
    if (rc == 0 && t != NULL && t->role == ROLE_DIR) {
        note(RECORD_SYNC_DIR, t->inode, 0, t->name, NULL);
    } else if (rc == 0 && t != NULL && t->role == ROLE_FILE) {
        note(RECORD_SYNC, t->inode, 0, NULL, NULL);
    }
    leave();
    return rc;
}

int fsync(int fd)
{
    return sync_fd(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_fd(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t length)
{
    enter();
    int rc = (int)syscall(SYS_ftruncate, fd, length);
    const struct tracked *t = tracked_file(fd);
    if (rc == 0 && t != NULL) {
        note(RECORD_TRUNCATE, t->inode, length, NULL, NULL);
    }
    leave();
    return rc;
}

int ftruncate64(int fd, off64_t length) __attribute__((alias("ftruncate")));

/* --- the directory --- */

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char rooms[2][PATH_MAX];
    enter();
    const char *name = name_at(from_fd, from, rooms[0]);
    const char *new_name = name_at(to_fd, to, rooms[1]);
    int rc = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
    if (rc == 0 && (name == NULL) != (new_name == NULL)) {
        note(RECORD_UNKNOWN, 0, 0, "rename into or out of the directory", NULL);
    } else if (rc == 0 && name != NULL && !is_left_out(name)) {
        note(RECORD_RENAME, 0, 0, name, new_name);
    }
    leave();
    return rc;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* A change of one name by the call `rc` came from. */
static int note_name(int rc, enum record_kind kind, const char *name)
{
    if (rc == 0 && name != NULL && !is_left_out(name)) {
        note(kind, 0, 0, name, NULL);
    }
    return rc;
}

int unlinkat(int dir_fd, const char *path, int flags)
{
    char room[PATH_MAX];
    enter();
    const char *name = name_at(dir_fd, path, room);
    int rc = note_name((int)syscall(SYS_unlinkat, dir_fd, path, flags),
                       (flags & AT_REMOVEDIR) != 0 ? RECORD_RMDIR : RECORD_UNLINK, name);
    leave();
    return rc;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    char room[PATH_MAX];
    enter();
    const char *name = name_at(dir_fd, path, room);
    int rc = note_name((int)syscall(SYS_mkdirat, dir_fd, path, mode), RECORD_MKDIR, name);
    leave();
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* --- ways that nobody takes today: taking one makes the replay fail, instead of passing by --- */

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    if ((protection & PROT_WRITE) != 0 && (flags & MAP_SHARED) != 0) {
        unknown(fd, "writable map");
    }
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): what the call returns is an address */
    return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    unknown(fd, "fallocate");
    return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

/* What LMDB counts and never wrote is filled with zeros. */
int posix_fallocate(int fd, off_t offset, off_t len)
{
    struct stat st;
    enter();
    const struct tracked *t = tracked_file(fd);
    bool longer = t != NULL && fstat(fd, &st) == 0 && st.st_size < offset + len;
    int rc = syscall(SYS_fallocate, fd, 0, offset, len) == 0 ? 0 : errno;
    if (rc == 0 && longer) {
        note(RECORD_TRUNCATE, t->inode, offset + len, NULL, NULL);
    }
    leave();
    return rc;
}

int posix_fallocate64(int fd, off64_t offset, off64_t len)
    __attribute__((alias("posix_fallocate")));

ssize_t sendfile(int to, int from, off_t *offset, size_t count);
ssize_t sendfile(int to, int from, off_t *offset, size_t count)
{
    unknown(to, "sendfile");
    return syscall(SYS_sendfile, to, from, offset, count);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t len,
                        unsigned flags)
{
    unknown(to, "copy_file_range");
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, len, flags);
}

/* --- the negative controls --- */

int mdb_env_open(MDB_env *env, const char *path, unsigned int flags, mdb_mode_t mode)
{
    int (*next)(MDB_env *, const char *, unsigned int, mdb_mode_t);
    const char *weaken = getenv("ASSAY_RECORD_WEAKEN");
    *(void **)(&next) = dlsym(RTLD_NEXT, "mdb_env_open");
    if (weaken != NULL && strcmp(weaken, "nosync") == 0) {
        flags |= MDB_NOSYNC;
    } else if (weaken != NULL && strcmp(weaken, "nometasync") == 0) {
        flags |= MDB_NOMETASYNC;
    }
    return next(env, path, flags, mode);
}
