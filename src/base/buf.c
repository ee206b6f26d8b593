#include "base/buf.h"

#include <string.h>

void assay_buf_init(struct assay_buf *buf, void *data, size_t size)
{
    *buf = (struct assay_buf){.data = data, .size = size};
}

void assay_buf_append(struct assay_buf *buf, struct assay_slice s)
{
    if (buf->spent || s.len > buf->size - buf->len) {
        buf->spent = true;
        return;
    }
    if (s.len != 0) {
        memcpy(buf->data + buf->len, s.data, s.len);
        buf->len += s.len;
    }
}

void assay_buf_append_byte(struct assay_buf *buf, uint8_t byte)
{
    if (buf->spent || buf->len == buf->size) {
        buf->spent = true;
        return;
    }
    buf->data[buf->len++] = byte;
}

void assay_buf_append_u64(struct assay_buf *buf, uint64_t value)
{
    uint8_t digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof(digits);
    do {
        digits[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    assay_buf_append(buf, assay_slice_of(digits + at, sizeof(digits) - at));
}

void assay_buf_append_i64(struct assay_buf *buf, int64_t value)
{
    if (value < 0) {
        assay_buf_append_byte(buf, '-');
        assay_buf_append_u64(buf, 0 - (uint64_t)value);
        return;
    }
    assay_buf_append_u64(buf, (uint64_t)value);
}

struct assay_slice assay_buf_slice(const struct assay_buf *buf)
{
    return assay_slice_of(buf->data, buf->len);
}
