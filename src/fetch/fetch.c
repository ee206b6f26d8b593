#include "fetch/fetch.h"

#include "base/buf.h"
#include "base/secret.h"

#include <curl/curl.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS ((size_t)16384) /* bytes of an answer's fields, interim answers included */
#define MAX_SPARES 64               /* handles kept for the next exchange */
#define MAX_LOOKUPS 8               /* names that are being looked up in vain */
#define LOOKUP_HANGS_MS 30000       /* how long one that was given up is taken to hang on */
#define MAX_RETRY_AFTER_S 3600

/* A socket of libcurl's that it waits for. */
struct sock {
    struct assay_watch watch;
    struct assay_fetcher *fetcher;
    struct sock *next_spare;
};

/* What libcurl does for one fetch. */
struct exchange {
    CURL *curl;
    struct curl_slist *fields;
    struct assay_fetcher *fetcher;
    struct assay_fetch *fetch; /* NULL: spare */
    struct exchange *next;     /* among those under way, or the spare ones */
    struct exchange *previous;
    uint8_t *body; /* max_body bytes, allocated when the first ones come */
    size_t body_len;
    size_t header_len;
    bool refused;
    bool busy;
    bool framed; /* the answer has told how long it is: it may do so once (RFC 9112 section 6.3) */
    bool looking_up;
    const char *refusal;
};

/* A look-up that was given up: libcurl's thread goes on with it until the resolver lets it go. */
struct assay_fetcher {
    CURLM *multi;
    struct assay_loop *loop;
    struct assay_timer timer;
    struct assay_timer lookups_over; /* forgets what was given up */
    char *ca_file;
    struct assay_fetch_options options;
    struct exchange *under_way;
    struct exchange *spares;
    size_t spare_count;
    struct sock *spare_socks;
    size_t looking_up; /* under way */
    size_t hanging;    /* given up */
};

/* --- libcurl tells what it waits for --- */

static void drain(struct assay_fetcher *fetcher);

static void act(struct assay_fetcher *fetcher, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(fetcher->multi, fd, events, &running);
    drain(fetcher);
}

