#include "fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_STAGES 4
#define SLOW_MS 300

/* --- the calls --- */

enum call {
    CALL_MALLOC,
    CALL_CALLOC,
    CALL_REALLOC,
    CALL_POSIX_MEMALIGN,
    CALL_MMAP,
    CALL_OPEN,
    CALL_OPENAT,
    CALL_READ,
    CALL_WRITE,
    CALL_WRITEV,
    CALL_PREAD,
    CALL_PWRITE,
    CALL_PWRITEV,
    CALL_LSEEK,
    CALL_FTRUNCATE,
    CALL_FSYNC,
    CALL_FDATASYNC,
    CALL_MSYNC,
    CALL_RENAMEAT,
    CALL_UNLINKAT,
    CALL_SOCKET,
    CALL_CONNECT,
    CALL_ACCEPT4,
    CALL_SEND,
    CALL_SENDMSG,
    CALL_RECV,
    CALL_POLL,
    CALL_EPOLL_WAIT,
    CALL_EVENTFD,
    CALL_PTHREAD_CREATE,
    CALL_GETRANDOM,
    CALL_GETENTROPY,
    CALL_RAND_BYTES,
    CALL_CLOCK_GETTIME,
    CALLS
};

#define BIT(call) (UINT64_C(1) << (call))
#define META BIT(CALLS) /* an extra bit: only on descriptors opened with O_DSYNC */
#define DEVICES BIT(CALLS + 1)
#define WRITES (BIT(CALL_WRITE) | BIT(CALL_WRITEV) | BIT(CALL_PWRITE) | BIT(CALL_PWRITEV))

static const struct {
    const char *name;
    uint64_t calls;
} names[] = {
    {"malloc", BIT(CALL_MALLOC)},
    {"calloc", BIT(CALL_CALLOC)},
    {"realloc", BIT(CALL_REALLOC)},
    {"posix_memalign", BIT(CALL_POSIX_MEMALIGN)},
    {"mmap", BIT(CALL_MMAP)},
    {"open", BIT(CALL_OPEN)},
    {"openat", BIT(CALL_OPENAT)},
    {"read", BIT(CALL_READ)},
    {"writev", BIT(CALL_WRITEV)},
    {"pread", BIT(CALL_PREAD)},
    {"pwrite", BIT(CALL_PWRITE)},
    {"pwritev", BIT(CALL_PWRITEV)},
    {"lseek", BIT(CALL_LSEEK)},
    {"ftruncate", BIT(CALL_FTRUNCATE)},
    {"fsync", BIT(CALL_FSYNC)},
    {"fdatasync", BIT(CALL_FDATASYNC)},
    {"msync", BIT(CALL_MSYNC)},
    {"renameat", BIT(CALL_RENAMEAT)},
    {"unlinkat", BIT(CALL_UNLINKAT)},
    {"socket", BIT(CALL_SOCKET)},
    {"connect", BIT(CALL_CONNECT)},
    {"accept4", BIT(CALL_ACCEPT4)},
    {"send", BIT(CALL_SEND)},
    {"sendmsg", BIT(CALL_SENDMSG)},
    {"recv", BIT(CALL_RECV)},
    {"poll", BIT(CALL_POLL)},
    {"epoll_wait", BIT(CALL_EPOLL_WAIT)},
    {"eventfd", BIT(CALL_EVENTFD)},
    {"pthread_create", BIT(CALL_PTHREAD_CREATE)},
    {"getrandom", BIT(CALL_GETRANDOM)},
    {"clock_gettime", BIT(CALL_CLOCK_GETTIME)},
    {"alloc", BIT(CALL_MALLOC) | BIT(CALL_CALLOC) | BIT(CALL_REALLOC) | BIT(CALL_POSIX_MEMALIGN)},
    {"write", WRITES},
    {"sync", BIT(CALL_FSYNC) | BIT(CALL_FDATASYNC) | BIT(CALL_MSYNC)},
    {"meta", WRITES | META},
    {"random", BIT(CALL_GETRANDOM) | BIT(CALL_GETENTROPY) | BIT(CALL_RAND_BYTES) | DEVICES},
};

