/* The fault shim: makes a chosen system or library call fail, fall short, kill or stop its process,
 * so that a test can walk every point at which the world can let a program down.
 *
 * Built twice: as libfault.so for LD_PRELOAD, and into test programs, whose own calls and those of
 * the libraries they use go through it all the same.
 *
 *   FAULT      SPEC[,SPEC...]   the second is counted once the first has struck, and so on
 *   SPEC       CALLS:N[:once|lasting][:ACTION]
 *   CALLS      names joined by '+', or a group (below)
 *   N          the N-th such call of this process, from 1
 *   once       that call alone (so by default); lasting: that one and all after it
 *   ACTION     an errno's name (EIO by default); short: half of what was to be written or read;
 *              kill: SIGKILL instead of the call; killed: SIGKILL right after it; stop: SIGSTOP
 *              before it; slow: 300 ms before it
 *
 *   FAULT_PATH      counts only calls on a path that contains this (descriptors by their link in
 *                   /proc; calls without a descriptor or path never match)
 *   FAULT_CALLER    counts only calls from a library or program whose file name contains this
 *   FAULT_CTL       a file of a page that a test maps and writes to, so that a running server gets
 *                   one fault after another: struct fault_ctl
 *
 * Groups: `alloc` (malloc calloc realloc posix_memalign), `write` (write writev pwrite pwritev),
 * `sync` (fsync fdatasync msync), `meta` (a write on a descriptor opened with O_DSYNC: where LMDB
 * writes its first two pages), `random` (getrandom getentropy RAND_bytes, and opening the devices).
 *
 * A disk of a stated size can be played as well: within `disk_dir`, writes fail or fall short and
 * fstatvfs counts as if all that the directory may hold were `disk_bytes`. */
#ifndef ASSAY_TEST_FAULT_FAULT_H
#define ASSAY_TEST_FAULT_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

#define FAULT_CTL_SIZE 4096

/* Lies in the shared page; test/e2e/fault.py writes it by these offsets. */
struct fault_ctl {
    _Atomic uint32_t generation; /* 0: nothing armed; changes when anything below does */
    _Atomic uint32_t fired;      /* since then, in all processes */
    _Atomic uint32_t calls;      /* that matched */
    _Atomic uint32_t fired_pid;
    _Atomic uint64_t disk_bytes; /* 0: no such disk */
    char spec[256];
    char path[256];
    char caller[128];
    char disk_dir[256];
    char where[128]; /* out: the call that was struck last */
};

/* For programs that link the shim. */
void fault_arm(const char *spec, const char *path);
void fault_arm_caller(const char *spec, const char *caller);
void fault_disarm(void);
unsigned fault_fired(void); /* since armed */
unsigned fault_calls(void); /* that matched, since armed */
void fault_disk(const char *dir, uint64_t bytes);

#endif
