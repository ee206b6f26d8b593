/* Values that an operator writes, by the first byte: issuer, resource, scope, token prefix,
 * duration. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/limits.h"
#include "oauth/issuer.h"
#include "oauth/resource.h"
#include "oauth/scope.h"
#include "record/token_text.h"
#include "tool/duration.h"

#include <string.h>

static int has_blank_or_control(struct assay_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] == 0x7F) {
            return 1;
        }
    }
    return 0;
}

/* What is taken for an issuer can stand in a URL, a header, and JSON as it is. */
static void issuer(struct assay_slice text)
{
    struct assay_slice path = assay_issuer_path(text);
    must(path.len <= text.len);
    if (assay_issuer_fault(text) == NULL) {
        must(text.len <= ASSAY_MAX_AUDIENCE && !has_blank_or_control(text));
        must(memchr(text.data, '?', text.len) == NULL && memchr(text.data, '#', text.len) == NULL);
        must(memchr(text.data, '"', text.len) == NULL && memchr(text.data, '\\', text.len) == NULL);
        must(path.len == 0 || path.data[0] == '/');
    }
}

/* A list of resources is parted by spaces. */
static void resource(struct assay_slice text)
{
    if (assay_resource_valid(text)) {
        must(text.len <= ASSAY_MAX_AUDIENCE && !has_blank_or_control(text));
        must(memchr(text.data, '#', text.len) == NULL && memchr(text.data, '"', text.len) == NULL);
    }
}

static void scope(struct assay_slice text)
{
    static uint8_t memory[4096];
    struct assay_arena arena;
    struct assay_slice both;
    if (!assay_scope_valid(text)) {
        return;
    }
    must(text.len <= ASSAY_MAX_SCOPE && assay_scope_contains(text, text));
    assay_arena_init(&arena, memory, sizeof(memory));
    must(assay_scope_intersect(text, text, &arena, &both) && assay_slice_equal(both, text));
    must(text.len == 0 || assay_scope_overlaps(text, text));
    assay_arena_clear(&arena);
}

/* Every token begins with it, and is found by it in a log or a repository. */
static void prefix(struct assay_slice text)
{
    if (assay_token_prefix_valid(text)) {
        must(text.len != 0 && !has_blank_or_control(text));
    }
}

static void duration(struct assay_slice text)
{
    char copy[64];
    int64_t seconds = -1;
    if (text.len >= sizeof(copy)) {
        return;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (assay_duration_parse(copy, &seconds)) {
        must(seconds >= 0 && seconds <= ASSAY_MAX_LIFETIME_S);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(struct assay_slice) = {issuer, resource, scope, prefix,
                                                          duration};
    if (size > 0) {
        readers[data[0] % 5](assay_slice_of(data + 1, size - 1));
    }
    return 0;
}
