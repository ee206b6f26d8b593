#include "base/utf8.h"

#include "base/word.h"

static bool continues(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

size_t assay_utf8_first(struct assay_slice s)
{
    if (s.len == 0) {
        return 0;
    }
    const uint8_t *c = s.data;
    if (c[0] < 0x80) {
        return 1;
    }
    if (c[0] >= 0xC2 && c[0] <= 0xDF) {
        return s.len >= 2 && continues(c[1]) ? 2 : 0;
    }
    if (c[0] >= 0xE0 && c[0] <= 0xEF) {
        bool overlong = s.len >= 2 && c[0] == 0xE0 && c[1] < 0xA0;
        bool surrogate = s.len >= 2 && c[0] == 0xED && c[1] > 0x9F;
        return s.len >= 3 && continues(c[1]) && continues(c[2]) && !overlong && !surrogate ? 3 : 0;
    }
    if (c[0] >= 0xF0 && c[0] <= 0xF4) {
        bool overlong = s.len >= 2 && c[0] == 0xF0 && c[1] < 0x90;
        bool beyond = s.len >= 2 && c[0] == 0xF4 && c[1] > 0x8F;
        return s.len >= 4 && continues(c[1]) && continues(c[2]) && continues(c[3]) && !overlong &&
                       !beyond
                   ? 4
                   : 0;
    }
    return 0;
}

/* Eight bytes at once, since nearly all text is plain ASCII. */
static struct assay_slice skip_ascii(struct assay_slice s)
{
    while (s.len >= 8 && (assay_word_read(s.data) & ASSAY_HIGH_BITS) == 0) {
        s = assay_slice_of(s.data + 8, s.len - 8);
    }
    return s;
}

static struct assay_slice skip_printable(struct assay_slice s)
{
    while (s.len >= 8 && assay_word_unprintables(assay_word_read(s.data)) == 0) {
        s = assay_slice_of(s.data + 8, s.len - 8);
    }
    return s;
}

bool assay_utf8_valid(struct assay_slice s)
{
    s = skip_ascii(s);
    while (s.len > 0) {
        size_t len = assay_utf8_first(s);
        if (len == 0) {
            return false;
        }
        s = assay_slice_from(s, len);
    }
    return true;
}

bool assay_utf8_is_text(struct assay_slice s)
{
    s = skip_printable(s);
    while (s.len > 0) {
        size_t len = assay_utf8_first(s);
        bool control = s.data[0] < 0x20 || s.data[0] == 0x7F ||
                       (len == 2 && s.data[0] == 0xC2 && s.data[1] < 0xA0);
        if (len == 0 || control) {
            return false;
        }
        s = assay_slice_from(s, len);
    }
    return true;
}
