#include "server/recent.h"

#include "base/secret.h"

#include <string.h>

static size_t slot_of(const uint8_t header_sha256[ASSAY_SHA256_LEN])
{
    return header_sha256[0] % ASSAY_RECENT_SLOTS;
}

const struct assay_recent_entry *assay_recent_find(const struct assay_recent *recent,
                                                   const uint8_t header_sha256[ASSAY_SHA256_LEN])
{
    const struct assay_recent_entry *entry = &recent->slots[slot_of(header_sha256)];
    bool same = assay_secret_equal(assay_slice_of(entry->header_sha256, ASSAY_SHA256_LEN),
                                   assay_slice_of(header_sha256, ASSAY_SHA256_LEN));
    return same && entry->client_id_len != 0 ? entry : NULL;
}

void assay_recent_note(struct assay_recent *recent, const uint8_t header_sha256[ASSAY_SHA256_LEN],
                       struct assay_slice client_id, const uint8_t secret_sha256[ASSAY_SHA256_LEN])
{
    struct assay_recent_entry *entry = &recent->slots[slot_of(header_sha256)];
    if (client_id.len == 0 || client_id.len > sizeof(entry->client_id)) {
        return;
    }
    memcpy(entry->header_sha256, header_sha256, ASSAY_SHA256_LEN);
    memcpy(entry->secret_sha256, secret_sha256, ASSAY_SHA256_LEN);
    memcpy(entry->client_id, client_id.data, client_id.len);
    entry->client_id_len = client_id.len;
}
