/* Bounded output: bytes are appended until the room is spent, which is remembered and asked once.
 */
#ifndef ASSAY_BASE_BUF_H
#define ASSAY_BASE_BUF_H

#include "base/attr.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Room of fixed size, the caller's. An append that does not fit writes nothing and marks the buffer
 * as spent, and so does every append after it: the writer appends freely and looks once, at the
 * end. */
struct assay_buf {
    uint8_t *data;
    size_t size; /* bytes of room */
    size_t len;  /* bytes written, at most size */
    bool spent;  /* something did not fit */
};

void assay_buf_init(struct assay_buf *buf, void *data, size_t size);

static inline void assay_buf_append(struct assay_buf *buf, struct assay_slice s)
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

static inline void assay_buf_append_byte(struct assay_buf *buf, uint8_t byte)
{
    if (buf->spent || buf->len == buf->size) {
        buf->spent = true;
        return;
    }
    buf->data[buf->len++] = byte;
}

/* Decimal digits of `value`. */
void assay_buf_append_u64(struct assay_buf *buf, uint64_t value);
void assay_buf_append_i64(struct assay_buf *buf, int64_t value);

/* What was written; valid as long as the room. */
struct assay_slice assay_buf_slice(const struct assay_buf *buf);

#endif
