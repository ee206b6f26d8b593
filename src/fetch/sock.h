/* libcurl's descriptors and its timer on the loop of whoever runs it. */
#ifndef ASSAY_FETCH_SOCK_H
#define ASSAY_FETCH_SOCK_H

#include "loop/loop.h"

#include <curl/curl.h>

struct assay_sock;

struct assay_socks {
    CURLM *multi;
    struct assay_loop *loop;
    struct assay_timer timer;
    struct assay_sock *spares;
    void (*acted)(struct assay_socks *socks); /* in: libcurl has gone on */
    void *context;                            /* the owner's */
};

/* Connects the two; `multi` and `loop` outlive it. */
CURLMcode assay_socks_init(struct assay_socks *socks, CURLM *multi, struct assay_loop *loop);

/* When libcurl is done with all of them. */
void assay_socks_clear(struct assay_socks *socks);

#endif
