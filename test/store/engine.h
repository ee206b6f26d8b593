/* What the contract suite needs of an engine: one fresh store, opened once or several times. */
#ifndef ASSAY_TEST_STORE_ENGINE_H
#define ASSAY_TEST_STORE_ENGINE_H

#include "loop/loop.h"
#include "store/store.h"

struct engine_place {
    char path[64]; /* of a store of its own */
};

/* Makes an empty store in a temporary place; engine_remove takes it away with all it holds. */
void engine_create(struct engine_place *place);
void engine_remove(struct engine_place *place);

/* Opens it, without a sweeper of its own. Ends the test when it cannot. */
struct assay_store *engine_open(struct engine_place *place, struct assay_loop *loop);

#endif
