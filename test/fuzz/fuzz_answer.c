/* An introspection answer, from the bytes that came to what is kept, judged and printed; and
 * metadata. */
#include "fuzz.h"

#include "guard/decide.h"
#include "guard/discovery.h"

#include <string.h>

static const struct assay_slice pointers[] = {
    {(const uint8_t *)"/scope", 6}, {(const uint8_t *)"/aud", 4},  {(const uint8_t *)"/sub", 4},
    {(const uint8_t *)"/a/b", 4},   {(const uint8_t *)"/~0~1", 5},
};
static const struct assay_claims claims = {pointers, 5};

static void print_all(struct assay_slice values)
{
    static uint8_t room[1 << 16];
    for (size_t i = 0; i < claims.count; i++) {
        struct assay_buf out;
        struct assay_kept_value value = assay_kept_at(values, i);
        assay_buf_init(&out, room, sizeof(room));
        assay_kept_print(&value, &out);
        for (size_t at = 0; at < out.len; at++) {
            must(out.data[at] >= 0x20 && out.data[at] <= 0x7E);
        }
    }
}

/* Kept in the cache and found there again, it is the same. */
static void keep(const struct assay_told *told)
{
    struct assay_cached cached;
    if (assay_decide_keep(told, 1000, 1700000000, &cached)) {
        must(cached.len == told->kept.values.len);
        must(cached.len == 0 || memcmp(cached.payload, told->kept.values.data, cached.len) == 0);
        must(told->kept.expires_at_s == 0 ? cached.dies_us == INT64_MAX : cached.dies_us >= 1000);
    }
}

static void read_answer(struct assay_slice body, struct assay_digester *digester)
{
    static uint8_t memory[1 << 17];
    static uint8_t room[8192];
    struct assay_arena arena;
    struct assay_buf values;
    struct assay_told told;
    struct assay_error error = {0};
    struct assay_provider provider = {.issuer = ASSAY_SLICE("https://as")};
    struct assay_provider_reply reply = {200, ASSAY_SLICE("application/json"), body};
    assay_arena_init(&arena, memory, sizeof(memory));
    assay_buf_init(&values, room, sizeof(room));
    enum assay_reason reason =
        assay_provider_read(&provider, &reply, &claims, &arena, &values, digester, &told, &error);
    must(reason == ASSAY_REASON_OK || reason == ASSAY_REASON_UNUSABLE);
    if (reason == ASSAY_REASON_OK && told.kept.active) {
        const struct assay_rule *failed = NULL;
        struct assay_rule rule = {.scope = ASSAY_SLICE("read"), .audience = ASSAY_SLICE("a")};
        struct assay_rules rules = {.rules = &rule, .count = 1, .scope_at = 0, .audience_at = 1};
        must(told.kept.expires_at_s >= 0 && told.kept.not_before_s >= 0);
        (void)assay_rules_judge(&rules, &told.kept, (struct assay_slice){0}, 1700000000, 0,
                                &failed);
        print_all(told.kept.values);
        keep(&told);
    }
    struct assay_discovered said = {0};
    must(assay_discovery_read(body, ASSAY_SLICE("https://as"), &arena, &said, NULL) != ASSAY_OK ||
         said.introspection_endpoint.len + said.jwks_uri.len <= body.len);
    assay_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct assay_digester *digester;
    if (digester == NULL) {
        must(assay_digester_open(&digester, NULL) == ASSAY_OK);
    }
    read_answer(assay_slice_of(data, size), digester);
    print_all(assay_slice_of(data, size)); /* as if it were what lies in shared memory */
    return 0;
}
