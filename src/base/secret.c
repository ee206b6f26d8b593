#include "base/secret.h"

#include <stdint.h>
#include <string.h>

/* The word as it is, of which the compiler knows nothing any more. */
static uint64_t opaque(uint64_t word)
{
    __asm__("" : "+r"(word));
    return word;
}

/* `base` includes no outside header, so the comparison is ours: every byte of both is read, eight
 * at a time, and the differences are or-ed into a word that the compiler cannot look into, so that
 * it must go through all of them and nothing depends on what they are.
 * test/unit/base/test_secret_timing.c holds it against a statistical timing test. */
bool assay_secret_equal(struct assay_slice a, struct assay_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    uint64_t difference = 0;
    size_t at = 0;
    for (; a.len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
        uint64_t x;
        uint64_t y;
        memcpy(&x, a.data + at, sizeof(x));
        memcpy(&y, b.data + at, sizeof(y));
        difference = opaque(difference | (x ^ y));
    }
    for (; at < a.len; at++) {
        difference = opaque(difference | (uint64_t)(a.data[at] ^ b.data[at]));
    }
    return difference == 0;
}

void assay_secret_wipe(void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    memset(data, 0, len);
    /* The memory is used, as far as the compiler can see: the stores stay. */
    __asm__ __volatile__("" : : "r"(data) : "memory");
}
