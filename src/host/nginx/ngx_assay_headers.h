/* Fields of a request, taken out and put in. What is taken out is out of the list itself: every
 * module that passes requests on reads that. */
#ifndef ASSAY_HOST_NGX_ASSAY_HEADERS_H
#define ASSAY_HOST_NGX_ASSAY_HEADERS_H

#include "host/nginx/ngx_assay_guard.h"

/* Takes out what stands for an identity in any spelling: letters of either case, '_' for '-'.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_assay_headers_strip(ngx_http_request_t *r, const ngx_array_t *names);

/* Puts in what the location says; a value that is empty is left out. */
ngx_int_t ngx_assay_headers_set(ngx_http_request_t *r, const ngx_array_t *headers);

/* The same as fields of the response: what a judge tells whoever asked. */
ngx_int_t ngx_assay_headers_answer(ngx_http_request_t *r, const ngx_array_t *headers);

bool ngx_assay_headers_is_authorization(const ngx_table_elt_t *header);

/* Takes the token out of `r`, wherever `policy` allows it to be. */
ngx_int_t ngx_assay_headers_drop_token(ngx_http_request_t *r, const struct assay_policy *policy);

/* Did the client send a query, or does `r` have one? */
bool ngx_assay_headers_have_query(const ngx_http_request_t *r);

/* Overwrites the values of the query parameter `name`, where they lie: no log has them, nor whoever
 * the request is passed on to. */
void ngx_assay_headers_hide_query(ngx_http_request_t *r, struct assay_slice name);

/* Puts the Authorization field back that was taken out in another location. */
ngx_int_t ngx_assay_headers_restore_token(ngx_http_request_t *r);

#endif
