#include "crash/place.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 2
#define ROOM_NEEDED (UINT64_C(512) << 20)

static void die(const char *what)
{
    fprintf(stderr, "place: %s: %s\n", what, strerror(errno));
    exit(93);
}

static bool has_room(const char *dir)
{
    struct statvfs fs;
    return access(dir, W_OK) == 0 && statvfs(dir, &fs) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize >= ROOM_NEEDED;
}

void place_make(struct place *place)
{
    const char *temp = getenv("TMPDIR");
    const char *dir = has_room("/dev/shm") ? "/dev/shm" : temp != NULL ? temp : "/tmp";
    snprintf(place->path, sizeof(place->path), "%s/assay-crash-XXXXXX", dir);
    if (mkdtemp(place->path) == NULL) {
        die(place->path);
    }
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void place_remove(const struct place *place)
{
    if (nftw(place->path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0) {
        die(place->path);
    }
}

uint64_t place_setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL || *text == 0 ? otherwise : strtoull(text, NULL, 10);
}

bool place_is_deep(void)
{
    return place_setting("ASSAY_DEEP", 0) != 0;
}

uint64_t place_seed(void)
{
    static uint64_t seed;
    if (seed == 0) {
        seed = place_setting("ASSAY_CRASH_SEED", (uint64_t)time(NULL));
        printf("seed %llu (ASSAY_CRASH_SEED sets it)\n", (unsigned long long)seed);
    }
    return seed;
}

/* --- the pool --- */

static void *shared(size_t len)
{
    void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        die("shared memory");
    }
    return map;
}

static size_t outcomes_len(const struct pool *pool)
{
    return (pool->count + 1) * sizeof(*pool->outcomes);
}

void pool_begin(struct pool *pool, unsigned worker, size_t number)
{
    pool->current[worker] = number;
    alarm(pool->seconds);
}

void pool_end(struct pool *pool, size_t number, enum verdict verdict, const char *why)
{
    alarm(0);
    snprintf(pool->outcomes[number].why, sizeof(pool->outcomes[number].why), "%s", why);
    pool->outcomes[number].verdict = (uint8_t)verdict;
}

static pid_t start(struct pool *pool, unsigned worker, size_t from)
{
    fflush(NULL);
    pool->current[worker] = SIZE_MAX;
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid > 0) {
        return pid;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* none is left behind */
    signal(SIGALRM, SIG_DFL);
    static const int deaths[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++) {
        signal(deaths[i], SIG_DFL); /* the test's own handlers would go on as if it were theirs */
    }
    int nowhere = pool->quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (nowhere >= 0) {
        (void)dup2(nowhere, STDERR_FILENO);
    }
    pool->work(pool, worker, WORKERS, from);
    _exit(0);
}

/* A worker has ended: by itself, or by the thing it was at. Returns what to start it anew for. */
static size_t bury(struct pool *pool, unsigned worker, int status)
{
    size_t at = pool->current[worker];
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return SIZE_MAX;
    }
    if (at == SIZE_MAX) {
        fprintf(stderr, "a worker died before its first image\n");
        exit(93);
    }
    bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    char why[80];
    snprintf(why, sizeof(why), "status %x", (unsigned)status);
    pool_end(pool, at, hung ? VERDICT_HANG : VERDICT_CRASH, why);
    return at + 1;
}

void pool_run(struct pool *pool)
{
    pid_t pids[WORKERS];
    unsigned alive = WORKERS;
    pool->outcomes = shared(outcomes_len(pool));
    pool->current = shared(WORKERS * sizeof(*pool->current));
    for (unsigned i = 0; i < WORKERS; i++) {
        pids[i] = start(pool, i, 0);
    }
    while (alive > 0) {
        int status = 0;
        pid_t pid = waitpid(-1, &status, 0);
        for (unsigned i = 0; i < WORKERS; i++) {
            if (pid != pids[i]) {
                continue;
            }
            size_t from = bury(pool, i, status);
            pids[i] = from < pool->count ? start(pool, i, from) : 0;
            alive -= from < pool->count ? 0 : 1;
        }
    }
}

void pool_free(struct pool *pool)
{
    munmap(pool->outcomes, outcomes_len(pool));
    munmap(pool->current, WORKERS * sizeof(*pool->current));
    pool->outcomes = NULL;
    pool->current = NULL;
}