static const struct {
    const char *name;
    int error;
} errors[] = {
    {"EIO", EIO},           {"ENOSPC", ENOSPC}, {"EINTR", EINTR},   {"EAGAIN", EAGAIN},
    {"EDQUOT", EDQUOT},     {"EROFS", EROFS},   {"EACCES", EACCES}, {"EFBIG", EFBIG},
    {"ENOMEM", ENOMEM},     {"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"EPERM", EPERM},
    {"ENOTCONN", ENOTCONN}, {"EPIPE", EPIPE},
};

enum action { ACT_ERROR, ACT_SHORT, ACT_KILL, ACT_KILLED, ACT_STOP, ACT_SLOW };

struct stage {
    uint64_t calls;
    unsigned n;
    bool lasting;
    enum action action;
    int error;
};

/* What a process knows of what is armed. */
struct plan {
    uint32_t generation;
    struct stage stages[MAX_STAGES];
    unsigned count;
    unsigned at;   /* the stage being counted */
    unsigned seen; /* calls of that stage */
    bool dead;     /* the last stage was `once` and has struck */
};

static struct fault_ctl own; /* when no page is shared */
static struct fault_ctl *ctl = &own;
static struct plan plan;
static pthread_mutex_t plan_lock = PTHREAD_MUTEX_INITIALIZER;
/* Set while the shim itself is at work, so that its own calls are nobody's. */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

/* --- what is behind the shim --- */

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void (*free)(void *);
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*open)(const char *, int, ...);
    int (*openat)(int, const char *, int, ...);
    ssize_t (*read)(int, void *, size_t);
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    ssize_t (*pread)(int, void *, size_t, off_t);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*pwritev)(int, const struct iovec *, int, off_t);
    off_t (*lseek)(int, off_t, int);
    int (*ftruncate)(int, off_t);
    int (*fsync)(int);
    int (*fdatasync)(int);
    int (*msync)(void *, size_t, int);
    int (*renameat)(int, const char *, int, const char *);
    int (*unlinkat)(int, const char *, int);
    int (*socket)(int, int, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    ssize_t (*send)(int, const void *, size_t, int);
    ssize_t (*sendmsg)(int, const struct msghdr *, int);
    ssize_t (*recv)(int, void *, size_t, int);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*epoll_wait)(int, struct epoll_event *, int, int);
    int (*eventfd)(unsigned, int);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    ssize_t (*getrandom)(void *, size_t, unsigned);
    int (*getentropy)(void *, size_t);
    int (*rand_bytes)(unsigned char *, int);
    int (*clock_gettime)(clockid_t, struct timespec *);
    int (*fstatvfs)(int, struct statvfs *);
} real;

/* dlsym may allocate before there is anything to allocate with. */
static char first_memory[65536];
static size_t first_used;
static _Thread_local bool resolving __attribute__((tls_model("initial-exec")));

static void *first_alloc(size_t size)
{
    size_t at = (first_used + 15) & ~(size_t)15;
    if (size > sizeof(first_memory) - at) {
        return NULL;
    }
    first_used = at + size;
    return first_memory + at;
}

static bool is_first(const void *p)
{
    return (const char *)p >= first_memory && (const char *)p < first_memory + sizeof(first_memory);
}

static void find(void *slot, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(slot, &symbol, sizeof(symbol));
}

static void resolve(void)
{
    if (real.malloc != NULL || resolving) {
        return;
    }
    resolving = true;
    find(&real.calloc, "calloc");
    find(&real.realloc, "realloc");
    find(&real.posix_memalign, "posix_memalign");
    find(&real.free, "free");
    find(&real.mmap, "mmap");
    find(&real.open, "open");
    find(&real.openat, "openat");
    find(&real.read, "read");
    find(&real.write, "write");
    find(&real.writev, "writev");
    find(&real.pread, "pread");
    find(&real.pwrite, "pwrite");
    find(&real.pwritev, "pwritev");
    find(&real.lseek, "lseek");
    find(&real.ftruncate, "ftruncate");
    find(&real.fsync, "fsync");
    find(&real.fdatasync, "fdatasync");
    find(&real.msync, "msync");
    find(&real.renameat, "renameat");
    find(&real.unlinkat, "unlinkat");
    find(&real.socket, "socket");
    find(&real.connect, "connect");
    find(&real.accept4, "accept4");
    find(&real.send, "send");
    find(&real.sendmsg, "sendmsg");
    find(&real.recv, "recv");
    find(&real.poll, "poll");
    find(&real.epoll_wait, "epoll_wait");
    find(&real.eventfd, "eventfd");
    find(&real.pthread_create, "pthread_create");
    find(&real.getrandom, "getrandom");
    find(&real.getentropy, "getentropy");
    find(&real.clock_gettime, "clock_gettime");
    find(&real.fstatvfs, "fstatvfs");
    find(&real.malloc, "malloc"); /* last: it says that the rest is there */
    resolving = false;
}