static void on_ready(struct assay_watch *watch)
{
    struct sock *sock = watch->context;
    int events = ((watch->is & ASSAY_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                 ((watch->is & ASSAY_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
    act(sock->fetcher, watch->fd, events);
}

static void on_timer(struct assay_timer *timer)
{
    act(timer->context, CURL_SOCKET_TIMEOUT, 0);
}

static struct sock *take_sock(struct assay_fetcher *fetcher, curl_socket_t fd)
{
    struct sock *sock = fetcher->spare_socks;
    if (sock == NULL) {
        sock = malloc(sizeof *sock);
    } else {
        fetcher->spare_socks = sock->next_spare;
    }
    if (sock != NULL) {
        *sock = (struct sock){
            .watch = {.fd = fd, .ready = on_ready, .context = sock},
            .fetcher = fetcher,
        };
    }
    return sock;
}

static void give_sock(struct assay_fetcher *fetcher, struct sock *sock)
{
    fetcher->loop->unwatch(fetcher->loop, &sock->watch);
    sock->next_spare = fetcher->spare_socks;
    fetcher->spare_socks = sock;
}

static int on_socket(CURL *curl, curl_socket_t fd, int what, void *context, void *own)
{
    struct assay_fetcher *fetcher = context;
    struct sock *sock = own;
    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        if (sock != NULL) {
            (void)curl_multi_assign(fetcher->multi, fd, NULL);
            give_sock(fetcher, sock);
        }
        return 0;
    }
    if (sock == NULL) {
        sock = take_sock(fetcher, fd);
        if (sock == NULL || curl_multi_assign(fetcher->multi, fd, sock) != CURLM_OK) {
            return -1;
        }
    }
    sock->watch.wants = ((what & CURL_POLL_IN) != 0 ? ASSAY_READABLE : 0) |
                        ((what & CURL_POLL_OUT) != 0 ? ASSAY_WRITABLE : 0);
    /* What cannot be watched fails at its time-out. */
    return fetcher->loop->watch(fetcher->loop, &sock->watch, NULL) == ASSAY_OK ? 0 : -1;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *context)
{
    struct assay_fetcher *fetcher = context;
    (void)multi;
    if (timeout_ms < 0) {
        fetcher->loop->timer_clear(fetcher->loop, &fetcher->timer);
        return 0;
    }
    return fetcher->loop->timer_set(fetcher->loop, &fetcher->timer, timeout_ms) ? 0 : -1;
}

/* --- look-ups of names --- */

/* libcurl looks names up in threads of its own. It leaves one behind that is not done when its
 * exchange ends (CURLOPT_QUICK_EXIT), which is what keeps a worker from stopping for it; so that
 * they cannot become ever more, there is a bound, and one that was left behind counts for a while.
 */
static int on_lookup(void *resolver, void *reserved, void *context)
{
    struct exchange *exchange = context;
    struct assay_fetcher *fetcher = exchange->fetcher;
    (void)resolver;
    (void)reserved;
    if (exchange->looking_up) {
        return 0;
    }
    if (fetcher->looking_up + fetcher->hanging >= MAX_LOOKUPS) {
        exchange->busy = true;
        return 1; /* libcurl gives the exchange up */
    }
    exchange->looking_up = true;
    fetcher->looking_up++;
    return 0;
}

static void lookup_ended(struct exchange *exchange)
{
    if (exchange->looking_up) {
        exchange->looking_up = false;
        exchange->fetcher->looking_up--;
    }
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose;
    lookup_ended(context);
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void on_lookups_over(struct assay_timer *timer)
{
    struct assay_fetcher *fetcher = timer->context;
    fetcher->hanging = 0;
}

/* Given up before it was done. */
static void lookup_given_up(struct exchange *exchange)
{
    struct assay_fetcher *fetcher = exchange->fetcher;
    if (exchange->looking_up) {
        lookup_ended(exchange);
        fetcher->hanging++;
        (void)fetcher->loop->timer_set(fetcher->loop, &fetcher->lookups_over, LOOKUP_HANGS_MS);
    }
}

/* --- what comes back --- */

static size_t refuse(struct exchange *exchange, const char *what)
{
    exchange->refused = true;
    exchange->refusal = what;
    return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t most = exchange->fetcher->options.max_body;
    size_t len = size * count;
    if (len > most - exchange->body_len) {
        return refuse(exchange, "the answer is too long");
    }
    if (exchange->body == NULL) {
        exchange->body = malloc(most);
        if (exchange->body == NULL) {
            return refuse(exchange, "no memory for the answer");
        }
    }
    memcpy(exchange->body + exchange->body_len, data, len);
    exchange->body_len += len;
    return len;
}

static bool is_field(struct assay_slice line, struct assay_slice name)
{
    return line.len > name.len && assay_slice_equal_nocase(assay_slice_head(line, name.len), name);
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t len = size * count;
    struct assay_slice line = assay_slice_of(data, len);
    exchange->header_len += len;
    if (exchange->header_len > MAX_HEADERS) {
        return refuse(exchange, "the answer has too many fields");
    }
    if (is_field(line, ASSAY_SLICE("content-encoding:"))) {
        return refuse(exchange, "the answer is encoded, which nobody asked for");
    }
    if (is_field(line, ASSAY_SLICE("content-length:")) ||
        is_field(line, ASSAY_SLICE("transfer-encoding:"))) {
        if (exchange->framed) {
            return refuse(exchange, "the answer has two lengths");
        }
        exchange->framed = true;
    }
    return len;
}

/* --- setting up --- */

static void drop_fields(struct curl_slist *fields)
{
    for (struct curl_slist *at = fields; at != NULL; at = at->next) {
        assay_secret_wipe(at->data, strlen(at->data));
    }
    curl_slist_free_all(fields);
}

static bool append_line(struct curl_slist **fields, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*fields, line);
    if (longer == NULL) {
        return false;
    }
    *fields = longer;
    return true;
}

/* `name` (": " included) and `value`. */
static bool append_field(struct curl_slist **fields, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 1;
    char *line = value[0] == '\0' ? NULL : malloc(size);
    if (line == NULL) {
        return false;
    }
    struct assay_buf buf;
    assay_buf_init(&buf, line, size);
    assay_buf_append(&buf, assay_slice_of_text(name));
    assay_buf_append(&buf, assay_slice_of_text(value));
    assay_buf_append_byte(&buf, '\0');
    bool good = append_line(fields, line);
    assay_secret_wipe(line, size);
    free(line);
    return good;
}

/* `Expect:` is dropped: the body is small, and a server may not answer it. */
static struct curl_slist *make_fields(const struct assay_fetch *fetch)
{
    struct curl_slist *fields = NULL;
    bool good = append_line(&fields, "Expect:") && append_line(&fields, "User-Agent: assay");
    good = good && (fetch->content_type == NULL ||
                    append_field(&fields, "Content-Type: ", fetch->content_type));
    good = good && (fetch->accept == NULL || append_field(&fields, "Accept: ", fetch->accept));
    good = good && (fetch->authorization == NULL ||
                    append_field(&fields, "Authorization: ", fetch->authorization));
    good = good && (fetch->header == NULL || append_line(&fields, fetch->header));
    if (!good) {
        drop_fields(fields);
        return NULL;
    }
    return fields;
}

static CURLcode set_connection(CURL *curl, const struct assay_fetcher *fetcher)
{
    const struct assay_fetch_options *options = &fetcher->options;
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms);
    if (rc == CURLE_OK && fetcher->ca_file != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, fetcher->ca_file);
        rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    return rc;
}

static CURLcode set_callbacks(CURL *curl, struct exchange *exchange)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_PRIVATE, exchange);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_RESOLVER_START_DATA, exchange);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, exchange);
    return rc;
}

static CURLcode set_request(CURL *curl, const struct assay_fetch *fetch,
                            const struct curl_slist *fields)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, fetch->url);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    if (rc == CURLE_OK && fetch->content_type != NULL) {
        rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)fetch->body.len);
        rc = rc ? rc : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, (const char *)fetch->body.data);
    } else if (rc == CURLE_OK) {
        rc = curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    return rc;
}

