#include "engine.h"
#include "store/lmdb/lmdb_store.h"
#include "support/check.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

void engine_create(struct engine_place *place)
{
    struct assay_error error = {0};
    strcpy(place->path, "/tmp/assay-contract-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    assert_ok(assay_lmdb_create(place->path, &error), &error);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void engine_remove(struct engine_place *place)
{
    assert_int_equal(nftw(place->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

struct assay_store *engine_open(struct engine_place *place, struct assay_loop *loop)
{
    struct assay_error error = {0};
    struct assay_store *store = NULL;
    struct assay_lmdb_options options = {.path = place->path, .loop = loop};
    options.map_size = (uint64_t)8 << 30; /* what fits under valgrind and the sanitizers */
    assert_ok(assay_lmdb_open(&options, &store, &error), &error);
    return store;
}
