#include "base/buf.h"

#include <string.h>

void assay_buf_init(struct assay_buf *buf, void *data, size_t size)
{
    *buf = (struct assay_buf){.data = data, .size = size};
}

void assay_buf_append_u64(struct assay_buf *buf, uint64_t value)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "68697071727374757677787980818283848586878889909192939495969798"
        "99";
    uint8_t digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof(digits);
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (value % 100), 2);
    }
    if (value >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * value, 2);
    } else {
        digits[--at] = (uint8_t)('0' + value);
    }
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
