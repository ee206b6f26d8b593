#include "store/lmdb/lmdb_priv.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The machine's boot, as the kernel names it: 32 hexadecimal digits and some hyphens. Where that is
 * hidden all boots look like one, and a restart of the machine like a step of the clock. */
static void read_boot(uint8_t out[ASSAY_STEADY_ID_LEN])
{
    uint8_t text[36] = {0};
    size_t digits = 0;
    memset(out, 0, ASSAY_STEADY_ID_LEN);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t got = read(fd, text, sizeof(text));
    close(fd);
    for (ssize_t i = 0; i < got && digits < (size_t)2 * ASSAY_STEADY_ID_LEN; i++) {
        int digit = hex_digit(text[i]);
        if (digit >= 0) {
            out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | digit);
            digits++;
        }
    }
}

static void read_clocks(struct lmdb_store *store, struct assay_change *change)
{
    struct timespec boot;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    change->u.sweep.steady_s = (int64_t)boot.tv_sec;
    read_boot(change->u.sweep.steady_id);
    change->now_s = store->clock(store->clock_context);
}

void lmdb_sweep_once(struct lmdb_store *store)
{
    struct lmdb_write w;
    struct assay_error error = {0};
    struct assay_change change = {.verb = ASSAY_CHANGE_SWEEP};
    int dead = 0;
    store->last_sweep_ms = lmdb_now_ms();
    store->sweep_more = false;
    (void)mdb_reader_check(store->env, &dead); /* slots of killed processes hold pages back */
    read_clocks(store, &change);
    if (lmdb_write_begin(store, &w, &error) != 0) {
        return;
    }
    enum assay_status status = lmdb_sweep_run(&w, &change, &error);
    if (status == ASSAY_OK && w.dirty) {
        status = lmdb_write_commit(&w, &error);
    }
    if (w.txn != NULL) {
        mdb_txn_abort(w.txn);
    }
    if (status != ASSAY_OK) {
        lmdb_log(store, ASSAY_LOG_ERROR, "sweep_failed", error.what);
    }
    store->sweep_more = status == ASSAY_OK && change.u.sweep.more;
}

void lmdb_keep_witness(struct lmdb_store *store, bool now)
{
    int64_t now_ms = lmdb_now_ms();
    bool early = store->witness_ms != 0 && now_ms - store->witness_ms < LMDB_LOOK_EVERY_MS;
    if (!store->witness_due || store->env == NULL || (early && !now) ||
        atomic_load(&store->trouble.replaced)) {
        return;
    }
    store->witness_ms = now_ms;
    store->witness_due = !lmdb_witness_renew(store);
}

void lmdb_note_corrupt(struct lmdb_store *store, const char *what)
{
    if (!atomic_exchange(&store->trouble.corrupt, true)) {
        lmdb_log(store, ASSAY_LOG_ERROR, "store_corrupt", what);
    }
}
