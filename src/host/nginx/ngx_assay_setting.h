/* What the setters of the guard's directives share. */
#ifndef ASSAY_HOST_NGX_ASSAY_SETTING_H
#define ASSAY_HOST_NGX_ASSAY_SETTING_H

#include "host/nginx/ngx_assay_guard.h"

/* Logs `format` at [emerg] with the place, and returns NGX_CONF_ERROR. */
char *ngx_assay_refuse(ngx_conf_t *cf, const char *format, ...);

struct ngx_assay_place ngx_assay_place(ngx_conf_t *cf);
struct assay_slice ngx_assay_slice(const ngx_str_t *text);
bool ngx_assay_is(const ngx_str_t *text, const char *word);

/* Is `argument` the option `name` ("max_age=")? Then `*ret` is its value. */
bool ngx_assay_option(const ngx_str_t *argument, const char *name, ngx_str_t *ret);

/* A time with its unit, or a plain 0, as milliseconds. False when it is none or over ten years. */
bool ngx_assay_read_ms(ngx_str_t *value, int64_t *ret);

/* Reads the secret that is the one line of the file at `path`, as the master may. Refuses an empty
 * one, and one with other bytes than printable ASCII. */
char *ngx_assay_read_secret(ngx_conf_t *cf, ngx_str_t *path, size_t max, ngx_str_t *ret);

/* The same of a file of several lines: all of it, which ends with a NUL that does not count. */
char *ngx_assay_read_text(ngx_conf_t *cf, ngx_str_t *path, size_t max, ngx_str_t *ret);

/* The JSON pointer of the claim that an operator calls `name`: that itself where it begins with
 * '/', else the top-level member of that name. len 0 when memory is out, or the pointer malformed.
 */
ngx_str_t ngx_assay_claim_pointer(ngx_pool_t *pool, const ngx_str_t *name);

#endif
