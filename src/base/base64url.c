#include "base/base64url.h"

static const uint8_t alphabet[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void assay_base64url_encode(struct assay_slice s, uint8_t *out)
{
    size_t i = 0;
    for (; i + 3 <= s.len; i += 3) {
        uint32_t bits = (uint32_t)s.data[i] << 16 | (uint32_t)s.data[i + 1] << 8 | s.data[i + 2];
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = alphabet[bits >> 6 & 63];
        *out++ = alphabet[bits & 63];
    }
    if (s.len - i == 1) {
        *out++ = alphabet[s.data[i] >> 2];
        *out++ = alphabet[(s.data[i] & 3) << 4];
    } else if (s.len - i == 2) {
        *out++ = alphabet[s.data[i] >> 2];
        *out++ = alphabet[(s.data[i] & 3) << 4 | s.data[i + 1] >> 4];
        *out++ = alphabet[(s.data[i + 1] & 15) << 2];
    }
}

/* The six bits of each character, 255 for one outside the alphabet. */
static const uint8_t bits_of[256] = {
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 62,  255, 255, 52,  53,  54,  55,  56,  57,  58,  59,  60,
    61,  255, 255, 255, 255, 255, 255, 255, 0,   1,   2,   3,   4,   5,   6,   7,   8,   9,   10,
    11,  12,  13,  14,  15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25,  255, 255, 255, 255,
    63,  255, 26,  27,  28,  29,  30,  31,  32,  33,  34,  35,  36,  37,  38,  39,  40,  41,  42,
    43,  44,  45,  46,  47,  48,  49,  50,  51,  255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255, 255, 255, 255,
};

static enum assay_status refuse(const char *what, size_t offset, struct assay_error *reterr)
{
    enum assay_status status = assay_fail(ASSAY_ERR_SYNTAX, what, reterr);
    if (reterr != NULL) {
        reterr->offset = offset;
    }
    return status;
}

static enum assay_status refuse_character(struct assay_slice text, size_t from,
                                          struct assay_error *reterr)
{
    while (bits_of[text.data[from]] <= 63) {
        from++;
    }
    return refuse("character outside base64url", from, reterr);
}

enum assay_status assay_base64url_decode(struct assay_slice text, uint8_t *out, size_t size,
                                         size_t *ret_len, struct assay_error *reterr)
{
    if (text.len % 4 == 1) {
        return refuse("impossible base64url length", text.len, reterr);
    }
    size_t len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
    if (len > size) {
        return assay_fail(ASSAY_ERR_LIMIT, "base64url text is too long", reterr);
    }
    uint32_t pending = 0;
    unsigned pending_bits = 0;
    size_t i = 0;
    for (; i + 4 <= text.len; i += 4) {
        const uint8_t *c = text.data + i;
        uint32_t a = bits_of[c[0]];
        uint32_t b = bits_of[c[1]];
        uint32_t d = bits_of[c[2]];
        uint32_t e = bits_of[c[3]];
        if ((a | b | d | e) > 63) {
            return refuse_character(text, i, reterr);
        }
        uint32_t bits = a << 18 | b << 12 | d << 6 | e;
        *out++ = (uint8_t)(bits >> 16);
        *out++ = (uint8_t)(bits >> 8);
        *out++ = (uint8_t)bits;
    }
    for (; i < text.len; i++) {
        uint32_t bits = bits_of[text.data[i]];
        if (bits > 63) {
            return refuse("character outside base64url", i, reterr);
        }
        pending = pending << 6 | bits;
        pending_bits += 6;
        if (pending_bits >= 8) {
            pending_bits -= 8;
            *out++ = (uint8_t)(pending >> pending_bits);
            pending &= (UINT32_C(1) << pending_bits) - 1;
        }
    }
    if (pending != 0) {
        return refuse("spare base64url bits are not zero", text.len, reterr);
    }
    *ret_len = len;
    return ASSAY_OK;
}
