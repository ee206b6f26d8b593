#include "support/check.h"

#include <inttypes.h>
#include <stdio.h>

void check_slice_equal(struct assay_slice actual, struct assay_slice expected, const char *file,
                       int line)
{
    if (assay_slice_equal(actual, expected)) {
        return;
    }
    print_error("actual   (%zu): %.*s\nexpected (%zu): %.*s\n", actual.len, (int)actual.len,
                (const char *)actual.data, expected.len, (int)expected.len,
                (const char *)expected.data);
    _fail(file, line);
}

void check_ok(enum assay_status status, const struct assay_error *error, const char *file, int line)
{
    if (status == ASSAY_OK) {
        return;
    }
    print_error("status %s: %s at %zu\n", assay_status_name(status),
                error == NULL || error->what == NULL ? "?" : error->what,
                error == NULL ? 0 : error->offset);
    _fail(file, line);
}
