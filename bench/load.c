/* A closed-loop load generator: N keep-alive connections, each with one request under way, every
 * answer looked at. Bounded in count and time. It exists because a general one cannot draw a random
 * token for each request without spending more on that than the server spends on the answer.
 *
 *   load --port P [--tls] [--connections N] [--seconds S] [--max N] --path PATH --user ID:SECRET
 *        (--tokens FILE [--once] [--bearer] | --body TEXT) [--expect TEXT] [--seed N]
 *
 * FILE holds one token per line, all of one length; --once takes each of them once, in order;
 * --bearer sends it as `Authorization: Bearer` of a GET instead of in a form.
 * Prints one line of JSON:
 * {"requests":N,"errors":N,"seconds":X,"rps":X,"p50_us":N,"p99_us":N}. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>

#define MAX_CONNECTIONS 1024
#define MAX_RESPONSE 16384
#define LATENCY_BUCKETS 4096 /* of 10 microseconds each; the last holds the rest */

struct connection {
    int fd;
    SSL *ssl; /* NULL without TLS */
    size_t sent;
    size_t len; /* of the request under way */
    size_t got;
    uint64_t started_ns;
    char request[2048];
    char response[MAX_RESPONSE + 1];
};

struct load {
    uint16_t port;
    bool tls;
    size_t connections;
    double seconds;
    uint64_t max;
    const char *path;
    const char *user;
    const char *body;
    const char *expect;
    const char *tokens; /* mapped */
    size_t token_stride;
    size_t token_count;
    bool once;
    bool bearer;
    size_t next;
    uint64_t random;
    SSL_CTX *tls_context;
    char head[1024];
    uint64_t requests;
    uint64_t errors;
    uint64_t latency[LATENCY_BUCKETS];
    int epoll;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* xorshift64*: which token is asked about must cost nothing and be the same for the same seed. */
static uint64_t next_random(struct load *load)
{
    load->random ^= load->random >> 12;
    load->random ^= load->random << 25;
    load->random ^= load->random >> 27;
    return load->random * UINT64_C(2685821657736338717);
}

static size_t pick_token(struct load *load)
{
    if (load->once) {
        return load->next++ % load->token_count;
    }
    return (size_t)(next_random(load) % load->token_count);
}

static void map_tokens(struct load *load, const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) {
        die(file);
    }
    size_t size = (size_t)st.st_size;
    load->tokens = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (load->tokens == MAP_FAILED) {
        die(file);
    }
    close(fd);
    const char *newline = memchr(load->tokens, '\n', size);
    if (newline == NULL) {
        die("no line in the token file");
    }
    load->token_stride = (size_t)(newline - load->tokens) + 1;
    load->token_count = size / load->token_stride;
}

static void build_head(struct load *load)
{
    char credentials[512];
    int len = EVP_EncodeBlock((unsigned char *)credentials, (const unsigned char *)load->user,
                              (int)strlen(load->user));
    size_t body =
        load->tokens != NULL ? strlen("token=") + load->token_stride - 1 : strlen(load->body);
    snprintf(load->head, sizeof(load->head),
             "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %.*s\r\n"
             "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n",
             load->path, len, credentials, body);
}

