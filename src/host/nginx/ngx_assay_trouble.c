#include "host/nginx/ngx_assay_clock.h"
#include "host/nginx/ngx_assay_question.h"

#define PROBE_MS 1000           /* a server that fails is asked once in so long */
#define FAILURES 3              /* in a row, until it is taken to be down */
#define LOG_US INT64_C(1000000) /* trouble of one kind is logged no more often */
#define PAUSE_MAX_MS 30000      /* however long the server asks to be left alone */
#define RETRY_COST 10           /* tenths of a retry: what one costs, a question earning one */

void ngx_assay_trouble_say(struct ngx_assay_asker *asker, enum assay_reason why, const char *what)
{
    bool rejected = why == ASSAY_REASON_AS_REJECTS_US;
    struct ngx_assay_trouble_log *log = rejected ? &asker->rejected : &asker->troubled;
    int64_t now_us = ngx_assay_boot_us();
    if (log->last_us != 0 && now_us - log->last_us < LOG_US) {
        log->unlogged++;
        return;
    }
    struct assay_slice name = assay_reason_name(why);
    ngx_uint_t level = rejected ? NGX_LOG_CRIT : NGX_LOG_ERR;
    ngx_log_error(level, ngx_cycle->log, 0,
                  "assay: %*s: provider \"%V\": %s (%ui more since the last line)", name.len,
                  name.data, &asker->provider->name, what, log->unlogged);
    log->last_us = now_us;
    log->unlogged = 0;
}

/* A server that cannot be reached, or wants to be left alone, is asked by one question at a time.
 * One that answers, however badly, is not spared: a token that it stumbles over would else shut out
 * all others. */
void ngx_assay_trouble_failed(struct ngx_assay_asker *asker, bool reached, int64_t retry_after_s)
{
    int64_t pause_ms = ngx_min(retry_after_s * 1000, PAUSE_MAX_MS);
    asker->failures = reached ? 0 : asker->failures + 1;
    if (asker->failures >= FAILURES) {
        pause_ms = ngx_max(pause_ms, PROBE_MS);
    }
    if (pause_ms > 0) {
        asker->pause_until_us = ngx_assay_boot_us() + 1000 * pause_ms;
    }
}

void ngx_assay_trouble_over(struct ngx_assay_asker *asker, ngx_uint_t endpoint)
{
    asker->failures = 0;
    asker->pause_until_us = 0;
    asker->good = endpoint;
}

void ngx_assay_trouble_at(struct ngx_assay_asker *asker, ngx_uint_t endpoint)
{
    if (asker->good == endpoint && asker->url_count != 0) {
        asker->good = (endpoint + 1) % asker->url_count;
    }
}

bool ngx_assay_trouble_paused(const struct ngx_assay_asker *asker)
{
    return asker->pause_until_us > ngx_assay_boot_us() ||
           (asker->failures >= FAILURES && asker->asking > 0); /* the probe is under way */
}

bool ngx_assay_trouble_may_retry(struct ngx_assay_asker *asker)
{
    if (asker->budget < RETRY_COST) {
        return false;
    }
    asker->budget -= RETRY_COST;
    return true;
}

/* At most as many as can be on their way at once: all of those may meet a server that restarts. */
void ngx_assay_trouble_earn_retry(struct ngx_assay_asker *asker)
{
    asker->budget = ngx_min(asker->budget + 1, RETRY_COST * asker->provider->asking_max);
}