/* --- what is armed --- */

static uint64_t calls_named(const char *text, size_t len)
{
    uint64_t calls = 0;
    while (len > 0) {
        const char *plus = memchr(text, '+', len);
        size_t part = plus == NULL ? len : (size_t)(plus - text);
        uint64_t found = 0;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (strlen(names[i].name) == part && memcmp(names[i].name, text, part) == 0) {
                found = names[i].calls;
            }
        }
        if (found == 0) {
            static const char complaint[] = "fault: no such call\n";
            (void)!real.write(2, complaint, sizeof(complaint) - 1);
            abort(); /* a misspelt fault would let a test pass that has tested nothing */
        }
        calls |= found;
        len -= plus == NULL ? part : part + 1;
        text += plus == NULL ? part : part + 1;
    }
    return calls;
}

static void set_action(struct stage *stage, const char *text, size_t len)
{
    static const char *const words[] = {"", "short", "kill", "killed", "stop", "slow"};
    for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
            stage->action = (enum action)i;
            return;
        }
    }
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (strlen(errors[i].name) == len && memcmp(errors[i].name, text, len) == 0) {
            stage->error = errors[i].error;
            return;
        }
    }
    abort();
}

static void parse_stage(const char *text, size_t len, struct stage *stage)
{
    *stage = (struct stage){.n = 1, .error = EIO};
    for (int field = 0; len > 0; field++) {
        const char *colon = memchr(text, ':', len);
        size_t part = colon == NULL ? len : (size_t)(colon - text);
        if (field == 0) {
            stage->calls = calls_named(text, part);
        } else if (field == 1) {
            stage->n = (unsigned)strtoul(text, NULL, 10);
        } else if (part == 7 && memcmp(text, "lasting", part) == 0) {
            stage->lasting = true;
        } else if (!(part == 4 && memcmp(text, "once", part) == 0)) {
            set_action(stage, text, part);
        }
        len -= colon == NULL ? part : part + 1;
        text += colon == NULL ? part : part + 1;
    }
}

static void read_plan(uint32_t generation)
{
    plan = (struct plan){.generation = generation};
    const char *text = ctl->spec;
    size_t len = strnlen(text, sizeof(ctl->spec));
    while (len > 0 && plan.count < MAX_STAGES) {
        const char *comma = memchr(text, ',', len);
        size_t part = comma == NULL ? len : (size_t)(comma - text);
        parse_stage(text, part, &plan.stages[plan.count++]);
        len -= comma == NULL ? part : part + 1;
        text += comma == NULL ? part : part + 1;
    }
}