/* A token as a client of a guarded API sends it. */
static void write_bearer(struct load *load, struct connection *c)
{
    size_t pick = pick_token(load);
    int len =
        snprintf(c->request, sizeof(c->request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n"
                 "Authorization: Bearer %.*s\r\n\r\n",
                 load->path, (int)load->token_stride - 1, load->tokens + pick * load->token_stride);
    c->len = (size_t)len;
}

static void write_form(struct load *load, struct connection *c)
{
    size_t head = strlen(load->head);
    memcpy(c->request, load->head, head);
    size_t len = head;
    if (load->tokens != NULL) {
        size_t pick = pick_token(load);
        memcpy(c->request + len, "token=", 6);
        memcpy(c->request + len + 6, load->tokens + pick * load->token_stride,
               load->token_stride - 1);
        len += 6 + load->token_stride - 1;
    } else {
        memcpy(c->request + len, load->body, strlen(load->body));
        len += strlen(load->body);
    }
    c->len = len;
}

static void write_request(struct load *load, struct connection *c)
{
    if (load->bearer) {
        write_bearer(load, c);
    } else {
        write_form(load, c);
    }
    c->sent = 0;
    c->got = 0;
    c->started_ns = now_ns();
}

static void open_connection(struct load *load, struct connection *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        die("connect");
    }
    int on = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (load->tls) {
        c->ssl = SSL_new(load->tls_context);
        if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1) {
            die("TLS handshake");
        }
    }
    int flags = fcntl(c->fd, F_GETFL);
    fcntl(c->fd, F_SETFL, flags | O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void close_connection(struct connection *c)
{
    if (c->ssl != NULL) {
        SSL_free(c->ssl);
        c->ssl = NULL;
    }
    close(c->fd);
}

/* Requests are small: a send that would block is an error of the run, not a case to handle. */
static bool send_request(struct connection *c)
{
    if (c->ssl != NULL) {
        return SSL_write(c->ssl, c->request, (int)c->len) == (int)c->len;
    }
    return send(c->fd, c->request, c->len, MSG_NOSIGNAL) == (ssize_t)c->len;
}

/* Bytes of the whole response once it is all there, 0 while it is not, -1 when it is none. */
static ssize_t response_len(const struct connection *c)
{
    const char *end = strstr(c->response, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    size_t head = (size_t)(end - c->response) + 4;
    const char *length = strcasestr(c->response, "\r\ncontent-length:");
    if (length == NULL || length > end) {
        return -1;
    }
    size_t body = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
    return c->got >= head + body ? (ssize_t)(head + body) : 0;
}

static ssize_t receive(struct connection *c)
{
    char *to = c->response + c->got;
    size_t room = MAX_RESPONSE - c->got;
    if (c->ssl != NULL) {
        int got = SSL_read(c->ssl, to, (int)room);
        return got > 0 ? got : SSL_get_error(c->ssl, got) == SSL_ERROR_WANT_READ ? 0 : -1;
    }
    ssize_t got = recv(c->fd, to, room, 0);
    return got > 0 ? got : got < 0 && errno == EAGAIN ? 0 : -1;
}

static void note(struct load *load, struct connection *c)
{
    uint64_t bucket = (now_ns() - c->started_ns) / 10000;
    load->latency[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
    load->requests++;
    if (strncmp(c->response, "HTTP/1.1 200", 12) != 0 ||
        (load->expect != NULL && strstr(c->response, load->expect) == NULL)) {
        load->errors++;
    }
}

/* Returns false when the connection ended and was made anew. */
static void serve(struct load *load, struct connection *c)
{
    for (;;) {
        ssize_t got = receive(c);
        if (got == 0) {
            return;
        }
        if (got < 0) {
            if (c->got != 0) {
                load->errors++;
            }
            close_connection(c);
            open_connection(load, c);
            write_request(load, c);
            if (!send_request(c)) {
                load->errors++;
            }
            return;
        }
        c->got += (size_t)got;
        c->response[c->got] = '\0';
        ssize_t len = response_len(c);
        if (len < 0 || c->got == MAX_RESPONSE) {
            load->errors++;
            c->got = 0;
            continue;
        }
        if (len > 0) {
            note(load, c);
            write_request(load, c);
            if (!send_request(c)) {
                load->errors++;
            }
            return;
        }
    }
}

static uint64_t percentile(const struct load *load, double part)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += load->latency[i];
        if ((double)seen >= part * (double)load->requests) {
            return (i + 1) * 10;
        }
    }
    return LATENCY_BUCKETS * 10;
}

static void run(struct load *load)
{
    struct connection *connections = calloc(load->connections, sizeof(*connections));
    if (connections == NULL) {
        die("memory");
    }
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < load->connections; i++) {
        open_connection(load, &connections[i]);
    }
    uint64_t start = now_ns();
    uint64_t end = start + (uint64_t)(load->seconds * 1e9);
    for (size_t i = 0; i < load->connections; i++) {
        write_request(load, &connections[i]);
        if (!send_request(&connections[i])) {
            die("send");
        }
    }
    struct epoll_event events[256];
    while (now_ns() < end && load->requests < load->max) {
        /* Never asleep: waking this process up would be charged to the server, and more so to the
         * slower of the two that are compared. */
        int count = epoll_wait(load->epoll, events, 256, 0);
        for (int i = 0; i < count; i++) {
            serve(load, events[i].data.ptr);
        }
    }
    double took = (double)(now_ns() - start) / 1e9;
    for (size_t i = 0; i < load->connections; i++) {
        close_connection(&connections[i]);
    }
    free(connections);
    printf("{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64
           ",\"seconds\":%.3f,\"rps\":%.1f,\"p50_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 "}\n",
           load->requests, load->errors, took, (double)load->requests / took, percentile(load, 0.5),
           percentile(load, 0.99));
}

static void parse(struct load *load, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--tls") == 0) {
            load->tls = true;
            continue;
        }
        if (strcmp(name, "--once") == 0) {
            load->once = true;
            continue;
        }
        if (strcmp(name, "--bearer") == 0) {
            load->bearer = true;
            continue;
        }
        if (i + 1 == argc) {
            fprintf(stderr, "load: %s needs a value\n", name);
            exit(2);
        }
        const char *value = argv[++i];
        if (strcmp(name, "--port") == 0) {
            load->port = (uint16_t)strtoul(value, NULL, 10);
        } else if (strcmp(name, "--connections") == 0) {
            load->connections = strtoul(value, NULL, 10);
        } else if (strcmp(name, "--seconds") == 0) {
            load->seconds = strtod(value, NULL);
        } else if (strcmp(name, "--max") == 0) {
            load->max = strtoull(value, NULL, 10);
        } else if (strcmp(name, "--path") == 0) {
            load->path = value;
        } else if (strcmp(name, "--user") == 0) {
            load->user = value;
        } else if (strcmp(name, "--body") == 0) {
            load->body = value;
        } else if (strcmp(name, "--tokens") == 0) {
            map_tokens(load, value);
        } else if (strcmp(name, "--expect") == 0) {
            load->expect = value;
        } else if (strcmp(name, "--seed") == 0) {
            load->random = strtoull(value, NULL, 10) | 1;
        } else {
            fprintf(stderr, "load: unknown option %s\n", name);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.connections = 32,
                               .seconds = 3,
                               .max = 100000000,
                               .path = "/",
                               .user = "a:b",
                               .random = 88172645463325252u};
    parse(&load, argc, argv);
    if (load.port == 0 || (load.tokens == NULL && load.body == NULL) || load.connections == 0 ||
        load.connections > MAX_CONNECTIONS) {
        fprintf(stderr, "load: --port and one of --tokens and --body are needed\n");
        return 2;
    }
    if (load.once && load.max > load.token_count) {
        load.max = load.token_count;
    }
    build_head(&load);
    if (load.tls) {
        /* The certificate is the benchmark's own; what is measured is the server. */
        load.tls_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(load.tls_context, TLS1_3_VERSION);
    }
    run(&load);
    return load.errors == 0 ? 0 : 1;
}
