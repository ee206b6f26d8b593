#include "fetch/fetch.h"

#include "fetch/answer.h"
#include "fetch/certificate.h"
#include "fetch/link.h"
#include "fetch/lookup.h"
#include "fetch/request.h"
#include "fetch/sock.h"

#include <curl/curl.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_SPARES 64 /* handles, and connections, kept for the next exchange */

/* What libcurl does for one fetch. */
struct exchange {
    CURL *curl;
    struct assay_fetcher *fetcher;
    struct assay_fetch *fetch; /* NULL: spare */
    const char *url;
    struct exchange *next; /* among those under way, or the spare ones */
    struct exchange *previous;
    struct curl_slist *fields;
    struct assay_fetch_answer answer;
    struct assay_lookup lookup;
    int local_port; /* of the connection on which it was sent; 0: not yet */
    bool busy;      /* too many look-ups hang */
    bool unclean;   /* the connection that it would have been sent on is of no use */
};

struct assay_fetcher {
    CURLM *multi;
    struct assay_socks socks;
    struct assay_lookups lookups;
    struct assay_links links;
    char *ca_file;
    struct assay_fetch_options options;
    struct exchange *under_way;
    struct exchange *spares;
    size_t spare_count;
};

/* --- what libcurl asks while it works --- */

static int on_lookup(void *resolver, void *reserved, void *context)
{
    struct exchange *exchange = context;
    (void)resolver;
    (void)reserved;
    exchange->busy = !assay_lookup_begin(&exchange->fetcher->lookups, &exchange->lookup);
    return exchange->busy ? 1 : 0; /* 1: libcurl gives the exchange up */
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct exchange *exchange = context;
    (void)purpose;
    assay_lookup_end(&exchange->fetcher->lookups, &exchange->lookup);
    curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd != CURL_SOCKET_BAD && !assay_links_add(&exchange->fetcher->links, fd)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int on_close(void *context, curl_socket_t fd)
{
    struct assay_fetcher *fetcher = context;
    assay_links_drop(&fetcher->links, fd);
    return close(fd);
}

/* Only HTTP/2 carries two exchanges at once. */
static bool carries_another(const struct exchange *exchange, int local_port)
{
    const struct exchange *other = exchange->fetcher->under_way;
    while (other != NULL && (other == exchange || other->local_port != local_port)) {
        other = other->next;
    }
    return other != NULL;
}

/* May a question be sent on the connection of that port, which was used before? */
static bool may_reuse(const struct exchange *exchange, int local_port)
{
    struct assay_link *link = assay_links_find(&exchange->fetcher->links, local_port);
    if (link == NULL) {
        return false;
    }
    link->shared = link->shared || carries_another(exchange, local_port);
    return link->shared || assay_link_is_clean(link);
}

/* A connection stands, and the question is about to be sent. */
static int on_ready_to_send(void *context,
                            char *primary_ip, /* NOLINT(readability-non-const-parameter) */
                            char *local_ip,   /* NOLINT(readability-non-const-parameter) */
                            int primary_port, int local_port)
{
    struct exchange *exchange = context;
    long opened = 0;
    (void)primary_ip;
    (void)local_ip;
    (void)primary_port;
    if (curl_easy_getinfo(exchange->curl, CURLINFO_NUM_CONNECTS, &opened) != CURLE_OK) {
        return CURL_PREREQFUNC_ABORT;
    }
    exchange->unclean = opened == 0 && !may_reuse(exchange, local_port);
    exchange->local_port = local_port;
    return exchange->unclean ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* --- handles --- */

static CURLcode attach(struct exchange *exchange)
{
    CURL *curl = exchange->curl;
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_PRIVATE, exchange);
    rc = rc ? rc : assay_fetch_answer_attach(&exchange->answer, curl);
    rc = rc ? rc : assay_fetch_certificate_attach(&exchange->url, curl);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_RESOLVER_START_DATA, exchange);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, exchange);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, exchange->fetcher);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_ready_to_send);
    return rc ? rc : curl_easy_setopt(curl, CURLOPT_PREREQDATA, exchange);
}

static void free_exchange(struct exchange *exchange)
{
    curl_easy_cleanup(exchange->curl);
    free(exchange);
}

