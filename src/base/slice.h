/* Borrowed bytes: compare, cut, split. */
#ifndef ASSAY_BASE_SLICE_H
#define ASSAY_BASE_SLICE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes and their length, passed by value. Owns nothing, ends in no NUL. */
struct assay_slice {
    const uint8_t *data; /* NULL only when len is 0 */
    size_t len;          /* bytes */
};

/* A slice of a string literal, without its NUL. */
#define ASSAY_SLICE(literal)                                                                       \
    ((struct assay_slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* A slice of `len` bytes at `data`. */
static inline struct assay_slice assay_slice_of(const void *data, size_t len)
{
    return (struct assay_slice){.data = data, .len = len};
}

/* A slice of a NUL-terminated string, without its NUL; empty for NULL. For hosts, whose strings end
 * in NUL; the core has none. */
struct assay_slice assay_slice_of_text(const char *text);

/* Same length and same bytes. Not constant in time: secrets go through base/secret.h. */
static inline bool assay_slice_equal(struct assay_slice a, struct assay_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Like memcmp over the common length, then the shorter first: negative, 0 or positive. */
int assay_slice_compare(struct assay_slice a, struct assay_slice b);

/* As assay_slice_equal, with ASCII letters folded (for scheme names and media types). */
bool assay_slice_equal_nocase(struct assay_slice a, struct assay_slice b);

bool assay_slice_starts_with(struct assay_slice s, struct assay_slice prefix);

/* The part of `s` from byte `from` on; `from` is at most s.len (asserted). */
static inline struct assay_slice assay_slice_from(struct assay_slice s, size_t from)
{
    assert(from <= s.len);
    return from == 0 ? s : assay_slice_of(s.data + from, s.len - from);
}

/* The first `len` bytes of `s`; `len` is at most s.len (asserted). */
static inline struct assay_slice assay_slice_head(struct assay_slice s, size_t len)
{
    assert(len <= s.len);
    return assay_slice_of(s.data, len);
}

/* Cuts `*rest` at its first `separator`: returns what is before it and leaves what is behind it in
 * `*rest`. Without a separator returns all of it and leaves `*rest` with data NULL, which ends a
 * loop `while (rest.data != NULL)`. */
struct assay_slice assay_slice_cut(struct assay_slice *rest, uint8_t separator);

/* Is `word` one of the words of `list`, which are parted by single spaces (scopes, audiences)? */
bool assay_slice_has_word(struct assay_slice list, struct assay_slice word);

#endif
