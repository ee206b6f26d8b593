#include "guard/kept.h"

#include "json/reader.h"

size_t assay_claims_find(const struct assay_claims *claims, struct assay_slice pointer)
{
    size_t at = 0;
    while (at < claims->count && !assay_slice_equal(claims->pointers[at], pointer)) {
        at++;
    }
    return at;
}

/* --- writing: a kind, two bytes of length, the bytes --- */

#define HEAD 3 /* bytes before a value */

static void append_len(struct assay_buf *out, size_t len)
{
    assay_buf_append_byte(out, (uint8_t)(len >> 8));
    assay_buf_append_byte(out, (uint8_t)(len & 0xFF));
}

static void append(struct assay_buf *out, enum assay_kept_kind kind, struct assay_slice text)
{
    if (text.len > UINT16_MAX) {
        out->spent = true;
        return;
    }
    assay_buf_append_byte(out, (uint8_t)kind);
    append_len(out, text.len);
    assay_buf_append(out, text);
}

static bool is_list(const struct assay_json_value *value)
{
    size_t count = assay_json_value_count(value);
    bool strings = assay_json_value_type(value) == ASSAY_JSON_ARRAY;
    for (size_t i = 0; i < count && strings; i++) {
        strings = assay_json_value_type(assay_json_value_item(value, i)) == ASSAY_JSON_STRING;
    }
    return strings;
}

static size_t list_len(const struct assay_json_value *value)
{
    size_t len = 0;
    for (size_t i = 0; i < assay_json_value_count(value); i++) {
        struct assay_slice item = {0};
        (void)assay_json_value_string(assay_json_value_item(value, i), &item);
        len += 2 + item.len;
    }
    return len;
}

static void append_list(struct assay_buf *out, const struct assay_json_value *value)
{
    size_t len = list_len(value);
    if (len > UINT16_MAX) {
        out->spent = true;
        return;
    }
    assay_buf_append_byte(out, ASSAY_KEPT_LIST);
    append_len(out, len);
    for (size_t i = 0; i < assay_json_value_count(value); i++) {
        struct assay_slice item = {0};
        (void)assay_json_value_string(assay_json_value_item(value, i), &item);
        append_len(out, item.len);
        assay_buf_append(out, item);
    }
}

static void append_value(struct assay_buf *out, const struct assay_json_value *value,
                         struct assay_arena *arena)
{
    struct assay_slice text = {0};
    enum assay_json_type type = assay_json_value_type(value);
    if (type == ASSAY_JSON_ABSENT || type == ASSAY_JSON_NULL) {
        append(out, ASSAY_KEPT_ABSENT, text);
    } else if (assay_json_value_string(value, &text)) {
        append(out, ASSAY_KEPT_STRING, text);
    } else if (is_list(value)) {
        append_list(out, value);
    } else if (assay_json_value_raw(value, arena, &text)) {
        append(out, ASSAY_KEPT_JSON, text);
    } else {
        out->spent = true;
    }
}

/* Not said, or said to be what a bearer shows. */
static bool is_bearers(struct assay_slice token_type)
{
    return token_type.len == 0 || assay_slice_equal_nocase(token_type, ASSAY_SLICE("Bearer")) ||
           assay_slice_equal(token_type, ASSAY_SLICE("access_token"));
}

enum assay_kept_fault assay_kept_binding(const struct assay_json *json)
{
    struct assay_slice thumbprint = {0};
    const struct assay_json_value *cnf = assay_json_point(json, ASSAY_SLICE("/cnf"));
    if (assay_json_value_type(cnf) == ASSAY_JSON_ABSENT) {
        return ASSAY_KEPT_GOOD;
    }
    bool alone = assay_json_value_members(cnf) == 1;
    const struct assay_json_value *named =
        assay_json_point(json, ASSAY_SLICE(ASSAY_CERTIFICATE_CLAIM));
    return alone && assay_json_value_string(named, &thumbprint) &&
                   thumbprint.len == ASSAY_CERTIFICATE_LEN
               ? ASSAY_KEPT_BOUND_TO_CERTIFICATE
               : ASSAY_KEPT_BOUND;
}

static enum assay_kept_fault fault_of(const struct assay_answer *answer, struct assay_slice issuer)
{
    struct assay_slice use = {0};
    if (issuer.len != 0 && answer->issuer.len != 0 && !assay_slice_equal(answer->issuer, issuer)) {
        return ASSAY_KEPT_FOREIGN;
    }
    /* Some servers answer for refresh tokens as well, and say so in a member of their own, or have
     * another idea of token_type than RFC 7662. */
    if (assay_slice_equal(answer->token_type, ASSAY_SLICE("refresh_token")) ||
        (assay_json_get_string(answer->json, ASSAY_SLICE("token_use"), &use) &&
         assay_slice_equal(use, ASSAY_SLICE("refresh_token")))) {
        return ASSAY_KEPT_NO_ACCESS;
    }
    return is_bearers(answer->token_type) ? assay_kept_binding(answer->json) : ASSAY_KEPT_BOUND;
}

