/* Form bodies. What is accepted decodes to UTF-8 without NUL, within the stated bounds, and decodes
 * to the same when every byte is escaped. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "http/form.h"

#include <string.h>

static void encoded_again_it_is_the_same(struct assay_slice value, struct assay_arena *arena)
{
    static const char hex[] = "0123456789ABCDEF";
    static uint8_t escaped[3 * 65536];
    struct assay_slice decoded;
    if (value.len > 65536) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        escaped[3 * i] = '%';
        escaped[3 * i + 1] = (uint8_t)hex[value.data[i] >> 4];
        escaped[3 * i + 2] = (uint8_t)hex[value.data[i] & 15];
    }
    if (assay_form_decode(assay_slice_of(escaped, 3 * value.len), arena, &decoded, NULL) ==
        ASSAY_OK) {
        must(assay_slice_equal(decoded, value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 20];
    struct assay_arena arena;
    struct assay_form form;
    assay_arena_init(&arena, memory, sizeof(memory));
    if (assay_form_parse(assay_slice_of(data, size), &arena, &form, NULL) == ASSAY_OK) {
        must(form.count <= ASSAY_MAX_FORM_PARAMS);
        for (size_t i = 0; i < form.count; i++) {
            must(form.params[i].name.len <= ASSAY_MAX_FORM_NAME);
            must(assay_utf8_valid(form.params[i].value) && assay_utf8_valid(form.params[i].name));
            must(form.params[i].value.len == 0 ||
                 memchr(form.params[i].value.data, 0, form.params[i].value.len) == NULL);
            encoded_again_it_is_the_same(form.params[i].value, &arena);
        }
    }
    assay_arena_clear(&arena);
    return 0;
}
