/* One HTTP request and its reply, as slices: what a host hands to the core and gets back. */
#ifndef ASSAY_HTTP_MESSAGE_H
#define ASSAY_HTTP_MESSAGE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A request, read to its end. Slices borrow from the host until the reply was sent. A header that
 * is absent is an empty slice with count 0; with a count above 1 the slice is the first. */
struct assay_request {
    struct assay_slice method; /* "POST"; case-sensitive */
    struct assay_slice path;   /* decoded, without query, as the host routed it */
    struct assay_slice query;  /* behind the '?', as sent; only /admin reads it */
    struct assay_slice content_type;
    size_t content_type_count;
    struct assay_slice content_encoding;
    struct assay_slice authorization; /* there at the first run alone: the host wipes it then */
    size_t authorization_count;
    struct assay_slice accept;
    bool guard;              /* `Assay-Guard: 1`: a guard asks, and wants to know how to keep it */
    bool connection_fields;  /* over HTTP/2, a field that may only stand in HTTP/1: malformed */
    struct assay_slice body; /* whole; at most ASSAY_MAX_BODY, or body_too_large is set */
    bool body_too_large;
    struct assay_slice source; /* binary address of the peer, 4 or 16 bytes; empty: unknown */
    bool secure;               /* came over TLS, or the operator vouches for the path it came by */
    bool loopback;             /* the peer's address and ours are loopback */
};

/* A reply. Slices are constant text or borrow from the request's arena. The host adds Date, Server,
 * Content-Length and, for HEAD, drops the body. */
struct assay_reply {
    unsigned http_status;
    struct assay_slice content_type; /* empty: no body */
    struct assay_slice body;
    struct assay_slice www_authenticate; /* empty: none */
    struct assay_slice allow;            /* empty: none */
    unsigned retry_after_s;              /* 0: none */
    bool no_store;                       /* Cache-Control: no-store and Pragma: no-cache */
};

#endif
