#include "tool/text.h"

#include <stdbool.h>
#include <stdint.h>

#define PRINT_MAX 4096

/* Bytes that a sequence starting with `first` has; 0: none starts so. */
static size_t sequence_len(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first < 0xE0) {
        return 2;
    }
    if (first >= 0xE0 && first < 0xF0) {
        return 3;
    }
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

/* Bytes of the UTF-8 sequence at the start of `s` and its code point; 0 when it is none. Overlong
 * forms, surrogates and what is beyond U+10FFFF are none. */
static size_t decode(struct assay_slice s, uint32_t *ret_point)
{
    size_t len = sequence_len(s.data[0]);
    if (len == 0 || len > s.len) {
        return 0;
    }
    uint32_t point = s.data[0];
    if (len > 1) {
        point &= 0xFFu >> (len + 1);
    }
    for (size_t i = 1; i < len; i++) {
        if ((s.data[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (s.data[i] & 0x3Fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[len] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
        return 0;
    }
    *ret_point = point;
    return len;
}

struct range {
    uint32_t from;
    uint32_t to;
};

/* What a terminal obeys or does not show: C0 and C1 controls, soft hyphen, Arabic letter mark,
 * zero-width and direction marks, line and paragraph separators, isolates, byte order mark,
 * annotation marks, tags. */
static const struct range hidden[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F},   {0x00AD, 0x00AD},    {0x061C, 0x061C}, {0x180E, 0x180E},
    {0x200B, 0x200F}, {0x2028, 0x202E},   {0x2060, 0x206F},    {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB},
    {0xE000, 0xF8FF}, {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF},
};

static bool is_hidden(uint32_t point)
{
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (point >= hidden[i].from && point <= hidden[i].to) {
            return true;
        }
    }
    return false;
}

static void append_hex(struct assay_buf *out, uint32_t value, int digits)
{
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) {
        assay_buf_append_byte(out, (uint8_t) "0123456789ABCDEF"[(value >> shift) & 0xF]);
    }
}

static void append_escape(struct assay_buf *out, uint32_t point)
{
    assay_buf_append_byte(out, '\\');
    if (point == '\n' || point == '\r' || point == '\t') {
        assay_buf_append_byte(out, point == '\n' ? 'n' : point == '\r' ? 'r' : 't');
    } else if (point <= 0xFF) {
        assay_buf_append_byte(out, 'x');
        append_hex(out, point, 2);
    } else {
        assay_buf_append_byte(out, point <= 0xFFFF ? 'u' : 'U');
        append_hex(out, point, point <= 0xFFFF ? 4 : 8);
    }
}

void assay_text_escape(struct assay_buf *out, struct assay_slice s)
{
    while (s.len > 0) {
        uint32_t point = 0;
        size_t len = decode(s, &point);
        if (len == 0) {
            append_escape(out, s.data[0]);
            len = 1;
        } else if (point == '\\') {
            assay_buf_append(out, ASSAY_SLICE("\\\\"));
        } else if (is_hidden(point)) {
            append_escape(out, point);
        } else {
            assay_buf_append(out, assay_slice_head(s, len));
        }
        s = assay_slice_from(s, len);
    }
}

void assay_text_print(FILE *out, struct assay_slice s)
{
    uint8_t room[PRINT_MAX];
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof room);
    assay_text_escape(&buf, s);
    fwrite(buf.data, 1, buf.len, out);
    if (buf.spent) {
        fputs("...", out);
    }
}

size_t assay_text_width(struct assay_slice s)
{
    size_t width = 0;
    for (size_t i = 0; i < s.len; i++) {
        width += (s.data[i] & 0xC0) != 0x80;
    }
    return width;
}
