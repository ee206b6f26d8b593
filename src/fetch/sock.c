#include "fetch/sock.h"

#include <stdlib.h>

struct assay_sock {
    struct assay_watch watch;
    struct assay_socks *socks;
    struct assay_sock *next_spare;
};

static void act(struct assay_socks *socks, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(socks->multi, fd, events, &running);
    socks->acted(socks);
}

static void on_ready(struct assay_watch *watch)
{
    struct assay_sock *sock = watch->context;
    int events = ((watch->is & ASSAY_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                 ((watch->is & ASSAY_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
    act(sock->socks, watch->fd, events);
}

static void on_timer(struct assay_timer *timer)
{
    act(timer->context, CURL_SOCKET_TIMEOUT, 0);
}

static struct assay_sock *take(struct assay_socks *socks, curl_socket_t fd)
{
    struct assay_sock *sock = socks->spares;
    if (sock == NULL) {
        sock = malloc(sizeof *sock);
    } else {
        socks->spares = sock->next_spare;
    }
    if (sock != NULL) {
        *sock = (struct assay_sock){
            .watch = {.fd = fd, .ready = on_ready, .context = sock},
            .socks = socks,
        };
    }
    return sock;
}

static void give(struct assay_sock *sock)
{
    struct assay_socks *socks = sock->socks;
    socks->loop->unwatch(socks->loop, &sock->watch);
    sock->next_spare = socks->spares;
    socks->spares = sock;
}

/* What cannot be watched is not waited for: its exchange fails at its time-out. To tell libcurl of
 * it would end all exchanges of all time, as it takes that for an order to stop. */
static int on_socket(CURL *curl, curl_socket_t fd, int what, void *context, void *own)
{
    struct assay_socks *socks = context;
    struct assay_sock *sock = own;
    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL) {
            (void)curl_multi_assign(socks->multi, fd, NULL);
            give(sock);
        }
        return 0;
    }
    if (sock == NULL) {
        sock = take(socks, fd);
        if (sock == NULL) {
            return 0;
        }
        if (curl_multi_assign(socks->multi, fd, sock) != CURLM_OK) {
            give(sock);
            return 0;
        }
    }
    sock->watch.wants = ((what & CURL_POLL_IN) != 0 ? ASSAY_READABLE : 0) |
                        ((what & CURL_POLL_OUT) != 0 ? ASSAY_WRITABLE : 0);
    (void)socks->loop->watch(socks->loop, &sock->watch, NULL);
    return 0;
}

/* The same of a timer that cannot be set: the owner of an exchange has one of its own. */
static int on_timeout(CURLM *multi, long timeout_ms, void *context)
{
    struct assay_socks *socks = context;
    (void)multi;
    if (timeout_ms < 0) {
        socks->loop->timer_clear(socks->loop, &socks->timer);
    } else {
        (void)socks->loop->timer_set(socks->loop, &socks->timer, timeout_ms);
    }
    return 0;
}

CURLMcode assay_socks_init(struct assay_socks *socks, CURLM *multi, struct assay_loop *loop)
{
    socks->multi = multi;
    socks->loop = loop;
    socks->timer = (struct assay_timer){.fired = on_timer, .background = true, .context = socks};
    CURLMcode rc = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, socks);
    rc = rc ? rc : curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    return rc ? rc : curl_multi_setopt(multi, CURLMOPT_TIMERDATA, socks);
}

void assay_socks_clear(struct assay_socks *socks)
{
    socks->loop->timer_clear(socks->loop, &socks->timer);
    while (socks->spares != NULL) {
        struct assay_sock *next = socks->spares->next_spare;
        free(socks->spares);
        socks->spares = next;
    }
}
