/* A slower disk, by LD_PRELOAD: each flush takes SLOW_DISK_US microseconds more. LMDB flushes a
 * commit twice, by fdatasync() and by a write to a descriptor that was opened with O_DSYNC. For
 * bench/run --flush-us, which lays it under both sides of a comparison. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long us;

/* At the start: nginx takes the environment from its workers. */
__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("SLOW_DISK_US");
    us = text == NULL ? 0 : strtol(text, NULL, 10);
}

static void wait_a_flush(void)
{
    const struct timespec more = {us / 1000000, us % 1000000 * 1000};
    (void)nanosleep(&more, NULL);
}

int fdatasync(int fd)
{
    int (*real)(int) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
    wait_a_flush();
    return real(fd);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    if ((fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
        wait_a_flush();
    }
    return real(fd, data, len, at);
}
