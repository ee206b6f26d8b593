/* The path that a back end gets is one of the location that was judged: nginx chooses a location by
 * the path as it understands it, and passes it on as it was sent. */
#ifndef ASSAY_HOST_NGX_ASSAY_PATH_H
#define ASSAY_HOST_NGX_ASSAY_PATH_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

/* Server rewrite phase. A path in which nginx has resolved dot segments or doubled slashes, plain
 * or encoded, is passed on as it was understood. One that others would resolve where nginx does not
 * ("..;" and "..\") is NGX_HTTP_BAD_REQUEST. */
ngx_int_t ngx_assay_path_pin(ngx_http_request_t *r);

#endif
