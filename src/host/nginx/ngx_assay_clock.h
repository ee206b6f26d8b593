/* The clocks as a worker reads them: once where many requests may share a reading, since each costs
 * as much as a look-up in the store. */
#ifndef ASSAY_HOST_NGX_ASSAY_CLOCK_H
#define ASSAY_HOST_NGX_ASSAY_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC, microseconds. */
int64_t ngx_assay_now_us(void);
/* CLOCK_BOOTTIME, microseconds: what ages are counted on. It goes on while the machine sleeps. */
int64_t ngx_assay_boot_us(void);
/* CLOCK_REALTIME, seconds: nginx's own clock stands still while it works. */
int64_t ngx_assay_now_s(void);

/* A request begins: both clocks, as they were at the first request of this turn of the loop. */
void ngx_assay_clock_begin(int64_t *ret_us, int64_t *ret_s);

/* CLOCK_REALTIME, seconds, read since the last request began: what a look-up is judged by. */
int64_t ngx_assay_clock_judge_s(void);

#endif
