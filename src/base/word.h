/* Eight bytes looked at as one word, or sixteen as a vector, for text that is nearly always plain.
 */
#ifndef ASSAY_BASE_WORD_H
#define ASSAY_BASE_WORD_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A word with `value` in each of its bytes. */
#define ASSAY_EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))
#define ASSAY_HIGH_BITS ASSAY_EACH_BYTE(0x80)

/* The 8 bytes at `bytes`, which need not be aligned. */
static inline uint64_t assay_word_read(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* High bits set where `word` may have a byte that is 0; none set when it has none. */
static inline uint64_t assay_word_zeros(uint64_t word)
{
    return (word - ASSAY_EACH_BYTE(0x01)) & ~word & ASSAY_HIGH_BITS;
}

/* High bits set where `word` may have a byte outside 0x20 to 0x7E; none set when it has none. */
static inline uint64_t assay_word_unprintables(uint64_t word)
{
    uint64_t below = (word | ASSAY_HIGH_BITS) - ASSAY_EACH_BYTE(0x20); /* bit gone: below a space */
    uint64_t above = (word & ASSAY_EACH_BYTE(0x7F)) + ASSAY_EACH_BYTE(0x01); /* bit set: DEL */
    return (word | ~below | above) & ASSAY_HIGH_BITS;
}

typedef uint8_t assay_vector ASSAY_SIXTEEN;

/* The 16 bytes at `bytes`, which need not be aligned. */
static inline assay_vector assay_vector_read(const uint8_t *bytes)
{
    assay_vector v;
    memcpy(&v, bytes, sizeof(v));
    return v;
}

static inline bool assay_vector_is_zero(assay_vector v)
{
    uint64_t halves[2];
    memcpy(halves, &v, sizeof(halves));
    return (halves[0] | halves[1]) == 0;
}

#endif