enum assay_status assay_kept_write_values(const struct assay_json *json,
                                          const struct assay_claims *claims,
                                          struct assay_arena *arena, struct assay_buf *out,
                                          struct assay_slice *ret, struct assay_error *reterr)
{
    size_t before = out->len;
    for (size_t i = 0; i < claims->count; i++) {
        append_value(out, assay_json_point(json, claims->pointers[i]), arena);
    }
    if (out->spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "the claims are too long", reterr);
    }
    *ret = assay_slice_of(out->data + before, out->len - before);
    return ASSAY_OK;
}

enum assay_status assay_kept_write(const struct assay_answer *answer,
                                   const struct assay_claims *claims, struct assay_slice issuer,
                                   struct assay_arena *arena, struct assay_buf *out,
                                   struct assay_kept *ret, struct assay_error *reterr)
{
    *ret = (struct assay_kept){0};
    if (!answer->active) {
        return ASSAY_OK;
    }
    ret->active = true;
    ret->fault = fault_of(answer, issuer);
    ret->expires_at_s = answer->expires_at_s;
    ret->not_before_s = answer->not_before_s;
    return assay_kept_write_values(answer->json, claims, arena, out, &ret->values, reterr);
}

/* --- reading --- */

static size_t read_len(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

struct assay_kept_value assay_kept_at(struct assay_slice values, size_t index)
{
    struct assay_kept_value none = {0};
    for (;; index--) {
        size_t len = values.len < HEAD ? SIZE_MAX : read_len(values.data + 1);
        if (len > values.len - HEAD || values.len < HEAD || values.data[0] > ASSAY_KEPT_JSON) {
            return none;
        }
        if (index == 0) {
            return (struct assay_kept_value){
                .kind = (enum assay_kept_kind)values.data[0],
                .text = assay_slice_of(values.data + HEAD, len),
            };
        }
        values = assay_slice_from(values, HEAD + len);
    }
}

bool assay_kept_next(struct assay_slice *list, struct assay_slice *ret)
{
    if (list->len < 2 || read_len(list->data) > list->len - 2) {
        return false;
    }
    *ret = assay_slice_of(list->data + 2, read_len(list->data));
    *list = assay_slice_from(*list, 2 + ret->len);
    return true;
}

bool assay_kept_has(const struct assay_kept_value *value, struct assay_slice wanted)
{
    switch (value->kind) {
    case ASSAY_KEPT_ABSENT:
        return false;
    case ASSAY_KEPT_STRING:
    case ASSAY_KEPT_JSON:
        return assay_slice_equal(value->text, wanted);
    case ASSAY_KEPT_LIST:
        break;
    }
    struct assay_slice list = value->text;
    struct assay_slice item;
    while (assay_kept_next(&list, &item)) {
        if (assay_slice_equal(item, wanted)) {
            return true;
        }
    }
    return false;
}

/* --- printing --- */

static void print_byte(struct assay_buf *out, uint8_t c)
{
    static const char digits[] = "0123456789ABCDEF";
    assay_buf_append_byte(out, '%');
    assay_buf_append_byte(out, (uint8_t)digits[c >> 4]);
    assay_buf_append_byte(out, (uint8_t)digits[c & 0xF]);
}

static void print_text(struct assay_buf *out, struct assay_slice text, bool in_list)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool at_end = i == 0 || i + 1 == text.len;
        if (c < 0x20 || c > 0x7E || c == '%' || (c == ' ' && at_end) || (c == ',' && in_list)) {
            print_byte(out, c);
        } else {
            assay_buf_append_byte(out, c);
        }
    }
}

void assay_kept_print(const struct assay_kept_value *value, struct assay_buf *out)
{
    struct assay_slice item;
    struct assay_slice list = value->text;
    switch (value->kind) {
    case ASSAY_KEPT_ABSENT:
        return;
    case ASSAY_KEPT_STRING:
    case ASSAY_KEPT_JSON:
        print_text(out, value->text, false);
        return;
    case ASSAY_KEPT_LIST:
        break;
    }
    for (bool first = true; assay_kept_next(&list, &item); first = false) {
        if (!first) {
            assay_buf_append_byte(out, ',');
        }
        print_text(out, item, true);
    }
}

bool assay_kept_number(const struct assay_kept_value *value, int64_t *ret)
{
    static const size_t most = 18; /* digits, which no sum overflows by */
    int64_t n = 0;
    if (value->kind != ASSAY_KEPT_JSON || value->text.len == 0 || value->text.len > most) {
        return false;
    }
    for (size_t i = 0; i < value->text.len; i++) {
        uint8_t c = value->text.data[i];
        if (c < '0' || c > '9') {
            return false;
        }
        n = 10 * n + (c - '0');
    }
    *ret = n;
    return true;
}
