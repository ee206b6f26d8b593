#include "host/nginx/ngx_assay_headers.h"

#include "base/limits.h"
#include "host/nginx/ngx_assay_decision.h"
#include "host/nginx/ngx_assay_setting.h"
#include "http/form.h"

/* --- the list of fields --- */

/* The list's last part is full as it is: the next field gets a part of its own, of as many. A list
 * of none takes the next one where that which was cut out lay. */
static void close_last(ngx_list_t *list)
{
    list->nalloc = list->last->nelts == 0 ? 1 : list->last->nelts;
}

/* Takes an empty part out of the list: nginx reads the first field of each part but the first
 * without looking whether there is one. */
static void drop_part(ngx_list_t *list, ngx_list_part_t *part)
{
    ngx_list_part_t *before = &list->part;
    ngx_list_part_t *next = part->next;
    if (part == before) { /* it lies in the list itself: the next one moves there */
        if (next != NULL) {
            *part = *next;
            list->last = list->last == next ? part : list->last;
        }
        return;
    }
    while (before->next != part) {
        before = before->next;
    }
    before->next = next;
    list->last = list->last == part ? before : list->last;
}

/* Cuts element `at` out of `part`. Nothing moves, since nginx points to fields from elsewhere: what
 * is behind it becomes a part of its own. */
static ngx_int_t cut(ngx_http_request_t *r, ngx_list_part_t *part, ngx_uint_t at)
{
    ngx_list_t *list = &r->headers_in.headers;
    ngx_table_elt_t *headers = part->elts;
    ngx_uint_t behind = part->nelts - at - 1;
    if (at == 0 && behind != 0) {
        part->elts = headers + 1;
        part->nelts--;
    } else {
        ngx_list_part_t *rest = behind == 0 ? NULL : ngx_palloc(r->pool, sizeof(*rest));
        if (rest == NULL && behind != 0) {
            return NGX_ERROR;
        }
        if (rest != NULL) {
            *rest =
                (ngx_list_part_t){.elts = headers + at + 1, .nelts = behind, .next = part->next};
            part->next = rest;
            list->last = list->last == part ? rest : list->last;
        }
        part->nelts = at;
    }
    if (part->nelts == 0) {
        drop_part(list, part);
    }
    close_last(list);
    return NGX_OK;
}

/* A subrequest shares its parent's fields: it gets a list of its own before that is changed. */
static ngx_int_t own_list(ngx_http_request_t *r)
{
    ngx_list_t shared = r->headers_in.headers;
    if (r == r->main) {
        return NGX_OK;
    }
    if (ngx_list_init(&r->headers_in.headers, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }
    for (ngx_list_part_t *part = &shared.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            ngx_table_elt_t *header = ngx_list_push(&r->headers_in.headers);
            if (header == NULL) {
                return NGX_ERROR;
            }
            *header = headers[i];
        }
    }
    return NGX_OK;
}

/* Is the field one of those that `match` names? */
typedef bool match_pt(const ngx_table_elt_t *header, const void *names);

static ngx_int_t find(ngx_http_request_t *r, match_pt *match, const void *names,
                      ngx_list_part_t **ret_part, ngx_uint_t *ret_at)
{
    for (ngx_list_part_t *part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        const ngx_table_elt_t *headers = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (match(&headers[i], names)) {
                *ret_part = part;
                *ret_at = i;
                return NGX_OK;
            }
        }
    }
    return NGX_DECLINED;
}

