/* Bytes a live token takes after a day of churn: two lifetimes mixed (one hour and eight), issued
 * evenly through 24 hours of an injected clock in ticks of one minute, swept once a tick.
 *
 *   store_churn STORE COUNT    COUNT tokens over the day; prints figures as JSON */
#include "fill.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

static const int64_t lifetimes[] = {3600, 8 * 3600};

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: store_churn STORE COUNT\n");
        return 2;
    }
    static const char client[] = "bench0client0of0tokens";
    uint64_t count = strtoull(argv[2], NULL, 10);
    int64_t start = (int64_t)time(NULL);
    struct fill *fill = fill_open(argv[1], true, start);
    fill_add_client(fill, client, "bench0secret0bench0secret0bench0secret0bench0", false);
    const uint64_t ticks = UINT64_C(24) * 60;
    uint64_t per_tick = count / ticks + 1;
    for (uint64_t tick = 0; tick < ticks; tick++) {
        /* Steps of less than a minute: a jump of more would be a clock step, which stops the sweep.
         */
        fill_clock(fill, start + (int64_t)tick * 60 + 30);
        fill_issue(fill, client, per_tick / 2, lifetimes, 2, 0, NULL);
        fill_clock(fill, start + (int64_t)(tick + 1) * 60);
        fill_issue(fill, client, per_tick - per_tick / 2, lifetimes, 2, 0, NULL);
        fill_sweep(fill);
    }
    struct assay_store_stat stat;
    fill_stat(fill, &stat);
    uint64_t live = per_tick * (60 + 8 * 60) / 2;
    printf("{\"issued\":%" PRIu64 ",\"live_tokens\":%" PRIu64 ",\"records\":%" PRIu64
           ",\"bytes_used\":%" PRIu64 ",\"bytes_file\":%" PRIu64 "}\n",
           per_tick * ticks, live, stat.tokens, stat.bytes_used, stat.bytes_file);
    fill_close(fill);
    return 0;
}