/* --- exchanges --- */

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
    exchange->curl = curl_easy_init();
    if (exchange->curl == NULL || set_connection(exchange->curl, fetcher) != CURLE_OK ||
        set_callbacks(exchange->curl, exchange) != CURLE_OK) {
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
    drop_fields(exchange->fields);
    free(exchange->body);
    exchange->fields = NULL;
    exchange->fetch = NULL;
    exchange->body = NULL;
    exchange->body_len = 0;
    exchange->header_len = 0;
    exchange->refused = false;
    exchange->framed = false;
    exchange->busy = false;
    exchange->refusal = NULL;
    if (fetcher->spare_count == MAX_SPARES) {
        free_exchange(exchange);
        return;
    }
    exchange->next = fetcher->spares;
    fetcher->spares = exchange;
    fetcher->spare_count++;
}

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

/* Out of libcurl's hands. */
static void stop(struct exchange *exchange)
{
    lookup_given_up(exchange);
    (void)curl_multi_remove_handle(exchange->fetcher->multi, exchange->curl);
    unlink_exchange(exchange);
}

/* --- the end of one --- */

static void read_answer(struct exchange *exchange, struct assay_fetch *fetch)
{
    CURL *curl = exchange->curl;
    long status = 0;
    curl_off_t retry_after = 0;
    struct curl_header *date = NULL;
    char *type = NULL;
    if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
        curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type) != CURLE_OK ||
        curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) != CURLE_OK) {
        fetch->result = ASSAY_FETCH_FAILED;
        fetch->what = "the answer cannot be read";
        return;
    }
    fetch->http_status = (unsigned)status;
    fetch->content_type_got = assay_slice_of_text(type);
    fetch->answer = assay_slice_of(exchange->body, exchange->body_len);
    fetch->retry_after_s = retry_after > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : retry_after;
    if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
        time_t when = curl_getdate(date->value, NULL);
        fetch->date_s = when > 0 ? when : 0;
    }
}

static void finish(struct exchange *exchange, CURLcode rc)
{
    struct assay_fetch *fetch = exchange->fetch;
    fetch->nothing_received = exchange->header_len == 0 && exchange->body_len == 0;
    if (exchange->busy) {
        fetch->result = ASSAY_FETCH_BUSY;
        fetch->what = "too many look-ups of names hang";
    } else if (exchange->refused || rc == CURLE_UNSUPPORTED_PROTOCOL ||
               rc == CURLE_WEIRD_SERVER_REPLY) {
        fetch->result = ASSAY_FETCH_REFUSED;
        fetch->what = exchange->refused ? exchange->refusal : curl_easy_strerror(rc);
    } else if (rc != CURLE_OK) {
        fetch->result = ASSAY_FETCH_FAILED;
        fetch->what = curl_easy_strerror(rc);
    } else {
        fetch->result = ASSAY_FETCH_OK;
        read_answer(exchange, fetch);
    }
    stop(exchange);
    fetch->private = NULL;
    exchange->fetch = NULL;
    fetch->done(fetch);
    give_exchange(exchange);
}

static void drain(struct assay_fetcher *fetcher)
{
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
    exchange->fields = make_fields(fetch);
    if (exchange->fields == NULL ||
        set_request(exchange->curl, fetch, exchange->fields) != CURLE_OK ||
        curl_multi_add_handle(fetcher->multi, exchange->curl) != CURLM_OK) {
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

static CURLMcode set_multi(struct assay_fetcher *fetcher)
{
    CURLM *multi = fetcher->multi;
    CURLMcode rc = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, fetcher);
    rc = rc ? rc : curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    rc = rc ? rc : curl_multi_setopt(multi, CURLMOPT_TIMERDATA, fetcher);
    return rc ? rc : curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)MAX_SPARES);
}

enum assay_status assay_fetcher_open(struct assay_loop *loop,
                                     const struct assay_fetch_options *options,
                                     struct assay_fetcher **ret, struct assay_error *reterr)
{
    struct assay_fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher == NULL) {
        return assay_fail(ASSAY_ERR_SYSTEM, "no memory for outgoing HTTP", reterr);
    }
    fetcher->loop = loop;
    fetcher->options = *options;
    fetcher->timer =
        (struct assay_timer){.fired = on_timer, .background = true, .context = fetcher};
    fetcher->lookups_over =
        (struct assay_timer){.fired = on_lookups_over, .background = true, .context = fetcher};
    fetcher->ca_file = options->ca_file == NULL ? NULL : strdup(options->ca_file);
    fetcher->multi = curl_multi_init();
    if (fetcher->multi == NULL || set_multi(fetcher) != CURLM_OK ||
        (options->ca_file != NULL && fetcher->ca_file == NULL)) {
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
    fetcher->loop->timer_clear(fetcher->loop, &fetcher->timer);
    fetcher->loop->timer_clear(fetcher->loop, &fetcher->lookups_over);
    while (fetcher->spare_socks != NULL) {
        struct sock *next = fetcher->spare_socks->next_spare;
        free(fetcher->spare_socks);
        fetcher->spare_socks = next;
    }
    free(fetcher->ca_file);
    free(fetcher);
}
