/* The guard at work: before a request is answered, and at the one way out. */
#ifndef ASSAY_HOST_NGX_ASSAY_GUARD_ACCESS_H
#define ASSAY_HOST_NGX_ASSAY_GUARD_ACCESS_H

#include "host/nginx/ngx_assay_decision.h"

/* Takes out of every request what no client may set: before anything reads it, and each time it is
 * routed anew. */
ngx_int_t ngx_assay_guard_strip(ngx_http_request_t *r);

/* Rewrite phase, where it is known which location a request is for: hides the token that a query
 * may hold from logs and from whoever the request is passed on to, whoever refuses it later. */
ngx_int_t ngx_assay_guard_hide(ngx_http_request_t *r);

/* Access phase: requests of clients, and internal redirects of them. */
ngx_int_t ngx_assay_guard_access(ngx_http_request_t *r);

/* Preaccess phase: subrequests, for which nginx leaves the access phase out. */
ngx_int_t ngx_assay_guard_subrequest(ngx_http_request_t *r);

/* Precontent phase: notes whom others let in where `satisfy any` stands. */
ngx_int_t ngx_assay_guard_admitted(ngx_http_request_t *r);

/* Content handler of the judge endpoint. */
ngx_int_t ngx_assay_judge(ngx_http_request_t *r);

/* The header filter: no 2xx, no 304 and no 101 leaves a guarded location without a decision to
 * allow. */
ngx_int_t ngx_assay_guard_filter(ngx_http_request_t *r);

/* Makes `r` a refusal by `d`: the status it is to be finalized with, its fields in place.
 * NGX_HTTP_INTERNAL_SERVER_ERROR: no memory. */
ngx_int_t ngx_assay_refusal(ngx_http_request_t *r, struct ngx_assay_decision *d);

#endif