/* A handle is set up once: what differs between exchanges is set each time. */
static struct exchange *make_exchange(struct assay_fetcher *fetcher)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->fetcher = fetcher;
    exchange->answer.max_body = fetcher->options.max_body;
    exchange->curl = curl_easy_init();
    if (exchange->curl == NULL ||
        assay_fetch_request_prepare(exchange->curl, &fetcher->options, fetcher->ca_file) !=
            CURLE_OK ||
        attach(exchange) != CURLE_OK) {
        free_exchange(exchange);
        return NULL;
    }
    return exchange;
}

static struct exchange *take_exchange(struct assay_fetcher *fetcher)
{
    struct exchange *exchange = fetcher->spares;
    if (exchange == NULL) {
        return make_exchange(fetcher);
    }
    fetcher->spares = exchange->next;
    fetcher->spare_count--;
    return exchange;
}

static void give_exchange(struct exchange *exchange)
{
    struct assay_fetcher *fetcher = exchange->fetcher;
    assay_fetch_fields_drop(exchange->fields);
    assay_fetch_answer_clear(&exchange->answer);
    exchange->fields = NULL;
    exchange->fetch = NULL;
    exchange->url = NULL;
    exchange->local_port = 0;
    exchange->busy = false;
    exchange->unclean = false;
    if (fetcher->spare_count == MAX_SPARES) {
        free_exchange(exchange);
        return;
    }
    exchange->next = fetcher->spares;
    fetcher->spares = exchange;
    fetcher->spare_count++;
}

/* --- exchanges --- */

static void link_exchange(struct exchange *exchange)
{
    struct assay_fetcher *fetcher = exchange->fetcher;
    exchange->previous = NULL;
    exchange->next = fetcher->under_way;
    if (exchange->next != NULL) {
        exchange->next->previous = exchange;
    }
    fetcher->under_way = exchange;
}

static void unlink_exchange(struct exchange *exchange)
{
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        exchange->fetcher->under_way = exchange->next;
    }
}

/* Into libcurl's hands; on a connection of its own, if that is wanted. */
static bool hand_over(struct exchange *exchange, bool fresh)
{
    return curl_easy_setopt(exchange->curl, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L) == CURLE_OK &&
           curl_multi_add_handle(exchange->fetcher->multi, exchange->curl) == CURLM_OK;
}

/* Out of libcurl's hands. */
static void stop(struct exchange *exchange)
{
    assay_lookup_give_up(&exchange->fetcher->lookups, &exchange->lookup);
    (void)curl_multi_remove_handle(exchange->fetcher->multi, exchange->curl);
    unlink_exchange(exchange);
}

/* HTTP/2 may have been spoken: then the connection is shared from now on. */
static void note_version(struct exchange *exchange)
{
    long version = 0;
    struct assay_link *link = assay_links_find(&exchange->fetcher->links, exchange->local_port);
    if (curl_easy_getinfo(exchange->curl, CURLINFO_HTTP_VERSION, &version) == CURLE_OK &&
        version == CURL_HTTP_VERSION_2_0 && link != NULL) {
        link->shared = true;
    }
}

static void read_end(struct exchange *exchange, CURLcode rc)
{
    struct assay_fetch *fetch = exchange->fetch;
    const char *refusal = exchange->answer.refusal;
    bool nothing = exchange->answer.header_len == 0 && exchange->answer.body_len == 0;
    fetch->may_repeat = nothing || rc == CURLE_HTTP2_STREAM;
    if (exchange->busy) {
        fetch->result = ASSAY_FETCH_BUSY;
        fetch->what = "too many look-ups of names hang";
    } else if (refusal != NULL || rc == CURLE_UNSUPPORTED_PROTOCOL ||
               rc == CURLE_WEIRD_SERVER_REPLY) {
        fetch->result = ASSAY_FETCH_REFUSED;
        fetch->what = refusal != NULL ? refusal : curl_easy_strerror(rc);
    } else if (rc != CURLE_OK) {
        fetch->result = ASSAY_FETCH_FAILED;
        fetch->what = curl_easy_strerror(rc);
    } else {
        note_version(exchange);
        assay_fetch_answer_read(&exchange->answer, exchange->curl, fetch);
    }
}

