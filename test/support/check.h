/* cmocka with the includes it wants before it, and asserts for our own types. */
#ifndef ASSAY_TEST_SUPPORT_CHECK_H
#define ASSAY_TEST_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/status.h"

/* Two slices are the same bytes; prints both when they are not. */
void check_slice_equal(struct assay_slice actual, struct assay_slice expected, const char *file,
                       int line);
#define assert_slice_equal(actual, expected) check_slice_equal(actual, expected, __FILE__, __LINE__)

/* A call that must succeed; prints its error when it does not. */
void check_ok(enum assay_status status, const struct assay_error *error, const char *file,
              int line);
#define assert_ok(status, error) check_ok(status, error, __FILE__, __LINE__)

#endif
