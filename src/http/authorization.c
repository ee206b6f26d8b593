#include "http/authorization.h"

#include <string.h>

enum assay_auth_scheme assay_authorization_scheme(struct assay_slice value,
                                                  struct assay_slice *ret_rest)
{
    if (value.len == 0) {
        *ret_rest = (struct assay_slice){0};
        return ASSAY_SCHEME_NONE;
    }
    struct assay_slice rest = value;
    struct assay_slice scheme = assay_slice_cut(&rest, ' ');
    while (rest.len > 0 && rest.data[0] == ' ') {
        rest = assay_slice_from(rest, 1);
    }
    *ret_rest = rest;
    if (assay_slice_equal_nocase(scheme, ASSAY_SLICE("basic"))) {
        return ASSAY_SCHEME_BASIC;
    }
    return assay_slice_equal_nocase(scheme, ASSAY_SLICE("bearer")) ? ASSAY_SCHEME_BEARER
                                                                   : ASSAY_SCHEME_OTHER;
}

/* The six bits of each character of the standard alphabet, 255 for any other. */
static const uint8_t bits_of[256] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 62,  255, 255, 255, 63,  52,  53,  54,  55,  56,  57,  58,  59,  60,
    61,  255, 255, 255, 255, 255, 255, 255, 0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,
    11,  12,  13,  14,  15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25,  255, 255, 255, 255,
    255, 255, 26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,  41,  42,
    43,  44,  45,  46,  47,  48,  49,  50,  51,  255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255,
};

static size_t padding_of(struct assay_slice text)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.data[text.len - 1 - padding] == '=') {
        padding++;
    }
    return padding;
}

/* Padded base64 of one spelling: whole groups, spare bits zero. False for anything else. */
static bool decode(struct assay_slice text, uint8_t *out, size_t *ret_len)
{
    size_t padding = padding_of(text);
    if (text.len % 4 != 0) {
        return false;
    }
    uint32_t pending = 0;
    unsigned pending_bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len - padding; i++) {
        uint32_t bits = bits_of[text.data[i]];
        if (bits > 63) {
            return false;
        }
        pending = pending << 6 | bits;
        pending_bits += 6;
        if (pending_bits >= 8) {
            pending_bits -= 8;
            out[len++] = (uint8_t)(pending >> pending_bits);
            pending &= (UINT32_C(1) << pending_bits) - 1;
        }
    }
    *ret_len = len;
    return pending == 0;
}

enum assay_status assay_basic_parse(struct assay_slice rest, struct assay_arena *arena,
                                    struct assay_slice *ret_user, struct assay_slice *ret_password,
                                    struct assay_error *reterr)
{
    uint8_t *out = assay_arena_take(arena, rest.len / 4 * 3 + 3, 1);
    size_t len = 0;
    if (out == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "credentials are too long", reterr);
    }
    if (!decode(rest, out, &len)) {
        return assay_fail(ASSAY_ERR_SYNTAX, "credentials are not base64", reterr);
    }
    const uint8_t *colon = len == 0 ? NULL : memchr(out, ':', len);
    if (colon == NULL) {
        return assay_fail(ASSAY_ERR_SYNTAX, "credentials have no colon", reterr);
    }
    size_t at = (size_t)(colon - out);
    *ret_user = assay_slice_of(out, at);
    *ret_password = assay_slice_of(out + at + 1, len - at - 1);
    return ASSAY_OK;
}

/* --- writing --- */

/* The byte at `index` of `user`, a colon and `password`. */
static uint8_t byte_of(struct assay_slice user, struct assay_slice password, size_t index)
{
    if (index < user.len) {
        return user.data[index];
    }
    return index == user.len ? ':' : password.data[index - user.len - 1];
}

void assay_basic_write(struct assay_slice user, struct assay_slice password, struct assay_buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = user.len + 1 + password.len;
    assay_buf_append(out, ASSAY_SLICE("Basic "));
    for (size_t i = 0; i < len; i += 3) {
        size_t count = len - i < 3 ? len - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++) {
            group = group << 8 | (j < count ? byte_of(user, password, i + j) : 0u);
        }
        for (size_t j = 0; j < 4; j++) {
            bool digit = j <= count;
            assay_buf_append_byte(out, (uint8_t)(digit ? digits[group >> (18 - 6 * j) & 63] : '='));
        }
    }
}
