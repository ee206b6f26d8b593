/* The world shim: clocks that jump and names that hang, for LD_PRELOAD.
 *
 *   WORLD_CTL   a file of one page that a test maps and writes to: struct world_ctl. Both offsets
 * may change while programs run. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct world_ctl {
    _Atomic int64_t wall_s;   /* added to the wall clock */
    _Atomic int64_t boot_s;   /* added to CLOCK_BOOTTIME: the machine has slept */
    _Atomic int64_t names_ms; /* how long each look-up of a name hangs */
    _Atomic int64_t look_ups; /* out: that hang right now */
};

static struct world_ctl *ctl(void)
{
    static struct world_ctl *mapped;
    static struct world_ctl none;
    if (mapped == NULL) {
        const char *file = getenv("WORLD_CTL");
        int fd = file == NULL ? -1 : open(file, O_RDWR | O_CLOEXEC);
        void *page =
            fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd >= 0) {
            close(fd);
        }
        mapped = page == MAP_FAILED ? &none : page;
    }
    return mapped;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    static int (*real)(clockid_t, struct timespec *);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    }
    int rc = real(clock, ts);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        ts->tv_sec += ctl()->wall_s;
    } else if (clock == CLOCK_BOOTTIME) {
        ts->tv_sec += ctl()->boot_s;
    }
    return rc;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;
    (void)zone;
    int rc = clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return rc;
}

time_t time(time_t *ret)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (ret != NULL) {
        *ret = ts.tv_sec;
    }
    return ts.tv_sec;
}

int getaddrinfo(const char *restrict node, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (real == NULL) {
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    }
    int64_t hangs_ms = ctl()->names_ms;
    if (hangs_ms > 0) {
        ctl()->look_ups++;
        for (int64_t waited = 0; waited < hangs_ms && ctl()->names_ms > 0; waited += 10) {
            struct timespec pause = {.tv_nsec = 10000000};
            nanosleep(&pause, NULL);
        }
        ctl()->look_ups--;
    }
    bool ours = node != NULL && strcmp(node, "as.example") == 0; /* a name that this machine has */
    return real(ours ? "127.0.0.1" : node, service, hints, ret);
}
