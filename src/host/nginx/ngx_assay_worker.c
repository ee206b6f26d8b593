#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "host/nginx/ngx_assay_worker.h"

#include "host/nginx/ngx_assay_exchange.h"
#include "host/nginx/ngx_assay_store.h"

#define REOPEN_EVERY_MS 500
#define STAY_MS 1000

/* nginx gives a module no place for what belongs to a worker process. */
static struct ngx_assay_worker
    the_worker; /* NOLINT(cppcoreguidelines-avoid-non-const-global-variables) */

struct ngx_assay_worker *ngx_assay_worker(void)
{
    return the_worker.digester == NULL ? NULL : &the_worker;
}

static ngx_uint_t level_of(enum assay_log_level level)
{
    switch (level) {
    case ASSAY_LOG_ERROR:
        return NGX_LOG_ERR;
    case ASSAY_LOG_WARN:
        return NGX_LOG_WARN;
    case ASSAY_LOG_NOTICE:
        return NGX_LOG_NOTICE;
    }
    return NGX_LOG_ERR;
}

size_t ngx_assay_log_escape(struct assay_slice detail, u_char *room, size_t size)
{
    static const size_t longest = sizeof("\\xHH...") - 1;
    u_char *out = room;
    for (size_t i = 0; i < detail.len; i++) {
        if (out + longest > room + size) {
            return (size_t)(ngx_cpymem(out, "...", 3) - room);
        }
        uint8_t c = detail.data[i];
        if (c >= 0x20 && c < 0x7F && c != '\\' && c != '"') {
            *out++ = c;
        } else {
            out = ngx_sprintf(out, "\\x%02Xd", (ngx_uint_t)c);
        }
    }
    return (size_t)(out - room);
}

static void log_line(struct assay_log *log, enum assay_log_level level, const char *event,
                     struct assay_slice detail)
{
    u_char room[NGX_MAX_ERROR_STR];
    (void)log;
    /* nginx cuts its lines at the same length, which is ours, too (ASSAY_MAX_LOG_LINE). */
    size_t len = ngx_assay_log_escape(detail, room, sizeof(room));
    ngx_log_error(level_of(level), ngx_cycle->log, 0, "assay: %s: %*s", event, len, room);
}

/* What is still missing; true when nothing is. */
static bool open_parts(ngx_cycle_t *cycle, const ngx_array_t *confs)
{
    struct assay_error error = {0};
    if (the_worker.recent == NULL) {
        the_worker.recent = ngx_calloc(sizeof(*the_worker.recent), cycle->log);
    }
    if (the_worker.digester == NULL &&
        assay_digester_open(&the_worker.digester, &error) != ASSAY_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "assay: %s", error.what);
        return false;
    }
    return the_worker.recent != NULL && ngx_assay_stores_open(cycle, confs, &the_worker.log);
}

static void open_again(ngx_event_t *event)
{
    const ngx_array_t *confs = ngx_assay_timer_context(event);
    if (!open_parts((ngx_cycle_t *)(uintptr_t)ngx_cycle, confs)) {
        ngx_add_timer(event, REOPEN_EVERY_MS);
    }
}

void ngx_assay_worker_open(ngx_cycle_t *cycle, const ngx_array_t *confs)
{
    the_worker.log.write = log_line;
    if (!open_parts(cycle, confs)) {
        ngx_assay_timer_init(&the_worker.again, open_again, (void *)(uintptr_t)confs);
        the_worker.again.event.cancelable = 1; /* it keeps no worker from leaving */
        ngx_add_timer(&the_worker.again.event, REOPEN_EVERY_MS);
    }
}

/* A worker that is to end leaves when no timer runs any more, whatever its thread pool is at. */
static void stay_on(ngx_event_t *event)
{
    ngx_add_timer(event, STAY_MS);
}

void ngx_assay_worker_scrypt_begun(void)
{
    if (the_worker.scrypts++ == 0) {
        ngx_assay_timer_init(&the_worker.stay, stay_on, NULL);
        ngx_add_timer(&the_worker.stay.event, STAY_MS);
    }
}

void ngx_assay_worker_scrypt_ended(void)
{
    if (--the_worker.scrypts == 0 && the_worker.stay.event.timer_set) {
        ngx_del_timer(&the_worker.stay.event);
    }
}

/* The stores first: what they have in hand is answered through the blocks. */
void ngx_assay_worker_close(void)
{
    if (the_worker.again.event.timer_set) {
        ngx_del_timer(&the_worker.again.event);
    }
    if (the_worker.stay.event.timer_set) {
        ngx_del_timer(&the_worker.stay.event);
    }
    ngx_assay_stores_close();
    ngx_assay_blocks_free(&the_worker);
    ngx_free(the_worker.recent);
    the_worker.recent = NULL;
    assay_digester_close(the_worker.digester);
    the_worker.digester = NULL;
}
