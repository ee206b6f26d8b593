#include "support/vector.h"

#include "support/check.h"

#include <stdio.h>

json_t *vector_open(const char *name)
{
    char path[1024];
    int len = snprintf(path, sizeof(path), "%s/test/vector/%s", ASSAY_SOURCE_DIR, name);
    assert_in_range(len, 1, sizeof(path) - 1);
    json_error_t error;
    json_t *vector = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(vector)) {
        print_error("%s:%d: %s\n", path, error.line, error.text);
        fail();
    }
    return vector;
}

struct assay_slice vector_text(const json_t *value, const char *name)
{
    const json_t *text = json_object_get(value, name);
    return assay_slice_of(json_string_value(text), json_string_length(text));
}

static uint8_t digit(uint8_t c)
{
    const char *digits = "0123456789abcdef";
    const char *found = memchr(digits, c, 16);
    assert_non_null(found);
    return (uint8_t)(found - digits);
}

size_t vector_bytes(struct assay_slice hex, uint8_t *out, size_t size)
{
    assert_int_equal(hex.len % 2, 0);
    assert_true(hex.len / 2 <= size);
    for (size_t i = 0; i < hex.len / 2; i++) {
        out[i] = (uint8_t)(digit(hex.data[2 * i]) << 4 | digit(hex.data[2 * i + 1]));
    }
    return hex.len / 2;
}
