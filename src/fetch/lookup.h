/* Look-ups of names. libcurl makes them in threads of its own and leaves one behind that is not
 * done when its exchange ends (CURLOPT_QUICK_EXIT), which is what keeps a worker from stopping for
 * it; so that they cannot become ever more, there is a bound, and one that was left behind counts
 * for a while. */
#ifndef ASSAY_FETCH_LOOKUP_H
#define ASSAY_FETCH_LOOKUP_H

#include "loop/loop.h"

#include <stddef.h>

struct assay_lookups {
    struct assay_loop *loop;
    struct assay_timer over; /* forgets what was given up */
    size_t under_way;
    size_t hanging; /* given up */
};

/* Whether an exchange is at it: false to begin with. */
struct assay_lookup {
    bool under_way;
};

void assay_lookups_init(struct assay_lookups *lookups, struct assay_loop *loop);
void assay_lookups_clear(struct assay_lookups *lookups);

/* False when too many are under way or hang. */
bool assay_lookup_begin(struct assay_lookups *lookups, struct assay_lookup *lookup);

/* It is done, whether there is such a name or not; nothing if none was under way. */
void assay_lookup_end(struct assay_lookups *lookups, struct assay_lookup *lookup);

/* Whoever wanted it is gone, and its thread may not be; nothing if none was under way. */
void assay_lookup_give_up(struct assay_lookups *lookups, struct assay_lookup *lookup);

#endif
