#include "base/slice.h"

#include <assert.h>
#include <string.h>

struct assay_slice assay_slice_of_text(const char *text)
{
    return assay_slice_of(text, text == NULL ? 0 : strlen(text));
}

int assay_slice_compare(struct assay_slice a, struct assay_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool assay_slice_equal_nocase(struct assay_slice a, struct assay_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    if (assay_slice_equal(a, b)) {
        return true; /* nearly always, and at once */
    }
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.data[i]) != fold(b.data[i])) {
            return false;
        }
    }
    return true;
}

bool assay_slice_starts_with(struct assay_slice s, struct assay_slice prefix)
{
    return s.len >= prefix.len && assay_slice_equal(assay_slice_head(s, prefix.len), prefix);
}

struct assay_slice assay_slice_cut(struct assay_slice *rest, uint8_t separator)
{
    const uint8_t *found = rest->len == 0 ? NULL : memchr(rest->data, separator, rest->len);
    if (found == NULL) {
        struct assay_slice all = *rest;
        *rest = (struct assay_slice){0};
        return all;
    }
    size_t at = (size_t)(found - rest->data);
    struct assay_slice head = assay_slice_head(*rest, at);
    *rest = assay_slice_from(*rest, at + 1);
    return head;
}

bool assay_slice_has_word(struct assay_slice list, struct assay_slice word)
{
    while (list.len > 0) {
        if (assay_slice_equal(assay_slice_cut(&list, ' '), word)) {
            return true;
        }
    }
    return false;
}
