/* The administrator's endpoint of a guard: what it has cached can be flushed, and its counters
 * read. */
#ifndef ASSAY_HOST_NGX_ASSAY_CONTROL_H
#define ASSAY_HOST_NGX_ASSAY_CONTROL_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

/* Content handler. `Authorization: Bearer SECRET`; POST with one of token, subject, client and
 * everything=1 in a form; GET for the counters. */
ngx_int_t ngx_assay_control(ngx_http_request_t *r);

#endif
