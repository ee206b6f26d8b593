/* What a fuzz target is, and how it says that an oracle was wrong. */
#ifndef ASSAY_TEST_FUZZ_FUZZ_H
#define ASSAY_TEST_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the run unless `truth` holds: stays on in every build. */
static inline void must(int truth)
{
    if (!truth) {
        abort();
    }
}

#endif
