#include "support/cached.h"

#include <string.h>

uint64_t cached_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

void cached_key(uint64_t n, uint8_t key[ASSAY_CACHE_KEY_LEN])
{
    for (uint64_t i = 0; i < ASSAY_CACHE_KEY_LEN / 8; i++) {
        uint64_t word = cached_mix(4 * n + i + 1);
        memcpy(key + 8 * i, &word, 8);
    }
}

struct assay_cached cached_entry(uint64_t n, uint64_t generation, int64_t asked_us)
{
    struct assay_cached e = {
        .generation = generation,
        .asked_us = asked_us,
        .dies_us = (int64_t)(n + 1),
        .expires_at_s = (int64_t)(n + 2),
        .not_before_s = (int64_t)(n + 3),
        .log = n + 4,
        .as_of = n + 5,
        .subject = n % 16 + 1,
        .client = n % 4 + 1,
        .flags = (uint32_t)(n & 0xFFFF),
        .len = (uint16_t)(n * 37 % (ASSAY_CACHE_PAYLOAD + 1)),
    };
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS; i++) {
        e.keys[i] = cached_mix(n + i);
    }
    memset(e.payload, (int)(cached_mix(n + (uint64_t)asked_us) & 0xFF), e.len);
    return e;
}

bool cached_is_entry(const struct assay_cached *e, uint64_t n)
{
    struct assay_cached same = cached_entry(n, e->generation, e->asked_us);
    return same.dies_us == e->dies_us && same.expires_at_s == e->expires_at_s &&
           same.not_before_s == e->not_before_s && same.log == e->log && same.as_of == e->as_of &&
           same.subject == e->subject && same.client == e->client && same.flags == e->flags &&
           same.len == e->len && memcmp(same.keys, e->keys, sizeof(e->keys)) == 0 &&
           memcmp(same.payload, e->payload, e->len) == 0;
}
