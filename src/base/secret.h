/* The only place where secrets are compared and wiped. */
#ifndef ASSAY_BASE_SECRET_H
#define ASSAY_BASE_SECRET_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Same length and same bytes, in time that depends on the lengths alone. */
bool assay_secret_equal(struct assay_slice a, struct assay_slice b);

/* Overwrites `len` bytes at `data` in a way the compiler keeps. `data` may be NULL when len is 0.
 */
void assay_secret_wipe(void *data, size_t len);

#endif
