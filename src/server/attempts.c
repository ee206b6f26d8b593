#include "server/attempts.h"

#include "base/limits.h"
#include "crypto/digest.h"

#include <stdatomic.h>
#include <string.h>

#define WAYS 4

/* One counter. Words are written one by one, the tag last, so that a writer killed in between
 * leaves an entry that is nobody's; two that write at once are off by a failure or two, and who
 * fails has time. */
struct entry {
    _Atomic uint64_t tag;
    _Atomic int64_t since_s; /* start of its window */
    _Atomic uint64_t count;
    uint64_t spare;
};

struct assay_attempts {
    uint8_t key[16];
    size_t buckets;
    uint8_t pad[64 - 16 - sizeof(size_t)];
    struct entry entries[];
};

size_t assay_attempts_size(size_t entries)
{
    size_t buckets = entries / WAYS + 1;
    return sizeof(struct assay_attempts) + buckets * WAYS * sizeof(struct entry);
}

struct assay_attempts *assay_attempts_init(void *memory, size_t size, const uint8_t key[16])
{
    struct assay_attempts *attempts = memory;
    memset(memory, 0, size);
    memcpy(attempts->key, key, sizeof(attempts->key));
    attempts->buckets = (size - sizeof(*attempts)) / (WAYS * sizeof(struct entry));
    return attempts;
}

/* An IPv6 address counts by its network of 64 bits, in which one host has as many as it likes. */
static size_t source_len_of(struct assay_slice source)
{
    static const size_t v6 = 16;
    return source.len >= v6 ? v6 / 2 : source.len;
}

/* The counter's name: a keyed hash over both, lengths included, so that no two pairs run together
 * and none can be made to collide. 0 only when OpenSSL fails, and then nothing is limited. */
static uint64_t tag_of(const struct assay_attempts *attempts, struct assay_slice client_id,
                       struct assay_slice source)
{
    uint8_t room[1 + 16 + ASSAY_MAX_CLIENT_ID];
    uint8_t mac[ASSAY_SHA256_LEN];
    size_t source_len = source_len_of(source);
    size_t id_len = client_id.len < ASSAY_MAX_CLIENT_ID ? client_id.len : ASSAY_MAX_CLIENT_ID;
    uint64_t tag = 0;
    room[0] = (uint8_t)source_len;
    if (source_len != 0) {
        memcpy(room + 1, source.data, source_len);
    }
    if (id_len != 0) {
        memcpy(room + 1 + source_len, client_id.data, id_len);
    }
    if (assay_hmac_sha256(assay_slice_of(attempts->key, sizeof(attempts->key)),
                          assay_slice_of(room, 1 + source_len + id_len), mac, NULL) != ASSAY_OK) {
        return 0;
    }
    memcpy(&tag, mac, sizeof(tag));
    return tag | 1;
}

static struct entry *bucket_of(struct assay_attempts *attempts, uint64_t tag)
{
    return &attempts->entries[(size_t)(tag >> 1) % attempts->buckets * WAYS];
}

static bool is_open(const struct entry *entry, int64_t now_s)
{
    int64_t age_s = now_s - atomic_load(&entry->since_s);
    return age_s >= 0 && age_s < ASSAY_FAILED_AUTH_WINDOW_S;
}

unsigned assay_attempts_wait_s(struct assay_attempts *attempts, struct assay_slice client_id,
                               struct assay_slice source, int64_t now_s)
{
    uint64_t tag = tag_of(attempts, client_id, source);
    struct entry *bucket = bucket_of(attempts, tag);
    for (size_t i = 0; i < WAYS && tag != 0; i++) {
        if (atomic_load(&bucket[i].tag) != tag || !is_open(&bucket[i], now_s) ||
            atomic_load(&bucket[i].count) < ASSAY_MAX_FAILED_AUTH) {
            continue;
        }
        int64_t left_s = atomic_load(&bucket[i].since_s) + ASSAY_FAILED_AUTH_WINDOW_S - now_s;
        return left_s < 1 ? 1 : (unsigned)left_s;
    }
    return 0;
}

/* What an entry is worth keeping for: nothing when its window is over, else its failures. */
static uint64_t worth(const struct entry *entry, int64_t now_s)
{
    return is_open(entry, now_s) ? atomic_load(&entry->count) : 0;
}

/* The pair's own counter, else the one that has counted least: so a flood of names, each failing
 * once, forgets itself and not those who are limited. Among equals that whose window started first.
 */
static struct entry *choose(struct entry *bucket, uint64_t tag, int64_t now_s)
{
    struct entry *least = bucket;
    for (size_t i = 0; i < WAYS; i++) {
        if (atomic_load(&bucket[i].tag) == tag) {
            return &bucket[i];
        }
        uint64_t here = worth(&bucket[i], now_s);
        uint64_t before = worth(least, now_s);
        bool older = atomic_load(&bucket[i].since_s) < atomic_load(&least->since_s);
        if (here < before || (here == before && older)) {
            least = &bucket[i];
        }
    }
    return least;
}

void assay_attempts_failed(struct assay_attempts *attempts, struct assay_slice client_id,
                           struct assay_slice source, int64_t now_s)
{
    uint64_t tag = tag_of(attempts, client_id, source);
    if (tag == 0) {
        return;
    }
    struct entry *entry = choose(bucket_of(attempts, tag), tag, now_s);
    if (atomic_load(&entry->tag) == tag && is_open(entry, now_s)) {
        atomic_fetch_add(&entry->count, 1);
        return;
    }
    atomic_store(&entry->tag, 0);
    atomic_store(&entry->since_s, now_s);
    atomic_store(&entry->count, 1);
    atomic_store(&entry->tag, tag);
}
