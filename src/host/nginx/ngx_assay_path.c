#include "host/nginx/ngx_assay_path.h"

#include <stdbool.h>

static int digit_of(u_char c)
{
    u_char lower = c | 0x20;
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Is `uri` what is left of `raw` when it is decoded and nothing else? */
static bool is_decoded(const ngx_str_t *raw, const ngx_str_t *uri)
{
    size_t at = 0;
    for (size_t i = 0; i < raw->len && raw->data[i] != '?' && raw->data[i] != '#'; i++, at++) {
        u_char c = raw->data[i];
        if (c == '%' && i + 2 < raw->len && digit_of(raw->data[i + 1]) >= 0 &&
            digit_of(raw->data[i + 2]) >= 0) {
            c = (u_char)(digit_of(raw->data[i + 1]) << 4 | digit_of(raw->data[i + 2]));
            i += 2;
        }
        if (at == uri->len || uri->data[at] != c) {
            return false;
        }
    }
    return at == uri->len;
}

static bool is_other_separator(u_char c)
{
    return c == '\\' || c == ';';
}

/* Two dots with a separator of others beside them, where a segment begins and ends. */
static bool resolves_elsewhere(const ngx_str_t *uri)
{
    for (size_t i = 0; i + 1 < uri->len; i++) {
        if (uri->data[i] != '.' || uri->data[i + 1] != '.') {
            continue;
        }
        u_char before = i == 0 ? '/' : uri->data[i - 1];
        u_char behind = i + 2 == uri->len ? '/' : uri->data[i + 2];
        bool segment =
            (before == '/' || before == '\\') && (behind == '/' || is_other_separator(behind));
        if (segment && (before == '\\' || is_other_separator(behind))) {
            return true;
        }
    }
    return false;
}

ngx_int_t ngx_assay_path_pin(ngx_http_request_t *r)
{
    if (r != r->main || r->internal) {
        return NGX_DECLINED;
    }
    if (resolves_elsewhere(&r->uri)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "assay: refused a path that a back end may take for another one");
        return NGX_HTTP_BAD_REQUEST;
    }
    if ((r->complex_uri || r->quoted_uri) && !is_decoded(&r->unparsed_uri, &r->uri)) {
        r->valid_unparsed_uri = 0;
    }
    return NGX_DECLINED;
}