static bool path_of(int fd, char room[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    long len = syscall(SYS_readlink, link, room, PATH_MAX - 1);
    if (len < 0) {
        return false;
    }
    room[len] = '\0';
    return true;
}

/* Does a call on `fd` (-1: none) or `path` (NULL: none), from `caller`, count? */
static bool counts(const struct stage *stage, enum call call, int fd, const char *path,
                   void *caller)
{
    char room[PATH_MAX] = "";
    bool device = (stage->calls & DEVICES) != 0 && path != NULL &&
                  (strcmp(path, "/dev/urandom") == 0 || strcmp(path, "/dev/random") == 0);
    if ((stage->calls & BIT(call)) == 0 && !device) {
        return false;
    }
    if ((stage->calls & META) != 0 &&
        (fd < 0 || (syscall(SYS_fcntl, fd, F_GETFL) & O_DSYNC) == 0)) {
        return false;
    }
    if (ctl->caller[0] != '\0') {
        Dl_info info;
        if (dladdr(caller, &info) == 0 || strstr(info.dli_fname, ctl->caller) == NULL) {
            return false;
        }
    }
    if (ctl->path[0] == '\0') {
        return true;
    }
    if (path != NULL) {
        return strstr(path, ctl->path) != NULL;
    }
    return fd >= 0 && path_of(fd, room) && strstr(room, ctl->path) != NULL;
}

/* The stage that strikes this call, or NULL. */
static const struct stage *step(enum call call, int fd, const char *path, void *caller)
{
    struct stage *struck = NULL;
    uint32_t generation = atomic_load(&ctl->generation);
    if (plan.generation != generation) {
        read_plan(generation);
    }
    if (plan.dead || plan.count == 0) {
        return NULL;
    }
    struct stage *stage = &plan.stages[plan.at];
    if (!counts(stage, call, fd, path, caller)) {
        return NULL;
    }
    atomic_fetch_add(&ctl->calls, 1);
    plan.seen++;
    if (plan.seen == stage->n || (stage->lasting && plan.seen > stage->n)) {
        struck = stage;
    }
    if (struck != NULL && !stage->lasting) {
        plan.dead = plan.at + 1 == plan.count;
        plan.at += plan.dead ? 0 : 1;
        plan.seen = 0;
    }
    return struck;
}

struct verdict {
    bool fail;
    int error;
    bool shorten;
    bool die_after;
};

static void strike(const struct stage *stage, enum call call, struct verdict *ret)
{
    static const struct timespec nap = {SLOW_MS / 1000, (long)(SLOW_MS % 1000) * 1000000};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].calls == BIT(call)) {
            snprintf(ctl->where, sizeof(ctl->where), "%s", names[i].name);
        }
    }
    atomic_store(&ctl->fired_pid, (uint32_t)getpid());
    atomic_fetch_add(&ctl->fired, 1);
    switch (stage->action) {
    case ACT_ERROR:
        ret->fail = true;
        ret->error = stage->error;
        break;
    case ACT_SHORT:
        ret->shorten = true;
        break;
    case ACT_KILL:
        kill(getpid(), SIGKILL);
        break;
    case ACT_KILLED:
        ret->die_after = true;
        break;
    case ACT_STOP:
        kill(getpid(), SIGSTOP);
        nanosleep(&nap, NULL); /* another thread may take the signal: not a step further here */
        break;
    case ACT_SLOW:
        nanosleep(&nap, NULL);
        break;
    }
}

static struct verdict ask(enum call call, int fd, const char *path, void *caller)
{
    struct verdict verdict = {0};
    resolve();
    if (inside || resolving || atomic_load_explicit(&ctl->generation, memory_order_relaxed) == 0) {
        return verdict;
    }
    int before = errno;
    inside = true;
    pthread_mutex_lock(&plan_lock);
    const struct stage *stage = step(call, fd, path, caller);
    struct stage copy = stage == NULL ? (struct stage){0} : *stage;
    pthread_mutex_unlock(&plan_lock);
    if (stage != NULL) {
        strike(&copy, call, &verdict);
    }
    inside = false;
    errno = before;
    return verdict;
}

static void finish(const struct verdict *verdict)
{
    if (verdict->die_after) {
        kill(getpid(), SIGKILL);
    }
}

#define CALLER __builtin_return_address(0)

/* --- a small disk --- */

static bool on_disk(int fd)
{
    char room[PATH_MAX];
    size_t len = strnlen(ctl->disk_dir, sizeof(ctl->disk_dir));
    return len != 0 && atomic_load(&ctl->disk_bytes) != 0 && path_of(fd, room) &&
           strncmp(room, ctl->disk_dir, len) == 0 && (room[len] == '/' || room[len] == '\0');
}

static uint64_t whole_pages(off_t size)
{
    return ((uint64_t)size + 4095) & ~UINT64_C(4095);
}

static uint64_t disk_used(void)
{
    uint64_t used = 0;
    struct stat st;
    DIR *dir = opendir(ctl->disk_dir);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode)) {
            used += whole_pages(st.st_size);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return used;
}

static uint64_t disk_room(void)
{
    uint64_t total = atomic_load(&ctl->disk_bytes);
    uint64_t used = disk_used();
    return total > used ? total - used : 0;
}

/* How many of `len` bytes at `offset` (-1: at the descriptor's own) have room; -1 with ENOSPC. */
static ssize_t fit(int fd, off_t offset, size_t len)
{
    struct stat st;
    if (inside || len == 0 || atomic_load(&ctl->disk_bytes) == 0) {
        return (ssize_t)len;
    }
    inside = true;
    ssize_t fits = (ssize_t)len;
    if (on_disk(fd) && fstat(fd, &st) == 0) {
        off_t at = offset >= 0 ? offset : real.lseek(fd, 0, SEEK_CUR);
        uint64_t have = whole_pages(st.st_size);
        uint64_t want = whole_pages(at + (off_t)len);
        if (want > have && want - have > disk_room()) {
            uint64_t end = have + (disk_room() & ~UINT64_C(4095));
            fits = end > (uint64_t)at ? (ssize_t)(end - (uint64_t)at) : -1;
        }
    }
    inside = false;
    if (fits < 0) {
        errno = ENOSPC;
    }
    return fits;
}

