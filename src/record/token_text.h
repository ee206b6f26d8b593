/* A token's text: `<prefix>_at_` or `<prefix>_rt_`, then 56 base64url characters that hold the
 * sealed address (16 bytes), a secret (22) and the CRC-32C of everything before (4). No spare bits:
 * a token has one spelling. */
#ifndef ASSAY_RECORD_TOKEN_TEXT_H
#define ASSAY_RECORD_TOKEN_TEXT_H

#include "base/attr.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/status.h"
#include "crypto/seal.h"
#include "record/token_id.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_ADDRESS_LEN 16      /* bytes */
#define ASSAY_JTI_LEN 22          /* base64url characters of an address */
#define ASSAY_TOKEN_SECRET_LEN 22 /* bytes */
#define ASSAY_TOKEN_BODY_LEN 56   /* base64url characters */
#define ASSAY_MAX_TOKEN_PREFIX 16 /* characters */
#define ASSAY_MAX_TOKEN_TEXT (ASSAY_MAX_TOKEN_PREFIX + 4 + ASSAY_TOKEN_BODY_LEN)

enum assay_token_kind {
    ASSAY_TOKEN_ACCESS = 1,
    ASSAY_TOKEN_REFRESH = 2,
};

/* A token's address, sealed: what its jti spells in base64url. */
struct assay_address {
    uint8_t bytes[ASSAY_ADDRESS_LEN];
};

/* The sealing keys of a store, newest first. Plain data; whoever owns it wipes it. The AES
 * schedules behind it are in struct assay_seal (crypto/seal.h). */
struct assay_seal_ring {
    struct assay_seal *seals[ASSAY_MAX_SEAL_KEYS]; /* owned by the ring's owner */
    uint8_t generations[ASSAY_MAX_SEAL_KEYS];      /* names the key in records; 1 to 255 */
    size_t count;                                  /* 0 to ASSAY_MAX_SEAL_KEYS */
};

/* What a text says of itself, without any key. */
struct assay_token_text {
    enum assay_token_kind kind;
    struct assay_address address; /* not yet known to be one of ours */
};

/* A prefix is 1 to ASSAY_MAX_TOKEN_PREFIX characters of a-z and 0-9, the first a letter. */
#define ASSAY_TOKEN_PREFIX_RULE "1 to 16 characters of a-z and 0-9 are wanted, the first a letter"
bool assay_token_prefix_valid(struct assay_slice prefix);

/* Seals `id` under the newest key of `ring`. Fails with ASSAY_ERR_CRYPTO (also when the ring is
 * empty). */
ASSAY_MUST_USE enum assay_status assay_address_seal(const struct assay_seal_ring *ring,
                                                    struct assay_token_id id,
                                                    struct assay_address *ret_address,
                                                    uint8_t *ret_generation,
                                                    struct assay_error *reterr);

/* Seals `id` under the key of `generation`, as a record asks that was made under it.
 * ASSAY_ERR_ABSENT when the ring no longer holds that key. */
ASSAY_MUST_USE enum assay_status assay_address_seal_as(const struct assay_seal_ring *ring,
                                                       uint8_t generation, struct assay_token_id id,
                                                       struct assay_address *ret_address,
                                                       struct assay_error *reterr);

/* True when some key of `ring` opens `address`, newest first; `*ret_id` is then what it sealed. */
bool assay_address_open(const struct assay_seal_ring *ring, const struct assay_address *address,
                        struct assay_token_id *ret_id);

/* True when `text` is spelled as a token of `prefix` and its checksum is right: only such a text is
 * worth a key, and only one whose address then opens (assay_address_open, which the store does,
 * since it holds the keys) is worth a look-up. */
bool assay_token_text_parse(struct assay_slice text, struct assay_slice prefix,
                            struct assay_token_text *ret);

/* Spells the token of `kind` at `address` with `secret` into `out` (room for ASSAY_MAX_TOKEN_TEXT)
 * and returns what was written. `out` then holds a secret: the caller wipes it. */
struct assay_slice assay_token_text_write(struct assay_slice prefix, enum assay_token_kind kind,
                                          const struct assay_address *address,
                                          const uint8_t secret[ASSAY_TOKEN_SECRET_LEN],
                                          uint8_t *out);

/* The jti of `address`: ASSAY_JTI_LEN characters into `out`. */
void assay_jti_write(const struct assay_address *address, uint8_t out[ASSAY_JTI_LEN]);

/* Reads a jti back. ASSAY_ERR_SYNTAX unless it is exactly ASSAY_JTI_LEN canonical base64url
 * characters. */
ASSAY_MUST_USE enum assay_status assay_jti_parse(struct assay_slice text, struct assay_address *ret,
                                                 struct assay_error *reterr);

/* The secret of a rotated token's successor (DESIGN section 4): the first 22 bytes of HMAC-SHA-256,
 * keyed with the whole text of the token that was rotated, over label ‖ salt ‖ address of the
 * successor. Needs the text, which no store has. Fails with ASSAY_ERR_CRYPTO. */
ASSAY_MUST_USE enum assay_status assay_successor_secret(struct assay_slice rotated_text,
                                                        struct assay_slice salt,
                                                        const struct assay_address *successor,
                                                        uint8_t ret_secret[ASSAY_TOKEN_SECRET_LEN],
                                                        struct assay_error *reterr);

#endif
