#include "http/form.h"

#include "base/utf8.h"
#include "base/word.h"

#include <string.h>

static enum assay_status refuse(const char *what, size_t offset, struct assay_error *reterr)
{
    enum assay_status status = assay_fail(ASSAY_ERR_SYNTAX, what, reterr);
    if (reterr != NULL) {
        reterr->offset = offset;
    }
    return status;
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    uint8_t lower = (uint8_t)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool has(struct assay_slice text, uint8_t c)
{
    return text.len != 0 && memchr(text.data, c, text.len) != NULL;
}

/* Nothing in `text` needs decoding. */
static bool is_plain(struct assay_slice text)
{
    return !has(text, '%') && !has(text, '+');
}

/* Eight bytes at once: ASCII but NUL, '%' and '+'. So nothing to decode and nothing to refuse. */
static bool is_simple(struct assay_slice text)
{
    size_t at = 0;
    uint64_t odd = 0;
    for (; text.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t word = assay_word_read(text.data + at);
        odd |= (word & ASSAY_HIGH_BITS) | assay_word_zeros(word) |
               assay_word_zeros(word ^ ASSAY_EACH_BYTE('%')) |
               assay_word_zeros(word ^ ASSAY_EACH_BYTE('+'));
    }
    for (; at < text.len; at++) {
        uint8_t c = text.data[at];
        odd |= c >= 0x80 || c == 0 || c == '%' || c == '+';
    }
    return odd == 0;
}

/* What decoding may yield. */
static bool is_good(struct assay_slice decoded)
{
    return assay_utf8_valid(decoded) && !has(decoded, 0);
}

/* Where in `text` stands what became the first NUL or bad UTF-8 of `decoded`. */
static size_t fault_at(struct assay_slice text, struct assay_slice decoded)
{
    size_t good = 0;
    size_t len = 1;
    while (good < decoded.len && decoded.data[good] != 0 && len != 0) {
        len = assay_utf8_first(assay_slice_from(decoded, good));
        good += len;
    }
    size_t at = 0;
    for (; good > 0; good--) {
        at += text.data[at] == '%' ? 3 : 1;
    }
    return at;
}

/* Decodes into `out`, which has room for text.len bytes; `*ret_len` is what came out. */
static enum assay_status unescape(struct assay_slice text, uint8_t *out, size_t *ret_len,
                                  struct assay_error *reterr)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_of(text.data[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_of(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return refuse("bad percent escape", i, reterr);
            }
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[len++] = c;
    }
    *ret_len = len;
    return ASSAY_OK;
}

enum assay_status assay_form_decode(struct assay_slice text, struct assay_arena *arena,
                                    struct assay_slice *ret, struct assay_error *reterr)
{
    struct assay_slice decoded = text;
    if (!is_plain(text)) {
        uint8_t *out = assay_arena_take(arena, text.len, 1);
        if (out == NULL) {
            return assay_fail(ASSAY_ERR_LIMIT, "form is too large", reterr);
        }
        enum assay_status status = unescape(text, out, &decoded.len, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
        decoded.data = out;
    }
    if (!is_good(decoded)) {
        return refuse("NUL or bad UTF-8", fault_at(text, decoded), reterr);
    }
    *ret = decoded;
    return ASSAY_OK;
}

/* One name or value, read from `from` bytes into the body on. `as_it_is`: the whole body needs no
 * decoding and is good, and so is each part of it, since it was cut at ASCII characters. */
static enum assay_status decode_part(struct assay_slice text, bool as_it_is, size_t from,
                                     struct assay_arena *arena, struct assay_slice *ret,
                                     struct assay_error *reterr)
{
    if (as_it_is) {
        *ret = text;
        return ASSAY_OK;
    }
    enum assay_status status = assay_form_decode(text, arena, ret, reterr);
    if (status == ASSAY_ERR_SYNTAX && reterr != NULL) {
        reterr->offset += from;
    }
    return status;
}

/* Adds the parameter `part`, which begins `from` bytes into the body. */
static enum assay_status add_param(struct assay_form *form, struct assay_slice part, size_t from,
                                   bool as_it_is, struct assay_arena *arena,
                                   struct assay_error *reterr)
{
    if (form->count == ASSAY_MAX_FORM_PARAMS) {
        return assay_fail(ASSAY_ERR_LIMIT, "too many parameters", reterr);
    }
    struct assay_form_param *param = &form->params[form->count];
    struct assay_slice value = part;
    struct assay_slice name = assay_slice_cut(&value, '=');
    enum assay_status status = decode_part(name, as_it_is, from, arena, &param->name, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (param->name.len > ASSAY_MAX_FORM_NAME) {
        return assay_fail(ASSAY_ERR_LIMIT, "parameter name is too long", reterr);
    }
    status = decode_part(value, as_it_is, from + name.len + 1, arena, &param->value, reterr);
    if (status == ASSAY_OK) {
        form->count++;
    }
    return status;
}

/* Parameters at most, as far as they may be many. */
static size_t count_parts(struct assay_slice body)
{
    size_t parts = 1;
    struct assay_slice rest = body;
    while (parts < ASSAY_MAX_FORM_PARAMS) {
        (void)assay_slice_cut(&rest, '&');
        if (rest.data == NULL) {
            break;
        }
        parts++;
    }
    return parts;
}

enum assay_status assay_form_parse(struct assay_slice body, struct assay_arena *arena,
                                   struct assay_form *ret, struct assay_error *reterr)
{
    struct assay_slice rest = body;
    size_t most = count_parts(body);
    *ret = (struct assay_form){
        .params =
            assay_arena_take(arena, most * sizeof(*ret->params), _Alignof(struct assay_form_param)),
    };
    if (ret->params == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "form is too large", reterr);
    }
    bool as_it_is = is_simple(body) || (is_plain(body) && is_good(body));
    while (rest.len > 0) {
        struct assay_slice part = assay_slice_cut(&rest, '&');
        if (part.len == 0) {
            continue;
        }
        size_t from = (size_t)(part.data - body.data);
        enum assay_status status = add_param(ret, part, from, as_it_is, arena, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
    }
    return ASSAY_OK;
}

size_t assay_form_find(const struct assay_form *form, struct assay_slice name,
                       struct assay_slice *ret)
{
    size_t found = 0;
    for (size_t i = 0; i < form->count; i++) {
        if (!assay_slice_equal(form->params[i].name, name)) {
            continue;
        }
        if (found == 0 && ret != NULL) {
            *ret = form->params[i].value;
        }
        found++;
    }
    return found;
}

/* --- encoding --- */

static bool stays_as_it_is(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '*';
}

void assay_form_encode(struct assay_slice text, struct assay_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (stays_as_it_is(c)) {
            assay_buf_append_byte(out, c);
        } else if (c == ' ') {
            assay_buf_append_byte(out, '+');
        } else {
            assay_buf_append_byte(out, '%');
            assay_buf_append_byte(out, (uint8_t)digits[c >> 4]);
            assay_buf_append_byte(out, (uint8_t)digits[c & 0xF]);
        }
    }
}
