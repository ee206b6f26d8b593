#include "oauth/scope.h"

#include "base/limits.h"

#include <stddef.h>
#include <string.h>

/* RFC 6749 appendix A.4: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
static bool is_scope_char(uint8_t c)
{
    return c >= 0x21 && c <= 0x7E && c != '"' && c != '\\';
}

static bool is_scope_token(struct assay_slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!is_scope_char(word.data[i])) {
            return false;
        }
    }
    return word.len > 0;
}

bool assay_scope_valid(struct assay_slice text)
{
    if (text.len == 0) {
        return true;
    }
    if (text.len > ASSAY_MAX_SCOPE) {
        return false;
    }
    size_t count = 0;
    struct assay_slice rest = text;
    while (rest.data != NULL) {
        if (!is_scope_token(assay_slice_cut(&rest, ' ')) || ++count > ASSAY_MAX_SCOPES) {
            return false;
        }
    }
    return true;
}

bool assay_scope_contains(struct assay_slice have, struct assay_slice wanted)
{
    struct assay_slice rest = wanted;
    while (rest.len > 0) {
        if (!assay_slice_has_word(have, assay_slice_cut(&rest, ' '))) {
            return false;
        }
    }
    return true;
}

bool assay_scope_overlaps(struct assay_slice a, struct assay_slice b)
{
    struct assay_slice rest = a;
    while (rest.len > 0) {
        if (assay_slice_has_word(b, assay_slice_cut(&rest, ' '))) {
            return true;
        }
    }
    return false;
}

bool assay_scope_intersect(struct assay_slice a, struct assay_slice b, struct assay_arena *arena,
                           struct assay_slice *ret)
{
    uint8_t *out = assay_arena_take(arena, a.len + 1, 1);
    if (out == NULL) {
        return false;
    }
    size_t len = 0;
    struct assay_slice rest = a;
    while (rest.len > 0) {
        struct assay_slice word = assay_slice_cut(&rest, ' ');
        if (word.len == 0 || !assay_slice_has_word(b, word)) {
            continue;
        }
        if (len > 0) {
            out[len++] = ' ';
        }
        memcpy(out + len, word.data, word.len);
        len += word.len;
    }
    *ret = assay_slice_of(out, len);
    return true;
}
