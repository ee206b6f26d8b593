#include "support/stored.h"

#include "crypto/digest.h"
#include "support/check.h"

void stored_seal(struct assay_slice key, uint8_t *bytes, size_t len)
{
    uint32_t check = assay_crc32c(assay_crc32c(0, key), assay_slice_of(bytes, len - 4));
    for (size_t i = 0; i < 4; i++) {
        bytes[len - 4 + i] = (uint8_t)(check >> (8 * i));
    }
}

/* In a block of exactly that size, so that a sanitizer sees a read behind it. */
static enum assay_status parse_alone(struct assay_slice bytes, stored_parse *parse, void *context)
{
    uint8_t *alone = malloc(bytes.len == 0 ? 1 : bytes.len);
    assert_non_null(alone);
    if (bytes.len != 0) {
        memcpy(alone, bytes.data, bytes.len);
    }
    enum assay_status status = parse(assay_slice_of(alone, bytes.len), context);
    free(alone);
    return status;
}

void stored_check(struct assay_slice key, struct assay_slice bytes, stored_parse *parse,
                  void *context)
{
    uint8_t *room = malloc(bytes.len + 1);
    assert_non_null(room);
    assert_int_equal(parse_alone(bytes, parse, context), ASSAY_OK);
    for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
        memcpy(room, bytes.data, bytes.len);
        room[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(parse_alone(assay_slice_of(room, bytes.len), parse, context),
                         ASSAY_ERR_CORRUPT);
    }
    memcpy(room, bytes.data, bytes.len);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(parse_alone(assay_slice_of(room, len), parse, context), ASSAY_ERR_CORRUPT);
        if (len >= 5) { /* and with a check that is right for what is left */
            stored_seal(key, room, len);
            assert_int_equal(parse_alone(assay_slice_of(room, len), parse, context),
                             ASSAY_ERR_CORRUPT);
            memcpy(room, bytes.data, bytes.len);
        }
    }
    room[bytes.len] = 0;
    assert_int_equal(parse_alone(assay_slice_of(room, bytes.len + 1), parse, context),
                     ASSAY_ERR_CORRUPT);
    for (unsigned version = 0; version < 256; version++) {
        memcpy(room, bytes.data, bytes.len);
        room[0] = (uint8_t)version;
        stored_seal(key, room, bytes.len);
        assert_int_equal(parse_alone(assay_slice_of(room, bytes.len), parse, context),
                         version == bytes.data[0] ? ASSAY_OK : ASSAY_ERR_CORRUPT);
    }
    free(room);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct assay_slice stored_hex(const char *text, uint8_t *out, size_t size)
{
    size_t digits = 0;
    for (; *text != 0; text++) {
        if (digit(*text) >= 0) {
            assert_true(digits / 2 < size);
            out[digits / 2] =
                (uint8_t)((digits % 2 == 0 ? 0 : out[digits / 2] << 4) | digit(*text));
            digits++;
        }
    }
    assert_int_equal(digits % 2, 0);
    return assay_slice_of(out, digits / 2);
}
