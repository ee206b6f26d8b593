/* The examples and hostile inputs of test/vector/, as jansson reads them. */
#ifndef ASSAY_TEST_SUPPORT_VECTOR_H
#define ASSAY_TEST_SUPPORT_VECTOR_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* The file test/vector/`name`, an object; the test fails when it cannot be read. The caller owns
 * it: json_decref. */
json_t *vector_open(const char *name);

/* The string member `name` of `value`; empty, with data NULL, when there is none. Borrows. */
struct assay_slice vector_text(const json_t *value, const char *name);

/* Reads hexadecimal digits into `out` (`size` bytes of room; the test fails when it is too small).
 * Returns how many bytes there were. */
size_t vector_bytes(struct assay_slice hex, uint8_t *out, size_t size);

#endif
