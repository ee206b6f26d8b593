/* Asking the authorization servers, from one worker: one question at a time about a token, however
 * many requests wait for its answer, in this worker or in others. */
#ifndef ASSAY_HOST_NGX_ASSAY_ASKER_H
#define ASSAY_HOST_NGX_ASSAY_ASKER_H

#include "host/nginx/ngx_assay_guard.h"

/* Somebody who waits for an answer. The owner fills in what is marked and keeps it until `answered`
 * ran or the waiter was taken back. */
struct ngx_assay_waiter {
    ngx_queue_t queue;
    struct assay_decide *op;             /* in: what the answer is for */
    struct ngx_assay_provider *provider; /* in */
    struct sockaddr *address;            /* in: the client's, which holds only so many questions */
    socklen_t address_len;
    void (*answered)(struct ngx_assay_waiter *waiter); /* in: op is decided now */
    void *context;                                     /* the owner's */
    bool for_keys;                                     /* waits for an issuer's keys */
    struct ngx_assay_question *question;               /* NULL: does not wait */
};

/* Waits for an answer about op->token. True: `answered` will be called, never from inside. False:
 * there are too many questions already, or there is no memory. */
bool ngx_assay_ask(struct ngx_assay_waiter *waiter);

/* Takes a waiter back that has not been answered. The question goes on for the others, and for the
 * cache. */
void ngx_assay_ask_cancel(struct ngx_assay_waiter *waiter);

#endif
