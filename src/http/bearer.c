#include "http/bearer.h"

#include "base/limits.h"
#include "base/word.h"
#include "http/authorization.h"
#include "http/form.h"

#include <stdbool.h>

/* --- the syntax of a token --- */

/* ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/": a bit for each ASCII character. */
static bool is_token_char(uint8_t c)
{
    static const uint64_t allowed[2] = {UINT64_C(0x03ffe80000000000), UINT64_C(0x47fffffe87fffffe)};
    return c < 128 && (allowed[c >> 6] >> (c & 63) & 1) != 0;
}

/* Is each of sixteen bytes one of those? */
static bool are_token_chars(assay_vector v)
{
    assay_vector lower = v | 0x20;
    assay_vector letters = (assay_vector)(lower >= 'a') & (assay_vector)(lower <= 'z');
    assay_vector digits = (assay_vector)(v >= '-') & (assay_vector)(v <= '9'); /* and "-./" */
    assay_vector others =
        (assay_vector)(v == '_') | (assay_vector)(v == '~') | (assay_vector)(v == '+');
    return assay_vector_is_zero(~(letters | digits | others));
}

/* b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" */
static bool is_b64token(struct assay_slice text)
{
    size_t at = 0;
    while (text.len - at >= 16 && are_token_chars(assay_vector_read(text.data + at))) {
        at += 16;
    }
    while (at < text.len && is_token_char(text.data[at])) {
        at++;
    }
    if (at == 0) {
        return false;
    }
    while (at < text.len && text.data[at] == '=') {
        at++;
    }
    return at == text.len;
}

static enum assay_bearer_result judge(struct assay_slice text)
{
    if (text.len > ASSAY_MAX_TOKEN_PARAM) {
        return ASSAY_BEARER_TOO_LONG;
    }
    return is_b64token(text) ? ASSAY_BEARER_ONE : ASSAY_BEARER_MALFORMED;
}

/* --- cookies and query parameters --- */

static struct assay_slice trim(struct assay_slice text)
{
    while (text.len > 0 && text.data[0] == ' ') {
        text = assay_slice_from(text, 1);
    }
    while (text.len > 0 && text.data[text.len - 1] == ' ') {
        text = assay_slice_head(text, text.len - 1);
    }
    return text;
}

/* How often the cookie `name` is there; the last value in `*ret`. */
static size_t find_cookie(struct assay_slice cookies, struct assay_slice name,
                          struct assay_slice *ret)
{
    size_t count = 0;
    while (name.len > 0 && cookies.len > 0) {
        struct assay_slice value = assay_slice_cut(&cookies, ';');
        struct assay_slice own = trim(assay_slice_cut(&value, '='));
        if (assay_slice_equal(own, name)) {
            *ret = trim(value);
            count++;
        }
    }
    return count;
}

/* The same of a query parameter. False when the query cannot be read. */
static bool find_query(struct assay_slice query, struct assay_slice name, struct assay_arena *arena,
                       size_t *ret_count, struct assay_slice *ret)
{
    struct assay_form form;
    *ret_count = 0;
    if (query.len == 0) {
        return true;
    }
    if (assay_form_parse(query, arena, &form, NULL) != ASSAY_OK) {
        return false;
    }
    *ret_count = assay_form_find(&form, name, ret);
    return true;
}

/* A cookie's value may stand in quotes (RFC 6265 section 4.1.1). */
static struct assay_slice unquote(struct assay_slice value)
{
    bool quoted = value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';
    return quoted ? assay_slice_of(value.data + 1, value.len - 2) : value;
}

/* --- the three ways --- */

enum assay_bearer_result assay_bearer_find(const struct assay_bearer_request *request,
                                           const struct assay_bearer_sources *sources,
                                           struct assay_arena *arena, struct assay_slice *ret)
{
    static const struct assay_slice access_token = {(const uint8_t *)"access_token", 12};
    struct assay_slice header = {0};
    struct assay_slice cookie = {0};
    struct assay_slice query = {0};
    bool by_header =
        assay_authorization_scheme(request->authorization, &header) == ASSAY_SCHEME_BEARER;
    size_t cookies = find_cookie(request->cookies, sources->cookie, &cookie);
    size_t queries = 0;
    bool named = sources->query.len != 0;
    bool readable =
        find_query(request->query, named ? sources->query : access_token, arena, &queries, &query);
    *ret = (struct assay_slice){0};
    if (request->authorization_count > 1 || (by_header ? 1u : 0u) + cookies + queries > 1) {
        return ASSAY_BEARER_SEVERAL;
    }
    if (named && !readable) {
        return ASSAY_BEARER_MALFORMED;
    }
    if (by_header) {
        *ret = header;
    } else if (cookies == 1) {
        *ret = unquote(cookie);
    } else if (queries == 1 && named) {
        *ret = query;
    } else {
        return ASSAY_BEARER_NONE;
    }
    enum assay_bearer_result result = judge(*ret);
    if (result != ASSAY_BEARER_ONE) {
        *ret = (struct assay_slice){0};
    }
    return result;
}
