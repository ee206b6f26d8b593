/* The embedded engine, on LMDB. A directory holds `data` and `lock` (LMDB's), `wake` (touched after
 * each commit), `witness` (who the store was last: identity and number), `ballast` (room that
 * revocation gets on a full disk). */
#ifndef ASSAY_STORE_LMDB_LMDB_STORE_H
#define ASSAY_STORE_LMDB_LMDB_STORE_H

#include "base/attr.h"
#include "base/log.h"
#include "base/status.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_STORE_DEFAULT_MAX_SIZE (UINT64_C(64) << 30) /* bytes */
#ifndef __SANITIZE_THREAD__
#define ASSAY_STORE_MAP_SIZE (UINT64_C(1) << 40) /* bytes of address space */
#else /* its shadow leaves 1.5 TiB, of which a random start may take 1 TiB */
#define ASSAY_STORE_MAP_SIZE (UINT64_C(1) << 36)
#endif

struct assay_lmdb_options {
    const char *path;  /* the directory; followed nowhere: a symbolic link is refused */
    uint64_t max_size; /* bytes; 0: ASSAY_STORE_DEFAULT_MAX_SIZE */
    uint64_t map_size; /* bytes; 0: ASSAY_STORE_MAP_SIZE (tests under valgrind: 8 GiB) */
    bool read_only;    /* no writer thread; every change is ASSAY_ERR_STORE */
    bool warm;         /* map beforehand what is in memory: for who will look up much */
    bool sweep;        /* this process sweeps when it has nothing else to do */
    bool tries_again; /* the host opens it later if it cannot be opened now: it is not waited for */
    struct assay_loop *loop;
    struct assay_log *log;
    struct assay_store_meter *meter; /* NULL: nobody counts */
    /* Wall clock, seconds since the epoch, for the sweeper, which acts on its own. NULL: time(). */
    int64_t (*clock)(void *context);
    void *clock_context;
};

/* Makes a store in the directory `path`, which is created (0700) if missing and must be empty.
 * Fails with ASSAY_ERR_EXISTS when a store is there, ASSAY_ERR_SYSTEM otherwise; after a crash half
 * way there is either no store or a complete one, and this works again. */
ASSAY_MUST_USE enum assay_status assay_lmdb_create(const char *path, struct assay_error *reterr);

/* Looks at the first pages of the store and at the files around it without opening it: what a
 * master process does. ASSAY_ERR_ABSENT: no store here. ASSAY_ERR_CORRUPT: damaged or of another
 * format. */
ASSAY_MUST_USE enum assay_status assay_lmdb_check(const char *path, struct assay_error *reterr);

/* Opens the store and starts the writer thread. Once per path and process. Close with
 * (*ret)->ops->close. Fails as assay_lmdb_check does, and with ASSAY_ERR_SYSTEM. */
ASSAY_MUST_USE enum assay_status assay_lmdb_open(const struct assay_lmdb_options *options,
                                                 struct assay_store **ret,
                                                 struct assay_error *reterr);

/* Writes a copy of the store at `path` to the new file `to` (0600; refused if it exists),
 * consistent and safe while others read and write. `compact`: without free pages. */
ASSAY_MUST_USE enum assay_status assay_lmdb_copy(const char *path, const char *to, bool compact,
                                                 struct assay_error *reterr);

/* Puts the copy `from` in place as the store of directory `path` (made if missing; an existing
 * store is replaced atomically once the copy has been checked whole, and must not be open
 * anywhere). The store gets a new identity, numbers jump, and unless `keep_tokens` everything
 * before is cut off. */
ASSAY_MUST_USE enum assay_status assay_lmdb_restore(const char *path, const char *from,
                                                    bool keep_tokens, int64_t now_s,
                                                    struct assay_error *reterr);

#endif
