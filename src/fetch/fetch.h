/* Outgoing HTTP on libcurl's multi interface, driven by the loop of whoever runs it: nothing here
 * waits, names included. TLS is always verified, redirects are never followed, no proxy and no
 * credentials are taken from the environment, and every answer is bounded in bytes and time. */
#ifndef ASSAY_FETCH_FETCH_H
#define ASSAY_FETCH_FETCH_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a fetcher works. Strings are copied. */
struct assay_fetch_options {
    const char *ca_file;            /* PEM; NULL: the system's authorities */
    struct assay_slice certificate; /* our own chain, PEM; empty: none. Not copied, like its key */
    struct assay_slice certificate_key;
    bool allow_cleartext; /* http also to other machines than this one */
    int64_t connect_ms;   /* to a connection, name and TLS included */
    size_t max_body;      /* bytes of an answer */
};

/* Connections to servers, kept and shared by what is fetched. One loop, one thread. */
struct assay_fetcher;

/* Fails with ASSAY_ERR_SYSTEM. `loop` outlives the fetcher. */
ASSAY_MUST_USE enum assay_status assay_fetcher_open(struct assay_loop *loop,
                                                    const struct assay_fetch_options *options,
                                                    struct assay_fetcher **ret,
                                                    struct assay_error *reterr);

/* Cancels what is under way, closes the connections. */
void assay_fetcher_close(struct assay_fetcher *fetcher);

/* Why nothing usable came back. */
enum assay_fetch_result {
    ASSAY_FETCH_OK = 0,  /* an answer, of whatever status */
    ASSAY_FETCH_FAILED,  /* no connection, no whole answer, or not in time */
    ASSAY_FETCH_REFUSED, /* more than was allowed: bytes, an encoding, a protocol */
    ASSAY_FETCH_BUSY,    /* too many look-ups of names hang: nothing was tried */
};

/* One exchange. The owner fills in what is marked and keeps all of it, what it points to included,
 * until done() has run or cancel has returned. */
struct assay_fetch {
    const char *url;                         /* in */
    int64_t timeout_ms;                      /* in: for the whole of it */
    const char *content_type;                /* in: of `body`; NULL: a GET without one */
    const char *accept;                      /* in */
    const char *authorization;               /* in: the value of that field; NULL: none. Secret */
    const char *header;                      /* in: one more field, as "Name: value"; NULL: none */
    struct assay_slice body;                 /* in: sent as it is */
    void (*done)(struct assay_fetch *fetch); /* in; never from inside start */
    void *context;                           /* the owner's */

    enum assay_fetch_result result; /* out, as what follows; slices are gone after done() */
    const char *what;               /* constant text */
    unsigned http_status;
    struct assay_slice content_type_got;
    struct assay_slice answer;
    int64_t retry_after_s; /* 0: not said */
    int64_t date_s;        /* of the Date field, seconds since the epoch; 0: none */
    bool may_repeat; /* it was not answered: not one byte came, or HTTP/2's stream was reset */

    void *private;
};

/* Is `url` one that may be fetched: https, or http to this machine or where cleartext is allowed,
 * no user in it? */
bool assay_fetch_url_allowed(const char *url, bool allow_cleartext);

/* Begins. Fails with ASSAY_ERR_SYNTAX for a URL that is not allowed, ASSAY_ERR_SYSTEM when memory
 * is out; done() is then not called. */
ASSAY_MUST_USE enum assay_status assay_fetch_start(struct assay_fetcher *fetcher,
                                                   struct assay_fetch *fetch,
                                                   struct assay_error *reterr);

/* Ends `fetch` without done(), at once, whatever it is waiting for. Not from inside done() of the
 * same. */
void assay_fetch_cancel(struct assay_fetch *fetch);

#endif