static ngx_int_t take_out(ngx_http_request_t *r, match_pt *match, const void *names)
{
    ngx_list_part_t *part = NULL;
    ngx_uint_t at = 0;
    if (find(r, match, names, &part, &at) != NGX_OK) {
        return NGX_OK;
    }
    if (own_list(r) != NGX_OK) {
        return NGX_ERROR;
    }
    while (find(r, match, names, &part, &at) == NGX_OK) {
        if (cut(r, part, at) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

/* --- identity --- */

static bool is_spelled(const ngx_str_t *name, const ngx_str_t *folded)
{
    if (name->len != folded->len) {
        return false;
    }
    for (size_t i = 0; i < name->len; i++) {
        u_char c = name->data[i] == '_' ? '-' : ngx_tolower(name->data[i]);
        if (c != folded->data[i]) {
            return false;
        }
    }
    return true;
}

static bool is_identity(const ngx_table_elt_t *header, const void *names)
{
    const ngx_array_t *array = names;
    const ngx_str_t *name = array->elts;
    for (ngx_uint_t i = 0; i < array->nelts; i++) {
        if (is_spelled(&header->key, &name[i])) {
            return true;
        }
    }
    return false;
}

ngx_int_t ngx_assay_headers_strip(ngx_http_request_t *r, const ngx_array_t *names)
{
    return names->nelts == 0 ? NGX_OK : take_out(r, is_identity, names);
}

static ngx_int_t push(ngx_list_t *list, const ngx_str_t *name, const ngx_str_t *lowcase,
                      const ngx_str_t *value)
{
    ngx_table_elt_t *header = ngx_list_push(list);
    if (header == NULL) {
        return NGX_ERROR;
    }
    header->hash = ngx_hash_key(lowcase->data, lowcase->len);
    header->key = *name;
    header->lowcase_key = lowcase->data;
    header->value = *value;
    return NGX_OK;
}

/* A value that would end the line is no value: only what the operator wrote around our variables,
 * or variables of others, can hold such bytes. */
static bool is_field_value(const ngx_str_t *value)
{
    for (size_t i = 0; i < value->len; i++) {
        if (value->data[i] == '\r' || value->data[i] == '\n' || value->data[i] == '\0') {
            return false;
        }
    }
    return true;
}

static ngx_int_t each(ngx_http_request_t *r, const ngx_array_t *headers, ngx_list_t *list)
{
    struct ngx_assay_header *header = headers->elts;
    for (ngx_uint_t i = 0; i < headers->nelts; i++) {
        ngx_str_t value;
        if (ngx_http_complex_value(r, &header[i].value, &value) != NGX_OK) {
            return NGX_ERROR;
        }
        if (value.len != 0 && is_field_value(&value) &&
            push(list, &header[i].name, &header[i].lowcase, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

ngx_int_t ngx_assay_headers_set(ngx_http_request_t *r, const ngx_array_t *headers)
{
    if (headers == NULL) {
        return NGX_OK;
    }
    return own_list(r) == NGX_OK ? each(r, headers, &r->headers_in.headers) : NGX_ERROR;
}

ngx_int_t ngx_assay_headers_answer(ngx_http_request_t *r, const ngx_array_t *headers)
{
    return headers == NULL ? NGX_OK : each(r, headers, &r->headers_out.headers);
}

/* --- the token --- */

bool ngx_assay_headers_is_authorization(const ngx_table_elt_t *header)
{
    static const ngx_str_t name = ngx_string("authorization");
    if (header->key.len != name.len) {
        return false;
    }
    return header->lowcase_key == NULL ? is_spelled(&header->key, &name) /* a module's own field */
                                       : ngx_memcmp(header->lowcase_key, name.data, name.len) == 0;
}

static bool is_authorization(const ngx_table_elt_t *header, const void *names)
{
    (void)names;
    return ngx_assay_headers_is_authorization(header);
}

/* As http/authorization.h has it, which takes the whole value apart. */
static bool is_bearer(const ngx_str_t *value)
{
    static const struct assay_slice scheme = {(const uint8_t *)"bearer", 6};
    return value->len >= scheme.len &&
           (value->len == scheme.len || value->data[scheme.len] == ' ') &&
           assay_slice_equal_nocase(assay_slice_of(value->data, scheme.len), scheme);
}

static ngx_int_t drop_authorization(ngx_http_request_t *r)
{
    if (r->headers_in.authorization == NULL || !is_bearer(&r->headers_in.authorization->value)) {
        return NGX_OK;
    }
    r->headers_in.authorization = NULL;
    return take_out(r, is_authorization, NULL);
}

ngx_int_t ngx_assay_headers_restore_token(ngx_http_request_t *r)
{
    static const ngx_str_t name = ngx_string("Authorization");
    static ngx_str_t lowcase = ngx_string("authorization");
    const struct assay_bearer_request *sent = ngx_assay_decision_credentials(r);
    if (r->headers_in.authorization != NULL || sent == NULL || sent->authorization_count == 0) {
        return NGX_OK;
    }
    ngx_str_t value = {.data = (u_char *)(uintptr_t)sent->authorization.data,
                       .len = sent->authorization.len};
    return own_list(r) == NGX_OK ? push(&r->headers_in.headers, &name, &lowcase, &value)
                                 : NGX_ERROR;
}

/* The cookie `name` out of one field's value, which is written anew in place: it gets shorter. */
static void cut_cookie(ngx_str_t *value, struct assay_slice name)
{
    struct assay_slice rest = ngx_assay_slice(value);
    u_char *out = value->data;
    while (rest.data != NULL) {
        struct assay_slice one = assay_slice_cut(&rest, ';');
        struct assay_slice pair = one;
        while (pair.len > 0 && pair.data[0] == ' ') {
            pair = assay_slice_from(pair, 1);
        }
        struct assay_slice own = pair;
        if (assay_slice_equal(assay_slice_cut(&own, '='), name) || pair.len == 0) {
            continue;
        }
        if (out != value->data) {
            out = ngx_cpymem(out, "; ", 2);
        }
        out = ngx_movemem(out, pair.data, pair.len);
    }
    value->len = (size_t)(out - value->data);
}

static void drop_cookie(ngx_http_request_t *r, struct assay_slice name)
{
    ngx_table_elt_t **cookies = r->headers_in.cookies.elts;
    for (ngx_uint_t i = 0; i < r->headers_in.cookies.nelts; i++) {
        cut_cookie(&cookies[i]->value, name);
    }
}

/* Is `raw`, form-encoded, the name `name`? */
static bool is_parameter(struct assay_slice raw, struct assay_slice name)
{
    uint8_t room[ASSAY_MAX_FORM_NAME];
    struct assay_arena arena;
    struct assay_slice decoded = {0};
    assay_arena_init(&arena, room, sizeof(room));
    bool is = assay_form_decode(raw, &arena, &decoded, NULL) == ASSAY_OK &&
              assay_slice_equal(decoded, name);
    assay_arena_release(&arena);
    return is;
}

/* Where `c` is in `text` from `at` on, or its end. */
static size_t next_of(struct assay_slice text, size_t at, u_char c)
{
    while (at < text.len && text.data[at] != c) {
        at++;
    }
    return at;
}

/* Overwrites the values of the parameter `name` where they lie. */
static bool hide(struct assay_slice query, struct assay_slice name)
{
    bool hidden = false;
    for (size_t at = 0; at < query.len;) {
        size_t end = next_of(query, at, '&');
        size_t equals = next_of(assay_slice_head(query, end), at, '=');
        if (equals < end && is_parameter(assay_slice_of(query.data + at, equals - at), name)) {
            ngx_memset((u_char *)(uintptr_t)query.data + equals + 1, '-', end - equals - 1);
            hidden = true;
        }
        at = end + 1;
    }
    return hidden;
}

/* What stands behind the '?' of a URI or of a request line. */
static struct assay_slice query_of(const ngx_str_t *text)
{
    u_char *end = text->data + text->len;
    u_char *mark = text->len == 0 ? NULL : ngx_strlchr(text->data, end, '?');
    if (mark == NULL || mark >= end) {
        return (struct assay_slice){0};
    }
    struct assay_slice rest = assay_slice_of(mark + 1, (size_t)(end - mark - 1));
    return assay_slice_cut(&rest, ' ');
}

bool ngx_assay_headers_have_query(const ngx_http_request_t *r)
{
    return r->args.len != 0 || query_of(&r->unparsed_uri).len != 0;
}

void ngx_assay_headers_hide_query(ngx_http_request_t *r, struct assay_slice name)
{
    if (r->args.len != 0 && hide(ngx_assay_slice(&r->args), name)) {
        r->valid_unparsed_uri = 0; /* what is passed on is written anew from what is left */
    }
    (void)hide(query_of(&r->unparsed_uri), name);
    (void)hide(query_of(&r->request_line), name); /* over HTTP/2 another copy */
}

ngx_int_t ngx_assay_headers_drop_token(ngx_http_request_t *r, const struct assay_policy *policy)
{
    if (policy->sources.cookie.len != 0) {
        drop_cookie(r, policy->sources.cookie);
    }
    if (policy->sources.query.len != 0) {
        ngx_assay_headers_hide_query(r, policy->sources.query);
    }
    return drop_authorization(r);
}