/* Begins anew, on a connection of its own, which is not looked at: nobody has used it before. */
static bool try_fresh(struct exchange *exchange)
{
    (void)curl_multi_remove_handle(exchange->fetcher->multi, exchange->curl);
    exchange->unclean = false;
    exchange->local_port = 0;
    return hand_over(exchange, true);
}

static void finish(struct exchange *exchange, CURLcode rc)
{
    struct assay_fetch *fetch = exchange->fetch;
    if (exchange->unclean && try_fresh(exchange)) {
        return;
    }
    if (rc == CURLE_COULDNT_RESOLVE_HOST) { /* the look-up is over: there is no such name */
        assay_lookup_end(&exchange->fetcher->lookups, &exchange->lookup);
    }
    read_end(exchange, rc);
    stop(exchange);
    fetch->private = NULL;
    exchange->fetch = NULL;
    fetch->done(fetch);
    give_exchange(exchange);
}

static void on_acted(struct assay_socks *socks)
{
    struct assay_fetcher *fetcher = socks->context;
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        char *exchange = NULL;
        CURLcode rc = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
        finish((struct exchange *)(void *)exchange, rc);
    }
}

/* --- the interface --- */

enum assay_status assay_fetch_start(struct assay_fetcher *fetcher, struct assay_fetch *fetch,
                                    struct assay_error *reterr)
{
    fetch->private = NULL;
    if (!assay_fetch_url_allowed(fetch->url, fetcher->options.allow_cleartext)) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the URL is neither https nor http to this machine",
                          reterr);
    }
    struct exchange *exchange = take_exchange(fetcher);
    if (exchange == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no memory for outgoing HTTP", reterr);
    }
    exchange->url = fetch->url;
    exchange->fields = assay_fetch_fields_make(fetch);
    if (exchange->fields == NULL ||
        assay_fetch_request_set(exchange->curl, fetch, exchange->fields) != CURLE_OK ||
        !hand_over(exchange, false)) {
        give_exchange(exchange);
        return assay_fail(ASSAY_ERR_SYSTEM, "no memory for outgoing HTTP", reterr);
    }
    exchange->fetch = fetch;
    fetch->private = exchange;
    link_exchange(exchange);
    return ASSAY_OK;
}

void assay_fetch_cancel(struct assay_fetch *fetch)
{
    struct exchange *exchange = fetch->private;
    if (exchange != NULL) {
        fetch->private = NULL;
        stop(exchange);
        give_exchange(exchange);
    }
}

static bool set_up(struct assay_fetcher *fetcher)
{
    fetcher->multi = curl_multi_init();
    return fetcher->multi != NULL &&
           assay_socks_init(&fetcher->socks, fetcher->multi, fetcher->socks.loop) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)MAX_SPARES) == CURLM_OK &&
           (fetcher->options.ca_file == NULL || fetcher->ca_file != NULL);
}

enum assay_status assay_fetcher_open(struct assay_loop *loop,
                                     const struct assay_fetch_options *options,
                                     struct assay_fetcher **ret, struct assay_error *reterr)
{
    struct assay_fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no memory for outgoing HTTP", reterr);
    }
    fetcher->options = *options;
    fetcher->socks = (struct assay_socks){.loop = loop, .acted = on_acted, .context = fetcher};
    assay_lookups_init(&fetcher->lookups, loop);
    fetcher->ca_file = options->ca_file == NULL ? NULL : strdup(options->ca_file);
    if (!set_up(fetcher)) {
        assay_fetcher_close(fetcher);
        return assay_fail(ASSAY_ERR_SYSTEM, "outgoing HTTP cannot be set up", reterr);
    }
    *ret = fetcher;
    return ASSAY_OK;
}

void assay_fetcher_close(struct assay_fetcher *fetcher)
{
    if (fetcher == NULL) {
        return;
    }
    while (fetcher->under_way != NULL) {
        assay_fetch_cancel(fetcher->under_way->fetch);
    }
    while (fetcher->spares != NULL) {
        struct exchange *next = fetcher->spares->next;
        free_exchange(fetcher->spares);
        fetcher->spares = next;
    }
    (void)curl_multi_cleanup(fetcher->multi);
    assay_socks_clear(&fetcher->socks);
    assay_lookups_clear(&fetcher->lookups);
    assay_links_clear(&fetcher->links);
    free(fetcher->ca_file);
    free(fetcher);
}
