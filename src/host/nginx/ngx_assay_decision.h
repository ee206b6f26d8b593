/* The decisions of one client request, kept with it: nginx's own place for what a module knows of a
 * request is wiped by every internal redirect. */
#ifndef ASSAY_HOST_NGX_ASSAY_DECISION_H
#define ASSAY_HOST_NGX_ASSAY_DECISION_H

#include "host/nginx/ngx_assay_asker.h"
#include "host/nginx/ngx_assay_guard.h"

/* A decision about a request by one policy. */
struct ngx_assay_decision {
    struct ngx_assay_decision *next;
    struct ngx_assay_record *record;
    ngx_http_request_t *request; /* whom it is made for; it may hold for others of the record */
    struct ngx_assay_waiter waiter;
    void (*decided)(struct ngx_assay_decision *decision); /* after a wait */
    bool waiting;
    bool done;
    bool told; /* the refusal's headers are in place */
    struct assay_decide op;
    uint8_t certificate[ASSAY_CERTIFICATE_LEN]; /* thumbprint of the client's, if it showed one */
    uint8_t values[96]; /* that op.kept borrows, if they are no more; else the request's pool */
};

/* Where others than the guard may let a request in (`satisfy any`), and did. */
struct ngx_assay_admission {
    struct ngx_assay_admission *next;
    const struct assay_policy *policy;
};

/* All of a client's request, its subrequests included. */
struct ngx_assay_record {
    struct ngx_assay_decision *decisions;
    struct ngx_assay_admission *admissions;
    struct ngx_assay_record *next_free;
    struct assay_bearer_request credentials; /* as the client sent them */
    struct ngx_assay_decision first;         /* most requests need no more */
};

/* The decision by `policy` for the client's request that `r` is part of; NULL: none is known yet.
 */
struct ngx_assay_decision *ngx_assay_decision_find(ngx_http_request_t *r,
                                                   const struct assay_policy *policy);

/* Decides `r` by `policy`. NGX_OK: `*ret` is done. NGX_AGAIN: it waits, and `decided` will be
 * called unless the request ends before; calling this again then gives the decision. NGX_ERROR: no
 * memory.
 */
ngx_int_t ngx_assay_decision_make(ngx_http_request_t *r, const struct assay_policy *policy,
                                  void (*decided)(struct ngx_assay_decision *decision),
                                  struct ngx_assay_decision **ret);

/* Lets `r` pass by `policy` though it brings no token: a CORS preflight where that is allowed. */
ngx_int_t ngx_assay_decision_wave(ngx_http_request_t *r, const struct assay_policy *policy);

/* Notes that others let `r` in where `policy` holds; NGX_ERROR: no memory. And was that noted of
 * the client's request that `r` is part of? */
ngx_int_t ngx_assay_decision_admit(ngx_http_request_t *r, const struct assay_policy *policy);
bool ngx_assay_decision_admitted(ngx_http_request_t *r, const struct assay_policy *policy);

/* Takes note of what the client sent, before anything of it is changed. NULL: no memory. */
const struct assay_bearer_request *ngx_assay_decision_read(ngx_http_request_t *r);

/* What the client sent; NULL before the first decision. */
const struct assay_bearer_request *ngx_assay_decision_credentials(ngx_http_request_t *r);

#endif