/* --- memory --- */

EXPORT void *malloc(size_t size)
{
    struct verdict verdict = ask(CALL_MALLOC, -1, NULL, CALLER);
    if (real.malloc == NULL) {
        return first_alloc(size);
    }
    if (verdict.fail) {
        errno = ENOMEM;
        return NULL;
    }
    return real.malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    struct verdict verdict = ask(CALL_CALLOC, -1, NULL, CALLER);
    if (real.malloc == NULL) {
        return first_alloc(count * size); /* fresh memory is zero */
    }
    if (verdict.fail) {
        errno = ENOMEM;
        return NULL;
    }
    return real.calloc(count, size);
}

EXPORT void *realloc(void *p, size_t size)
{
    struct verdict verdict = ask(CALL_REALLOC, -1, NULL, CALLER);
    if (real.malloc == NULL || is_first(p)) {
        void *fresh = real.malloc == NULL ? first_alloc(size) : real.malloc(size);
        if (fresh != NULL && p != NULL) {
            size_t most = (size_t)(first_memory + sizeof(first_memory) - (char *)p);
            memcpy(fresh, p, size < most ? size : most);
        }
        return fresh;
    }
    if (verdict.fail) {
        errno = ENOMEM;
        return NULL;
    }
    return real.realloc(p, size);
}

EXPORT int posix_memalign(void **ret, size_t align, size_t size)
{
    struct verdict verdict = ask(CALL_POSIX_MEMALIGN, -1, NULL, CALLER);
    return verdict.fail ? ENOMEM : real.posix_memalign(ret, align, size);
}

EXPORT void free(void *p)
{
    if (p == NULL || is_first(p)) {
        return;
    }
    resolve();
    real.free(p);
}

EXPORT void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
    struct verdict verdict = ask(CALL_MMAP, fd, NULL, CALLER);
    if (real.mmap == NULL) {
        return (void *)syscall(SYS_mmap, at, len, protection, flags, fd, offset);
    }
    if (verdict.fail) {
        errno = verdict.error;
        return MAP_FAILED;
    }
    return real.mmap(at, len, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

/* --- files --- */

EXPORT int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    struct verdict verdict = ask(CALL_OPEN, -1, path, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    int fd = real.open(path, flags, mode);
    finish(&verdict);
    return fd;
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    struct verdict verdict = ask(CALL_OPENAT, -1, path, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    int fd = real.openat(dir, path, flags, mode);
    finish(&verdict);
    return fd;
}

EXPORT int open64(const char *, int, ...) __attribute__((alias("open")));
EXPORT int openat64(int, const char *, int, ...) __attribute__((alias("openat")));

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
    struct verdict verdict = ask(CALL_READ, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.read(fd, buf, verdict.shorten ? len / 2 : len);
}

EXPORT ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
    struct verdict verdict = ask(CALL_PREAD, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.pread(fd, buf, verdict.shorten ? len / 2 : len, offset);
}

EXPORT ssize_t pread64(int, void *, size_t, off_t) __attribute__((alias("pread")));

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
    struct verdict verdict = ask(CALL_WRITE, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    ssize_t fits = fit(fd, -1, verdict.shorten ? len / 2 : len);
    ssize_t done = fits < 0 ? -1 : real.write(fd, buf, (size_t)fits);
    finish(&verdict);
    return done;
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
    struct verdict verdict = ask(CALL_PWRITE, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    ssize_t fits = fit(fd, offset, verdict.shorten ? len / 2 : len);
    ssize_t done = fits < 0 ? -1 : real.pwrite(fd, buf, (size_t)fits, offset);
    finish(&verdict);
    return done;
}

EXPORT ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));

static size_t length_of(const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        len += parts[i].iov_len;
    }
    return len;
}

