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

/* The six bits of a character, 64 for one outside the alphabet. */
static uint32_t bits_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint32_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint32_t)(c - 'a' + 26);
    }
    if (c >= '0' && c <= '9') {
        return (uint32_t)(c - '0' + 52);
    }
    return c == '-' ? 62 : c == '_' ? 63 : 64;
}

static enum assay_status refuse(const char *what, size_t offset, struct assay_error *reterr)
{
    enum assay_status status = assay_fail(ASSAY_ERR_SYNTAX, what, reterr);
    if (reterr != NULL) {
        reterr->offset = offset;
    }
    return status;
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
    for (size_t i = 0; i < text.len; i++) {
        uint32_t bits = bits_of(text.data[i]);
        if (bits == 64) {
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
