#include "fetch/lookup.h"

#define MAX_LOOKUPS 8
#define HANGS_MS 30000 /* how long one that was given up is taken to hang on */

static void on_over(struct assay_timer *timer)
{
    struct assay_lookups *lookups = timer->context;
    lookups->hanging = 0;
}

void assay_lookups_init(struct assay_lookups *lookups, struct assay_loop *loop)
{
    *lookups = (struct assay_lookups){
        .loop = loop,
        .over = {.fired = on_over, .background = true, .context = lookups},
    };
}

void assay_lookups_clear(struct assay_lookups *lookups)
{
    lookups->loop->timer_clear(lookups->loop, &lookups->over);
}

bool assay_lookup_begin(struct assay_lookups *lookups, struct assay_lookup *lookup)
{
    if (lookup->under_way) {
        return true;
    }
    if (lookups->under_way + lookups->hanging >= MAX_LOOKUPS) {
        return false;
    }
    lookup->under_way = true;
    lookups->under_way++;
    return true;
}

void assay_lookup_end(struct assay_lookups *lookups, struct assay_lookup *lookup)
{
    if (lookup->under_way) {
        lookup->under_way = false;
        lookups->under_way--;
    }
}

void assay_lookup_give_up(struct assay_lookups *lookups, struct assay_lookup *lookup)
{
    if (lookup->under_way) {
        assay_lookup_end(lookups, lookup);
        lookups->hanging++;
        (void)lookups->loop->timer_set(lookups->loop, &lookups->over, HANGS_MS);
    }
}
