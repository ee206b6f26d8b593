#include "store/lmdb/lmdb_priv.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first look at a page through a map of this process is a trip into the kernel, also when the
 * page has long been in memory: dearer than the look-up itself, for every worker anew after every
 * reload. So the writer, while it has nothing to write, looks at each stretch of the file
 * beforehand. What is not in memory is left alone: nothing is read from the disk. */

#define STRETCH_PAGES 16384 /* looked at in one go, a few milliseconds */
#define AROUND_PAGES 16     /* that one look brings in, as the kernel is shipped */

/* Bytes of the file, as far as it goes now. */
static uint64_t file_size(const struct lmdb_store *store)
{
    struct stat st;
    return fstatat(store->dir_fd, "data", &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

static void look_at(const uint8_t *from, size_t pages, size_t page_size)
{
    unsigned char in_memory[STRETCH_PAGES];
    union {
        const uint8_t *in;
        void *out; /* mincore writes nothing there, but says so in no type */
    } at = {.in = from};
    if (mincore(at.out, pages * page_size, in_memory) != 0) {
        return;
    }
    for (size_t i = 0; i < pages; i += AROUND_PAGES) {
        if ((in_memory[i] & 1) != 0) {
            (void)*(const volatile uint8_t *)(from + i * page_size);
        }
    }
}

bool lmdb_warm_some(struct lmdb_store *store)
{
    size_t page_size = store->pages.page_size;
    if (!store->warm || store->env == NULL) {
        return false;
    }
    uint64_t pages = file_size(store) / page_size;
    if (store->warmed_pages >= pages) {
        store->warm = false; /* later pages are warm from being written or read */
        return false;
    }
    uint64_t left = pages - store->warmed_pages;
    size_t count = left < STRETCH_PAGES ? (size_t)left : STRETCH_PAGES;
    look_at(store->pages.base + store->warmed_pages * page_size, count, page_size);
    store->warmed_pages += count;
    return true;
}
