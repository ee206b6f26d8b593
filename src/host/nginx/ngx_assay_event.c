#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "host/nginx/ngx_assay_event.h"

static void on_readable(ngx_event_t *event)
{
    ngx_connection_t *connection = event->data;
    struct assay_watch *watch = connection->data;
    watch->ready(watch);
}

static enum assay_status watch_fd(struct assay_loop *loop, struct assay_watch *watch,
                                  struct assay_error *reterr)
{
    (void)loop;
    ngx_connection_t *connection = ngx_get_connection(watch->fd, ngx_cycle->log);
    if (connection == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no nginx connection is free for the store", reterr);
    }
    connection->data = watch;
    connection->read->handler = on_readable;
    connection->read->log = ngx_cycle->log;
    connection->write->log = ngx_cycle->log;
    ngx_uint_t flags = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT;
    if (ngx_add_event(connection->read, NGX_READ_EVENT, flags) != NGX_OK) {
        ngx_free_connection(connection);
        return assay_fail(ASSAY_ERR_SYSTEM, "nginx cannot watch the store's descriptor", reterr);
    }
    watch->host = connection;
    return ASSAY_OK;
}

static void unwatch_fd(struct assay_loop *loop, struct assay_watch *watch)
{
    (void)loop;
    ngx_connection_t *connection = watch->host;
    if (connection == NULL) {
        return;
    }
    (void)ngx_del_event(connection->read, NGX_READ_EVENT, 0);
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
        timer->host = own;
    }
    ngx_add_timer(&own->event, (ngx_msec_t)delay_ms);
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
