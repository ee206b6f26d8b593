#include "host/nginx/ngx_assay_request.h"

#include "host/nginx/ngx_assay_body.h"

static struct assay_slice slice_of(const ngx_str_t *s)
{
    return assay_slice_of(s->data, s->len);
}

static bool is_named(const ngx_table_elt_t *header, const char *name, size_t len)
{
    return header->key.len == len && ngx_memcmp(header->lowcase_key, name, len) == 0;
}

/* A field about the connection, which makes an HTTP/2 request malformed (RFC 9113 section 8.2.2):
 * nginx 1.22 lets it through. */
static bool is_of_connection(const ngx_table_elt_t *header)
{
    static const ngx_str_t names[] = {ngx_string("connection"), ngx_string("keep-alive"),
                                      ngx_string("proxy-connection"),
                                      ngx_string("transfer-encoding"), ngx_string("upgrade")};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_named(header, (const char *)names[i].data, names[i].len)) {
            return true;
        }
    }
    return is_named(header, "te", 2) &&
           !(header->value.len == 8 &&
             ngx_strncasecmp(header->value.data, (u_char *)"trailers", 8) == 0);
}

/* The few headers the core wants, in one pass; a repeated Content-Type goes through nginx 1.22. */
static void read_headers(ngx_http_request_t *r, struct assay_request *ret)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            ngx_table_elt_t *h = &headers[i];
            if (r->stream != NULL && is_of_connection(h)) {
                ret->connection_fields = true;
            } else if (is_named(h, "content-type", 12)) {
                if (ret->content_type_count++ == 0) {
                    ret->content_type = slice_of(&h->value);
                }
            } else if (is_named(h, "authorization", 13)) {
                if (ret->authorization_count++ == 0) {
                    ret->authorization = slice_of(&h->value);
                }
            } else if (is_named(h, "accept", 6)) {
                ret->accept = slice_of(&h->value);
            } else if (is_named(h, "assay-guard", 11)) {
                ret->guard = h->value.len == 1 && h->value.data[0] == '1';
            } else if (is_named(h, "content-encoding", 16)) {
                ret->content_encoding = slice_of(&h->value);
            }
        }
    }
}

/* The bytes of an address, an IPv4 one also when it comes mapped into IPv6. */
static struct assay_slice address_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return assay_slice_of(&in->sin_addr, sizeof(in->sin_addr));
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        const uint8_t *bytes = in6->sin6_addr.s6_addr;
        return IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? assay_slice_of(bytes + 12, 4)
                                                     : assay_slice_of(bytes, 16);
    }
    return (struct assay_slice){0};
}

static bool is_loopback(const struct sockaddr *address)
{
    static const uint8_t v6[16] = {[15] = 1};
    struct assay_slice bytes = address_of(address);
    if (address->sa_family == AF_UNIX) {
        return true;
    }
    return (bytes.len == 4 && bytes.data[0] == 127) ||
           (bytes.len == 16 && assay_slice_equal(bytes, assay_slice_of(v6, sizeof(v6))));
}

static void read_connection(ngx_http_request_t *r, struct assay_request *ret)
{
    ngx_connection_t *c = r->connection;
    ret->secure = c->ssl != NULL;
    ret->source = address_of(c->sockaddr);
    if (is_loopback(c->sockaddr) && ngx_connection_local_sockaddr(c, NULL, 0) == NGX_OK) {
        ret->loopback = is_loopback(c->local_sockaddr);
    }
}

bool ngx_assay_request_read(ngx_http_request_t *r, bool body_too_large, struct assay_arena *arena,
                            struct assay_request *ret)
{
    *ret = (struct assay_request){
        .method = slice_of(&r->method_name),
        .path = slice_of(&r->uri),
        .query = slice_of(&r->args),
        .body_too_large = body_too_large,
    };
    read_headers(r, ret);
    read_connection(r, ret);
    return body_too_large || ngx_assay_body_take(r, arena, ret);
}

/* --- replies --- */

static ngx_table_elt_t *add_header(ngx_http_request_t *r, const char *name, size_t name_len,
                                   struct assay_slice value)
{
    ngx_table_elt_t *header = ngx_list_push(&r->headers_out.headers);
    if (header == NULL) {
        return NULL;
    }
    header->hash = 1;
    header->key.data = (u_char *)(uintptr_t)name;
    header->key.len = name_len;
    header->value.data = (u_char *)(uintptr_t)value.data;
    header->value.len = value.len;
    return header;
}

static bool add_retry_after(ngx_http_request_t *r, unsigned seconds)
{
    u_char *text = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (text == NULL) {
        return false;
    }
    size_t len = (size_t)(ngx_sprintf(text, "%ui", (ngx_uint_t)seconds) - text);
    return add_header(r, "Retry-After", 11, assay_slice_of(text, len)) != NULL;
}

/* Values of these headers are constant text of the core. */
static bool add_headers(ngx_http_request_t *r, const struct assay_reply *reply)
{
    bool good = true;
    if (reply->no_store) {
        good = add_header(r, "Cache-Control", 13, ASSAY_SLICE("no-store")) != NULL &&
               add_header(r, "Pragma", 6, ASSAY_SLICE("no-cache")) != NULL;
    }
    if (good && reply->www_authenticate.len != 0) {
        r->headers_out.www_authenticate =
            add_header(r, "WWW-Authenticate", 16, reply->www_authenticate);
        good = r->headers_out.www_authenticate != NULL;
    }
    if (good && reply->allow.len != 0) {
        good = add_header(r, "Allow", 5, reply->allow) != NULL;
    }
    return good && (reply->retry_after_s == 0 || add_retry_after(r, reply->retry_after_s));
}

/* The body in the request's own memory: the arena it was written in is reused at once. */
static ngx_buf_t *body_buf(ngx_http_request_t *r, struct assay_slice body)
{
    ngx_buf_t *buf = ngx_create_temp_buf(r->pool, body.len);
    if (buf != NULL) {
        buf->last = ngx_cpymem(buf->pos, body.data, body.len);
        buf->last_buf = r == r->main;
        buf->last_in_chain = 1;
    }
    return buf;
}

ngx_int_t ngx_assay_reply_send(ngx_http_request_t *r, const struct assay_reply *reply)
{
    r->headers_out.status = reply->http_status;
    r->headers_out.content_length_n = (off_t)reply->body.len;
    r->headers_out.content_type.data = (u_char *)(uintptr_t)reply->content_type.data;
    r->headers_out.content_type.len = reply->content_type.len;
    r->headers_out.content_type_len = reply->content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    if (!add_headers(r, reply)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (reply->body.len == 0) {
        r->header_only = 1;
    }
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }
    ngx_chain_t out = {.buf = body_buf(r, reply->body), .next = NULL};
    return out.buf == NULL ? NGX_ERROR : ngx_http_output_filter(r, &out);
}
