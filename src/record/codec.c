#include "record/codec_priv.h"

#include "base/utf8.h"
#include "crypto/digest.h"

#include <string.h>

/* Two times can be added: a lifetime to its start. */
#define MAX_TIME ((INT64_C(1) << 62) - 1)

void codec_write_varint(struct assay_buf *out, uint64_t value)
{
    while (value >= 0x80) {
        assay_buf_append_byte(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    assay_buf_append_byte(out, (uint8_t)value);
}

void codec_write_text(struct assay_buf *out, struct assay_slice text)
{
    codec_write_varint(out, text.len);
    assay_buf_append(out, text);
}

void codec_write_u64(struct assay_buf *out, uint64_t value)
{
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        assay_buf_append_byte(out, (uint8_t)(value >> (shift - 8)));
    }
}

static uint32_t check_of(struct assay_slice key, struct assay_slice bytes)
{
    return assay_crc32c(assay_crc32c(0, key), bytes);
}

void codec_seal(struct assay_buf *out, struct assay_slice key)
{
    uint32_t check = check_of(key, assay_buf_slice(out));
    for (unsigned shift = 0; shift < 32; shift += 8) {
        assay_buf_append_byte(out, (uint8_t)(check >> shift));
    }
}

enum assay_status codec_finish(struct assay_buf *out, struct assay_slice key, size_t *ret_len,
                               struct assay_error *reterr)
{
    codec_seal(out, key);
    if (out->spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "record is too long", reterr);
    }
    *ret_len = out->len;
    return ASSAY_OK;
}

enum assay_status codec_open(struct assay_slice key, struct assay_slice bytes, uint8_t version,
                             struct codec_reader *ret, struct assay_error *reterr)
{
    if (bytes.len < 1 + CODEC_CRC_LEN) {
        return assay_fail(ASSAY_ERR_CORRUPT, "record is cut short", reterr);
    }
    struct assay_slice body = assay_slice_head(bytes, bytes.len - CODEC_CRC_LEN);
    const uint8_t *tail = bytes.data + body.len;
    uint32_t stored =
        tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24;
    if (stored != check_of(key, body)) {
        return assay_fail(ASSAY_ERR_CORRUPT, "record fails its check", reterr);
    }
    if (body.data[0] != version) {
        return assay_fail(ASSAY_ERR_CORRUPT, "record is of an unknown version", reterr);
    }
    *ret = (struct codec_reader){.rest = assay_slice_from(body, 1)};
    return ASSAY_OK;
}

struct assay_slice codec_read_bytes(struct codec_reader *r, size_t len)
{
    if (r->bad || len > r->rest.len) {
        r->bad = true;
        return (struct assay_slice){0};
    }
    struct assay_slice bytes = assay_slice_head(r->rest, len);
    r->rest = assay_slice_from(r->rest, len);
    return bytes;
}

uint8_t codec_read_byte(struct codec_reader *r)
{
    struct assay_slice byte = codec_read_bytes(r, 1);
    return byte.len == 1 ? byte.data[0] : 0;
}

/* The shortest form alone is taken, so that a value has one spelling. */
uint64_t codec_read_varint(struct codec_reader *r)
{
    if (!r->bad && r->rest.len != 0 && r->rest.data[0] < 0x80) { /* most are of one byte */
        uint64_t small = r->rest.data[0];
        r->rest = assay_slice_from(r->rest, 1);
        return small;
    }
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = codec_read_byte(r);
        bool overlong = byte == 0 && shift != 0;
        bool overflow = shift == 63 && byte > 1;
        if (r->bad || overlong || overflow) {
            break;
        }
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            return value;
        }
    }
    r->bad = true;
    return 0;
}

int64_t codec_read_time(struct codec_reader *r)
{
    uint64_t value = codec_read_varint(r);
    if (value > (uint64_t)MAX_TIME) {
        r->bad = true;
        return 0;
    }
    return (int64_t)value;
}

uint64_t codec_read_u64(struct codec_reader *r)
{
    struct assay_slice bytes = codec_read_bytes(r, 8);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | bytes.data[i];
    }
    return value;
}

struct assay_slice codec_read_text(struct codec_reader *r, size_t max)
{
    uint64_t len = codec_read_varint(r);
    if (len > max) {
        r->bad = true;
        return (struct assay_slice){0};
    }
    return codec_read_bytes(r, (size_t)len);
}

enum assay_status codec_close(const struct codec_reader *r, struct assay_error *reterr)
{
    if (r->bad || r->rest.len != 0) {
        return assay_fail(ASSAY_ERR_CORRUPT, "record breaks its format", reterr);
    }
    return ASSAY_OK;
}

enum assay_status codec_check_text(struct assay_slice text, size_t max, struct assay_error *reterr)
{
    if (text.len > max) {
        return assay_fail(ASSAY_ERR_LIMIT, "text is too long for a record", reterr);
    }
    if (!assay_utf8_is_text(text)) {
        return assay_fail(ASSAY_ERR_SYNTAX, "text has a control character or is not UTF-8", reterr);
    }
    return ASSAY_OK;
}

enum assay_status codec_check_list(struct assay_slice list, size_t max, struct assay_error *reterr)
{
    enum assay_status status = codec_check_text(list, max, reterr);
    if (status != ASSAY_OK || list.len == 0) {
        return status;
    }
    uint8_t before = ' ';
    for (size_t i = 0; i < list.len; i++) {
        if (list.data[i] == ' ' && before == ' ') {
            return assay_fail(ASSAY_ERR_SYNTAX, "list is not separated by single spaces", reterr);
        }
        before = list.data[i];
    }
    if (before == ' ') {
        return assay_fail(ASSAY_ERR_SYNTAX, "list ends in a space", reterr);
    }
    return ASSAY_OK;
}

enum assay_status codec_check_time(int64_t time_s, struct assay_error *reterr)
{
    if (time_s < 0 || time_s > MAX_TIME) {
        return assay_fail(ASSAY_ERR_LIMIT, "time is out of range", reterr);
    }
    return ASSAY_OK;
}
