#include "server/remembered.h"

#include "base/limits.h"
#include "base/secret.h"
#include "crypto/digest.h"

#include <stdatomic.h>
#include <string.h>

#define WAYS 4
#define WORDS (ASSAY_SHA256_LEN / sizeof(uint64_t))

/* One verified secret: a keyed hash in words that are written one by one. A mix of two hashes
 * matches no third but by a chance of 2^-192. */
struct entry {
    _Atomic uint64_t words[WORDS];
};

struct assay_remembered {
    uint8_t key[32];
    size_t buckets;
    _Atomic uint64_t next; /* which way is replaced */
    uint8_t pad[64 - 32 - sizeof(size_t) - sizeof(uint64_t)];
    struct entry entries[];
};

size_t assay_remembered_size(size_t entries)
{
    size_t buckets = entries / WAYS + 1;
    return sizeof(struct assay_remembered) + buckets * WAYS * sizeof(struct entry);
}

struct assay_remembered *assay_remembered_init(void *memory, size_t size, const uint8_t key[32])
{
    struct assay_remembered *remembered = memory;
    memset(memory, 0, size);
    memcpy(remembered->key, key, sizeof(remembered->key));
    remembered->buckets = (size - sizeof(*remembered)) / (WAYS * sizeof(struct entry));
    return remembered;
}

/* Over the stored hash (of fixed length) and the id's length, id and secret: nothing runs together.
 */
static bool tag_of(const struct assay_remembered *remembered, struct assay_slice client_id,
                   const uint8_t hash[32], struct assay_slice secret, uint64_t ret[WORDS])
{
    uint8_t room[32 + 2 + ASSAY_MAX_CLIENT_ID + ASSAY_MAX_CLIENT_SECRET];
    uint8_t mac[ASSAY_SHA256_LEN];
    if (client_id.len > ASSAY_MAX_CLIENT_ID || secret.len > ASSAY_MAX_CLIENT_SECRET ||
        client_id.len == 0 || secret.len == 0) {
        return false;
    }
    memcpy(room, hash, 32);
    room[32] = (uint8_t)(client_id.len >> 8);
    room[33] = (uint8_t)client_id.len;
    memcpy(room + 34, client_id.data, client_id.len);
    memcpy(room + 34 + client_id.len, secret.data, secret.len);
    enum assay_status status =
        assay_hmac_sha256(assay_slice_of(remembered->key, sizeof(remembered->key)),
                          assay_slice_of(room, 34 + client_id.len + secret.len), mac, NULL);
    assay_secret_wipe(room, sizeof(room));
    memcpy(ret, mac, sizeof(mac));
    return status == ASSAY_OK;
}

static struct entry *bucket_of(struct assay_remembered *remembered, const uint64_t tag[WORDS])
{
    return &remembered->entries[(size_t)tag[0] % remembered->buckets * WAYS];
}

bool assay_remembered_knows(struct assay_remembered *remembered, struct assay_slice client_id,
                            const uint8_t hash[32], struct assay_slice secret)
{
    uint64_t tag[WORDS];
    if (!tag_of(remembered, client_id, hash, secret, tag)) {
        return false;
    }
    struct entry *bucket = bucket_of(remembered, tag);
    for (size_t i = 0; i < WAYS; i++) {
        uint64_t difference = 0;
        for (size_t w = 0; w < WORDS; w++) {
            difference |= atomic_load(&bucket[i].words[w]) ^ tag[w];
        }
        if (difference == 0) {
            return true;
        }
    }
    return false;
}

void assay_remembered_add(struct assay_remembered *remembered, struct assay_slice client_id,
                          const uint8_t hash[32], struct assay_slice secret)
{
    uint64_t tag[WORDS];
    if (!tag_of(remembered, client_id, hash, secret, tag)) {
        return;
    }
    struct entry *entry =
        &bucket_of(remembered, tag)[atomic_fetch_add(&remembered->next, 1) % WAYS];
    for (size_t w = 0; w < WORDS; w++) {
        atomic_store(&entry->words[w], tag[w]);
    }
}
