#include "record/token_text.h"

#include "base/base64url.h"
#include "base/secret.h"
#include "crypto/digest.h"

#include <string.h>

#define BODY_BYTES 42
#define CRC_AT (BODY_BYTES - 4)
#define MARK_LEN 4 /* "_at_" or "_rt_" */

bool assay_token_prefix_valid(struct assay_slice prefix)
{
    if (prefix.len == 0 || prefix.len > ASSAY_MAX_TOKEN_PREFIX || prefix.data[0] < 'a' ||
        prefix.data[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < prefix.len; i++) {
        uint8_t c = prefix.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return true;
}

/* What an address seals: the class in 7 bits, the number in 57, and 64 bits that are always the
 * same, by which an address of ours is told from any other 16 bytes. */
static const uint8_t constant[8] = {'a', 's', 's', 'a', 'y', '.', 'v', '1'};

static enum assay_status seal_with(struct assay_seal *seal, struct assay_token_id id,
                                   struct assay_address *ret_address, struct assay_error *reterr)
{
    uint8_t block[ASSAY_SEAL_BLOCK_LEN];
    uint64_t place = (uint64_t)id.lifetime_class << 57 | id.seq;
    for (size_t i = 0; i < 8; i++) {
        block[i] = (uint8_t)(place >> (56 - 8 * i));
    }
    memcpy(block + 8, constant, sizeof(constant));
    return assay_seal_encrypt(seal, block, ret_address->bytes, reterr);
}

enum assay_status assay_address_seal(const struct assay_seal_ring *ring, struct assay_token_id id,
                                     struct assay_address *ret_address, uint8_t *ret_generation,
                                     struct assay_error *reterr)
{
    if (ring->count == 0) {
        return assay_fail(ASSAY_ERR_CRYPTO, "there is no sealing key", reterr);
    }
    enum assay_status status = seal_with(ring->seals[0], id, ret_address, reterr);
    if (status == ASSAY_OK) {
        *ret_generation = ring->generations[0];
    }
    return status;
}

enum assay_status assay_address_seal_as(const struct assay_seal_ring *ring, uint8_t generation,
                                        struct assay_token_id id, struct assay_address *ret_address,
                                        struct assay_error *reterr)
{
    for (size_t i = 0; i < ring->count; i++) {
        if (ring->generations[i] == generation) {
            return seal_with(ring->seals[i], id, ret_address, reterr);
        }
    }
    return assay_fail(ASSAY_ERR_ABSENT, "the sealing key of this token is gone", reterr);
}

bool assay_address_open(const struct assay_seal_ring *ring, const struct assay_address *address,
                        struct assay_token_id *ret_id)
{
    for (size_t i = 0; i < ring->count; i++) {
        uint8_t block[ASSAY_SEAL_BLOCK_LEN];
        if (assay_seal_decrypt(ring->seals[i], address->bytes, block, NULL) != ASSAY_OK) {
            continue;
        }
        if (!assay_secret_equal(assay_slice_of(block + 8, 8), assay_slice_of(constant, 8))) {
            continue;
        }
        uint64_t place = 0;
        for (size_t b = 0; b < 8; b++) {
            place = place << 8 | block[b];
        }
        ret_id->lifetime_class = (uint8_t)(place >> 57);
        ret_id->seq = place & ASSAY_SEQ_MAX;
        return ret_id->seq != 0;
    }
    return false;
}

static const char *mark_of(enum assay_token_kind kind)
{
    return kind == ASSAY_TOKEN_ACCESS ? "_at_" : "_rt_";
}

static uint32_t checksum(struct assay_slice head, const uint8_t body[BODY_BYTES])
{
    return assay_crc32c(assay_crc32c(0, head), assay_slice_of(body, CRC_AT));
}

/* The kind of a text that starts with `prefix` and a mark; 0 for any other. */
static unsigned kind_of(struct assay_slice text, struct assay_slice prefix)
{
    if (text.len != prefix.len + MARK_LEN + ASSAY_TOKEN_BODY_LEN ||
        !assay_slice_starts_with(text, prefix)) {
        return 0;
    }
    const uint8_t *mark = text.data + prefix.len;
    if (memcmp(mark, "_at_", MARK_LEN) == 0) {
        return ASSAY_TOKEN_ACCESS;
    }
    return memcmp(mark, "_rt_", MARK_LEN) == 0 ? ASSAY_TOKEN_REFRESH : 0;
}

static uint32_t read_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

bool assay_token_text_parse(struct assay_slice text, struct assay_slice prefix,
                            struct assay_token_text *ret)
{
    unsigned kind = kind_of(text, prefix);
    if (kind == 0) {
        return false;
    }
    uint8_t body[BODY_BYTES];
    size_t len = 0;
    struct assay_slice head = assay_slice_head(text, prefix.len + MARK_LEN);
    bool good = assay_base64url_decode(assay_slice_from(text, head.len), body, sizeof(body), &len,
                                       NULL) == ASSAY_OK &&
                len == BODY_BYTES && read_u32(body + CRC_AT) == checksum(head, body);
    if (good) {
        ret->kind = (enum assay_token_kind)kind;
        memcpy(ret->address.bytes, body, ASSAY_ADDRESS_LEN);
    }
    assay_secret_wipe(body, sizeof(body));
    return good;
}

struct assay_slice assay_token_text_write(struct assay_slice prefix, enum assay_token_kind kind,
                                          const struct assay_address *address,
                                          const uint8_t secret[ASSAY_TOKEN_SECRET_LEN],
                                          uint8_t *out)
{
    memcpy(out, prefix.data, prefix.len);
    memcpy(out + prefix.len, mark_of(kind), MARK_LEN);
    struct assay_slice head = assay_slice_of(out, prefix.len + MARK_LEN);

    uint8_t body[BODY_BYTES];
    memcpy(body, address->bytes, ASSAY_ADDRESS_LEN);
    memcpy(body + ASSAY_ADDRESS_LEN, secret, ASSAY_TOKEN_SECRET_LEN);
    uint32_t check = checksum(head, body);
    for (size_t i = 0; i < 4; i++) {
        body[CRC_AT + i] = (uint8_t)(check >> (24 - 8 * i));
    }
    assay_base64url_encode(assay_slice_of(body, sizeof(body)), out + head.len);
    assay_secret_wipe(body, sizeof(body));
    return assay_slice_of(out, head.len + ASSAY_TOKEN_BODY_LEN);
}

void assay_jti_write(const struct assay_address *address, uint8_t out[ASSAY_JTI_LEN])
{
    assay_base64url_encode(assay_slice_of(address->bytes, ASSAY_ADDRESS_LEN), out);
}

enum assay_status assay_jti_parse(struct assay_slice text, struct assay_address *ret,
                                  struct assay_error *reterr)
{
    size_t len = 0;
    if (text.len != ASSAY_JTI_LEN) {
        return assay_fail(ASSAY_ERR_SYNTAX, "a jti has 22 characters", reterr);
    }
    return assay_base64url_decode(text, ret->bytes, sizeof(ret->bytes), &len, reterr);
}

enum assay_status assay_successor_secret(struct assay_slice rotated_text, struct assay_slice salt,
                                         const struct assay_address *successor,
                                         uint8_t ret_secret[ASSAY_TOKEN_SECRET_LEN],
                                         struct assay_error *reterr)
{
    static const struct assay_slice label = {(const uint8_t *)"assay refresh successor v1", 26};
    uint8_t room[26 + 64 + ASSAY_ADDRESS_LEN];
    if (salt.len > 64) {
        return assay_fail(ASSAY_ERR_CRYPTO, "the salt is too long", reterr);
    }
    memcpy(room, label.data, label.len);
    memcpy(room + label.len, salt.data, salt.len);
    memcpy(room + label.len + salt.len, successor->bytes, ASSAY_ADDRESS_LEN);

    uint8_t mac[ASSAY_SHA256_LEN];
    size_t len = label.len + salt.len + ASSAY_ADDRESS_LEN;
    enum assay_status status =
        assay_hmac_sha256(rotated_text, assay_slice_of(room, len), mac, reterr);
    if (status == ASSAY_OK) {
        memcpy(ret_secret, mac, ASSAY_TOKEN_SECRET_LEN);
    }
    assay_secret_wipe(mac, sizeof(mac));
    assay_secret_wipe(room, sizeof(room));
    return status;
}