/* The first `len` bytes of `parts`, one call each: short writes need no speed. */
static ssize_t write_some(int fd, const struct iovec *parts, int count, size_t len, off_t offset)
{
    size_t done = 0;
    for (int i = 0; i < count && done < len; i++) {
        size_t part = parts[i].iov_len < len - done ? parts[i].iov_len : len - done;
        ssize_t wrote = offset < 0 ? real.write(fd, parts[i].iov_base, part)
                                   : real.pwrite(fd, parts[i].iov_base, part, offset + (off_t)done);
        if (wrote < 0) {
            return done == 0 ? -1 : (ssize_t)done;
        }
        done += (size_t)wrote;
    }
    return (ssize_t)done;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct verdict verdict = ask(CALL_WRITEV, fd, NULL, CALLER);
    size_t len = length_of(parts, count);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    ssize_t fits = fit(fd, -1, verdict.shorten ? len / 2 : len);
    ssize_t done = fits < 0              ? -1
                   : (size_t)fits == len ? real.writev(fd, parts, count)
                                         : write_some(fd, parts, count, (size_t)fits, -1);
    finish(&verdict);
    return done;
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    struct verdict verdict = ask(CALL_PWRITEV, fd, NULL, CALLER);
    size_t len = length_of(parts, count);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    ssize_t fits = fit(fd, offset, verdict.shorten ? len / 2 : len);
    ssize_t done = fits < 0              ? -1
                   : (size_t)fits == len ? real.pwritev(fd, parts, count, offset)
                                         : write_some(fd, parts, count, (size_t)fits, offset);
    finish(&verdict);
    return done;
}

EXPORT ssize_t pwritev64(int, const struct iovec *, int, off_t) __attribute__((alias("pwritev")));

EXPORT off_t lseek(int fd, off_t offset, int whence)
{
    struct verdict verdict = ask(CALL_LSEEK, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.lseek(fd, offset, whence);
}

EXPORT off_t lseek64(int, off_t, int) __attribute__((alias("lseek")));

/* What returns an int and wants nothing but to be failed. */
#define SIMPLE(call, name, arguments, values, fd, path)                                            \
    EXPORT int name arguments                                                                      \
    {                                                                                              \
        struct verdict verdict = ask(call, fd, path, CALLER);                                      \
        if (verdict.fail) {                                                                        \
            errno = verdict.error;                                                                 \
            return -1;                                                                             \
        }                                                                                          \
        int rc = real.name values;                                                                 \
        finish(&verdict);                                                                          \
        return rc;                                                                                 \
    }

SIMPLE(CALL_FTRUNCATE, ftruncate, (int fd, off_t len), (fd, len), fd, NULL)
SIMPLE(CALL_FSYNC, fsync, (int fd), (fd), fd, NULL)
SIMPLE(CALL_FDATASYNC, fdatasync, (int fd), (fd), fd, NULL)
SIMPLE(CALL_MSYNC, msync, (void *at, size_t len, int flags), (at, len, flags), -1, NULL)
SIMPLE(CALL_RENAMEAT, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to),
       -1, to)
SIMPLE(CALL_UNLINKAT, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), -1,
       path)
SIMPLE(CALL_SOCKET, socket, (int domain, int type, int protocol), (domain, type, protocol), -1,
       NULL)
SIMPLE(CALL_CONNECT, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), fd,
       NULL)
SIMPLE(CALL_ACCEPT4, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags),
       (fd, from, len, flags), fd, NULL)
SIMPLE(CALL_POLL, poll, (struct pollfd * fds, nfds_t count, int ms), (fds, count, ms), -1, NULL)
SIMPLE(CALL_EPOLL_WAIT, epoll_wait, (int fd, struct epoll_event *events, int most, int ms),
       (fd, events, most, ms), fd, NULL)
SIMPLE(CALL_EVENTFD, eventfd, (unsigned count, int flags), (count, flags), -1, NULL)
SIMPLE(CALL_GETENTROPY, getentropy, (void *buf, size_t len), (buf, len), -1, NULL)

EXPORT int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));

/* --- sockets, threads, randomness, clocks --- */

EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    struct verdict verdict = ask(CALL_SEND, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.send(fd, buf, verdict.shorten ? len / 2 : len, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct verdict verdict = ask(CALL_SENDMSG, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.sendmsg(fd, message, flags);
}

EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    struct verdict verdict = ask(CALL_RECV, fd, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.recv(fd, buf, verdict.shorten ? (len + 1) / 2 : len, flags);
}

EXPORT int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *p)
{
    struct verdict verdict = ask(CALL_PTHREAD_CREATE, -1, NULL, CALLER);
    return verdict.fail ? EAGAIN : real.pthread_create(ret, attr, run, p);
}

EXPORT ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
    struct verdict verdict = ask(CALL_GETRANDOM, -1, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.getrandom(buf, verdict.shorten ? len / 2 : len, flags);
}

/* OpenSSL's own; libcrypto may be loaded long after the shim. */
EXPORT int RAND_bytes(unsigned char *buf, int len);
EXPORT int RAND_bytes(unsigned char *buf, int len)
{
    struct verdict verdict = ask(CALL_RAND_BYTES, -1, NULL, CALLER);
    if (verdict.fail) {
        return 0;
    }
    if (real.rand_bytes == NULL) {
        find(&real.rand_bytes, "RAND_bytes");
    }
    return real.rand_bytes(buf, len);
}

EXPORT int clock_gettime(clockid_t clock, struct timespec *ret)
{
    struct verdict verdict = ask(CALL_CLOCK_GETTIME, -1, NULL, CALLER);
    if (verdict.fail) {
        errno = verdict.error;
        return -1;
    }
    return real.clock_gettime == NULL ? (int)syscall(SYS_clock_gettime, clock, ret)
                                      : real.clock_gettime(clock, ret);
}

EXPORT int fstatvfs(int fd, struct statvfs *ret)
{
    resolve();
    int rc = real.fstatvfs(fd, ret);
    if (rc != 0 || inside || atomic_load(&ctl->disk_bytes) == 0) {
        return rc;
    }
    inside = true;
    if (on_disk(fd)) {
        ret->f_blocks = atomic_load(&ctl->disk_bytes) / ret->f_frsize;
        ret->f_bfree = disk_room() / ret->f_frsize;
        ret->f_bavail = ret->f_bfree;
    }
    inside = false;
    return rc;
}

/* --- arming --- */

static void copy_text(char *room, size_t size, const char *text)
{
    snprintf(room, size, "%s", text == NULL ? "" : text);
}

static void arm(const char *spec, const char *path, const char *caller)
{
    uint32_t generation = atomic_load(&ctl->generation);
    bool was_inside = inside;
    inside = true;
    pthread_mutex_lock(&plan_lock);
    atomic_store(&ctl->generation, 0);
    copy_text(ctl->spec, sizeof(ctl->spec), spec);
    copy_text(ctl->path, sizeof(ctl->path), path);
    copy_text(ctl->caller, sizeof(ctl->caller), caller);
    atomic_store(&ctl->fired, 0);
    atomic_store(&ctl->calls, 0);
    static uint32_t last;
    last = (generation > last ? generation : last) + 1;
    if (spec != NULL) {
        atomic_store(&ctl->generation, last);
    }
    pthread_mutex_unlock(&plan_lock);
    inside = was_inside;
}

void fault_arm(const char *spec, const char *path)
{
    arm(spec, path, NULL);
}

void fault_arm_caller(const char *spec, const char *caller)
{
    arm(spec, NULL, caller);
}

void fault_disarm(void)
{
    arm(NULL, NULL, NULL);
}

unsigned fault_fired(void)
{
    return atomic_load(&ctl->fired);
}

unsigned fault_calls(void)
{
    return atomic_load(&ctl->calls);
}

void fault_disk(const char *dir, uint64_t bytes)
{
    copy_text(ctl->disk_dir, sizeof(ctl->disk_dir), dir);
    atomic_store(&ctl->disk_bytes, bytes);
}

/* Forks take the lock along in whatever state it is. */
static void unlock_in_child(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    plan_lock = fresh;
}

__attribute__((constructor)) static void start(void)
{
    resolve();
    inside = true;
    (void)pthread_atfork(NULL, NULL, unlock_in_child);
    const char *shared = getenv("FAULT_CTL");
    if (shared != NULL) {
        int fd = real.open(shared, O_RDWR | O_CLOEXEC);
        void *page =
            fd < 0 ? MAP_FAILED
                   : real.mmap(NULL, FAULT_CTL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd >= 0) {
            (void)close(fd);
        }
        if (page != MAP_FAILED) {
            ctl = page;
        }
    }
    inside = false;
    const char *spec = getenv("FAULT");
    if (spec != NULL) {
        arm(spec, getenv("FAULT_PATH"), getenv("FAULT_CALLER"));
    }
}
