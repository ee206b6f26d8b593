/* nginx's event loop as a struct assay_loop. */
#ifndef ASSAY_HOST_NGX_ASSAY_EVENT_H
#define ASSAY_HOST_NGX_ASSAY_EVENT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "loop/loop.h"

/* The loop of this worker; stateless, so one constant serves all. */
struct assay_loop *ngx_assay_loop(void);

/* A timer's event. nginx's debug log takes what an event's data points to for a connection, so it
 * is one, of nobody. */
struct ngx_assay_timer {
    ngx_event_t event;
    ngx_connection_t nobody;
};

/* `handler` gets the event, and from it the context. */
void ngx_assay_timer_init(struct ngx_assay_timer *timer, ngx_event_handler_pt handler,
                          void *context);
void *ngx_assay_timer_context(const ngx_event_t *event);

/* Sets or moves it to `delay_ms` milliseconds from now. nginx itself leaves a timer where it is
 * that is to be moved by less than 300. */
void ngx_assay_timer_set(ngx_event_t *event, int64_t delay_ms);

#endif
