/* Plain JSON objects: what is understood where it lies is what the reader reads, member by member.
 */
#include "fuzz.h"

#include "base/arena.h"
#include "json/flat.h"

#define DEPTH 16

static uint8_t memory[1 << 17];

struct held {
    const struct assay_json *whole;
    const struct assay_json_flat *flat;
    size_t members;
};

static bool agrees(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct held *held = context;
    struct assay_arena arena;
    struct assay_slice texts[2] = {{0}};
    double numbers[2] = {0};
    bool truths[2] = {false};
    const struct assay_json_value *value =
        assay_json_value_member(assay_json_root(held->whole), name);
    assay_arena_init(&arena, memory, sizeof(memory));
    must(assay_json_flat_type(held->flat, name) == type);
    must(assay_json_flat_string(held->flat, name, &texts[0]) ==
         assay_json_value_string(value, &texts[1]));
    must(assay_slice_equal(texts[0], texts[1]));
    must(assay_json_flat_number(held->flat, name, &numbers[0]) ==
         assay_json_value_number(value, &numbers[1]));
    must(numbers[0] == numbers[1]);
    must(assay_json_flat_bool(held->flat, name, &truths[0]) ==
         assay_json_get_bool(held->whole, name, &truths[1]));
    must(truths[0] == truths[1]);
    must(assay_json_flat_list(held->flat, name, &arena, &texts[0]) ==
         assay_json_get_list(held->whole, name, &arena, &texts[1]));
    must(assay_slice_equal(texts[0], texts[1]));
    assay_arena_release(&arena);
    held->members++;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_json_flat flat;
    struct assay_json *whole = NULL;
    struct assay_slice text = assay_slice_of(data, size);
    if (size > 65536) {
        return 0;
    }
    enum assay_status status = assay_json_open(text, DEPTH, &whole, NULL);
    must(assay_json_flat_open(text, DEPTH, &flat, NULL) == status);
    if (status == ASSAY_OK) {
        struct held held = {.whole = whole, .flat = &flat};
        must(assay_json_each(whole, agrees, &held));
        must(flat.json != NULL || held.members == flat.count);
        assay_json_close(whole);
    }
    assay_json_flat_close(&flat);
    return 0;
}
