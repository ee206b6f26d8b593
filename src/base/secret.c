#include "base/secret.h"

#include <stdint.h>
#include <string.h>

/* `base` includes no outside header, so the comparison is ours: a volatile read of every byte of
 * both, differences or-ed together, nothing that depends on what they are.
 * test/unit/base/test_secret_timing.c holds it against a statistical timing test. */
bool assay_secret_equal(struct assay_slice a, struct assay_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    const volatile uint8_t *x = a.data;
    const volatile uint8_t *y = b.data;
    uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++) {
        difference |= (uint8_t)(x[i] ^ y[i]);
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
