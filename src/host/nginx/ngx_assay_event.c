#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "host/nginx/ngx_assay_event.h"

/* What is watched is this worker's alone: when it is told to leave, it need not be waited for. */
static bool is_told_to_leave(const ngx_connection_t *connection)
{
    return connection->close;
}

static void on_event(ngx_event_t *event)
{
    ngx_connection_t *connection = event->data;
    struct assay_watch *watch = connection->data;
    if (is_told_to_leave(connection)) {
        connection->close = 0; /* its owner closes it, or its time-out does */
        return;
    }
    watch->is = event->write ? ASSAY_WRITABLE : ASSAY_READABLE;
    watch->ready(watch);
}

static ngx_connection_t *connect_fd(struct assay_watch *watch)
{
    ngx_connection_t *connection = ngx_get_connection(watch->fd, ngx_cycle->log);
    if (connection != NULL) {
        connection->data = watch;
        connection->read->handler = on_event;
        connection->read->log = ngx_cycle->log;
        connection->write->handler = on_event;
        connection->write->log = ngx_cycle->log;
        watch->host = connection;
    }
    return connection;
}

/* Whoever says what it wants is told each time anew that it is so: libcurl does not read until it
 * would block. */
static ngx_int_t want(ngx_event_t *event, ngx_int_t which, bool wanted, ngx_uint_t flags)
{
    if (!wanted && event->posted) { /* nginx with accept_mutex puts off what is ready */
        ngx_delete_posted_event(event);
    }
    if (wanted == (event->active != 0)) {
        return NGX_OK;
    }
    return wanted ? ngx_add_event(event, which, flags) : ngx_del_event(event, which, 0);
}

static enum assay_status watch_fd(struct assay_loop *loop, struct assay_watch *watch,
                                  struct assay_error *reterr)
{
    bool once = watch->wants == 0;
    unsigned wants = once ? ASSAY_READABLE : watch->wants;
    ngx_uint_t flags =
        once && (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT;
    ngx_connection_t *connection = watch->host != NULL ? watch->host : connect_fd(watch);
    if (connection == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no nginx connection is free", reterr);
    }
    if (want(connection->read, NGX_READ_EVENT, (wants & ASSAY_READABLE) != 0, flags) != NGX_OK ||
        want(connection->write, NGX_WRITE_EVENT, (wants & ASSAY_WRITABLE) != 0, flags) != NGX_OK) {
        loop->unwatch(loop, watch);
        return assay_fail(ASSAY_ERR_SYSTEM, "nginx cannot watch a descriptor", reterr);
    }
    return ASSAY_OK;
}

static void unwatch_fd(struct assay_loop *loop, struct assay_watch *watch)
{
    (void)loop;
    ngx_connection_t *connection = watch->host;
    if (connection == NULL) {
        return;
    }
    (void)want(connection->read, NGX_READ_EVENT, false, 0);
    (void)want(connection->write, NGX_WRITE_EVENT, false, 0);
    ngx_free_connection(connection);
    connection->fd = (ngx_socket_t)-1; /* the descriptor is its owner's to close */
    watch->host = NULL;
}

void ngx_assay_timer_init(struct ngx_assay_timer *timer, ngx_event_handler_pt handler,
                          void *context)
{
    *timer = (struct ngx_assay_timer){
        .event = {.handler = handler, .log = ngx_cycle->log},
        .nobody = {.fd = (ngx_socket_t)-1, .data = context},
    };
    timer->event.data = &timer->nobody;
}

void ngx_assay_timer_set(ngx_event_t *event, int64_t delay_ms)
{
    if (event->timer_set) {
        ngx_del_timer(event);
    }
    ngx_add_timer(event, (ngx_msec_t)(delay_ms > 0 ? delay_ms : 0));
}

void *ngx_assay_timer_context(const ngx_event_t *event)
{
    const ngx_connection_t *nobody = event->data;
    return nobody->data;
}

static void on_timer(ngx_event_t *event)
{
    struct assay_timer *timer = ngx_assay_timer_context(event);
    timer->fired(timer);
}

/* A timer's event is made when it is first set, and kept: there is one for each store. */
static bool set_timer(struct assay_loop *loop, struct assay_timer *timer, int64_t delay_ms)
{
    (void)loop;
    struct ngx_assay_timer *own = timer->host;
    if (own == NULL) {
        own = ngx_palloc(ngx_cycle->pool, sizeof(*own));
        if (own == NULL) {
            return false; /* late changes are then answered late, by the writer */
        }
        ngx_assay_timer_init(own, on_timer, timer);
        own->event.cancelable = timer->background;
        timer->host = own;
    }
    ngx_assay_timer_set(&own->event, delay_ms);
    return true;
}

static void clear_timer(struct assay_loop *loop, struct assay_timer *timer)
{
    (void)loop;
    struct ngx_assay_timer *own = timer->host;
    if (own != NULL && own->event.timer_set) {
        ngx_del_timer(&own->event);
    }
}

static void on_posted(ngx_event_t *event)
{
    struct assay_task *task = event->data;
    task->run(task);
}

/* nginx runs posted events behind those of the descriptors that were ready. */
static void defer(struct assay_loop *loop, struct assay_task *task)
{
    (void)loop;
    ngx_event_t *event = task->host;
    if (event == NULL) {
        event = ngx_pcalloc(ngx_cycle->pool, sizeof(*event));
        if (event == NULL) {
            task->run(task);
            return;
        }
        event->handler = on_posted;
        event->data = task;
        event->log = ngx_cycle->log;
        task->host = event;
    }
    ngx_post_event(event, &ngx_posted_events);
}

static void undefer(struct assay_loop *loop, struct assay_task *task)
{
    (void)loop;
    ngx_event_t *event = task->host;
    if (event != NULL && event->posted) {
        ngx_delete_posted_event(event);
    }
}

struct assay_loop *ngx_assay_loop(void)
{
    static struct assay_loop loop = {watch_fd, unwatch_fd, set_timer, clear_timer, defer, undefer};
    return &loop;
}
