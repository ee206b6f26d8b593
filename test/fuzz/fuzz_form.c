/* Form bodies. What is accepted decodes to UTF-8 without NUL, within the stated bounds, and decodes
 * to the same when every byte is escaped. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "http/form.h"

#include <string.h>

/* Escapes every byte of `value` and decodes that, in a memory of its own, so that room is never the
 * reason to refuse. */
static void encoded_again_it_is_the_same(struct assay_slice value)
{
    static const char hex[] = "0123456789ABCDEF";
    static uint8_t escaped[3 * 65536];
    static uint8_t memory[4 * 65536];
    struct assay_arena arena;
    struct assay_slice decoded;
    if (value.len > 65536) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        escaped[3 * i] = '%';
        escaped[3 * i + 1] = (uint8_t)hex[value.data[i] >> 4];
        escaped[3 * i + 2] = (uint8_t)hex[value.data[i] & 15];
    }
    assay_arena_init(&arena, memory, sizeof(memory));
    must(assay_form_decode(assay_slice_of(escaped, 3 * value.len), &arena, &decoded, NULL) ==
         ASSAY_OK);
    must(assay_slice_equal(decoded, value));
    assay_arena_release(&arena);
}

static void check_accepted(const struct assay_form *form)
{
    must(form->count <= ASSAY_MAX_FORM_PARAMS);
    for (size_t i = 0; i < form->count; i++) {
        const struct assay_form_param *param = &form->params[i];
        must(param->name.len <= ASSAY_MAX_FORM_NAME);
        must(assay_utf8_valid(param->value) && assay_utf8_valid(param->name));
        must(param->value.len == 0 || memchr(param->value.data, 0, param->value.len) == NULL);
        must(assay_form_find(form, param->name, NULL) >= 1);
        encoded_again_it_is_the_same(param->name);
        encoded_again_it_is_the_same(param->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[1 << 20];
    struct assay_arena arena;
    struct assay_form form;
    struct assay_error error = {0};
    assay_arena_init(&arena, memory, sizeof(memory));
    enum assay_status status = assay_form_parse(assay_slice_of(data, size), &arena, &form, &error);
    must(status == ASSAY_OK || status == ASSAY_ERR_SYNTAX || status == ASSAY_ERR_LIMIT);
    if (status == ASSAY_OK) {
        check_accepted(&form);
    } else {
        must(error.what != NULL &&
             (status == ASSAY_ERR_SYNTAX ? error.offset < size : error.offset == 0));
    }
    assay_arena_release(&arena);
    return 0;
}
