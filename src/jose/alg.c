#include "jose/alg.h"

#include <stddef.h>

#define RSA (1U << ASSAY_PKEY_RSA)
#define P256 (1U << ASSAY_PKEY_P256)
#define P384 (1U << ASSAY_PKEY_P384)
#define P521 (1U << ASSAY_PKEY_P521)
#define ED25519 (1U << ASSAY_PKEY_ED25519)
#define ED448 (1U << ASSAY_PKEY_ED448)
#define SECRET (1U << ASSAY_PKEY_SECRET)

#define NAME(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

/* clang-format off */
static const struct assay_alg rows[] = {
    /* name            id                 keys             slot  scheme */
    {NAME("RS256"),   ASSAY_ALG_RS256,   RSA,             0, {ASSAY_SIGNING_RSA_PKCS1, ASSAY_HASH_SHA256}},
    {NAME("RS384"),   ASSAY_ALG_RS384,   RSA,             1, {ASSAY_SIGNING_RSA_PKCS1, ASSAY_HASH_SHA384}},
    {NAME("RS512"),   ASSAY_ALG_RS512,   RSA,             2, {ASSAY_SIGNING_RSA_PKCS1, ASSAY_HASH_SHA512}},
    {NAME("PS256"),   ASSAY_ALG_PS256,   RSA,             3, {ASSAY_SIGNING_RSA_PSS,   ASSAY_HASH_SHA256}},
    {NAME("PS384"),   ASSAY_ALG_PS384,   RSA,             4, {ASSAY_SIGNING_RSA_PSS,   ASSAY_HASH_SHA384}},
    {NAME("PS512"),   ASSAY_ALG_PS512,   RSA,             5, {ASSAY_SIGNING_RSA_PSS,   ASSAY_HASH_SHA512}},
    {NAME("ES256"),   ASSAY_ALG_ES256,   P256,            0, {ASSAY_SIGNING_ECDSA,     ASSAY_HASH_SHA256}},
    {NAME("ES384"),   ASSAY_ALG_ES384,   P384,            0, {ASSAY_SIGNING_ECDSA,     ASSAY_HASH_SHA384}},
    {NAME("ES512"),   ASSAY_ALG_ES512,   P521,            0, {ASSAY_SIGNING_ECDSA,     ASSAY_HASH_SHA512}},
    {NAME("EdDSA"),   ASSAY_ALG_EDDSA,   ED25519 | ED448, 0, {ASSAY_SIGNING_EDDSA,     ASSAY_HASH_OWN}},
    {NAME("Ed25519"), ASSAY_ALG_ED25519, ED25519,         0, {ASSAY_SIGNING_EDDSA,     ASSAY_HASH_OWN}},
    {NAME("Ed448"),   ASSAY_ALG_ED448,   ED448,           0, {ASSAY_SIGNING_EDDSA,     ASSAY_HASH_OWN}},
    {NAME("HS256"),   ASSAY_ALG_HS256,   SECRET,          0, {ASSAY_SIGNING_HMAC,      ASSAY_HASH_SHA256}},
    {NAME("HS384"),   ASSAY_ALG_HS384,   SECRET,          1, {ASSAY_SIGNING_HMAC,      ASSAY_HASH_SHA384}},
    {NAME("HS512"),   ASSAY_ALG_HS512,   SECRET,          2, {ASSAY_SIGNING_HMAC,      ASSAY_HASH_SHA512}},
};
/* clang-format on */

const struct assay_alg *assay_alg_find(struct assay_slice name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (assay_slice_equal(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct assay_alg *assay_alg_row(enum assay_alg_id id)
{
    return &rows[id];
}

bool assay_alg_takes(const struct assay_alg *alg, enum assay_pkey_kind kind)
{
    return (alg->keys & 1U << kind) != 0;
}

bool assay_alg_agrees(const struct assay_alg *alg, const struct assay_alg *key_alg)
{
    return key_alg == NULL || alg == key_alg ||
           (alg->scheme.kind == ASSAY_SIGNING_EDDSA &&
            key_alg->scheme.kind == ASSAY_SIGNING_EDDSA && (alg->keys & key_alg->keys) != 0);
}

bool assay_alg_set_read(struct assay_slice list, uint32_t *ret)
{
    uint32_t set = 0;
    while (list.data != NULL) {
        const struct assay_alg *alg = assay_alg_find(assay_slice_cut(&list, ' '));
        if (alg == NULL) {
            return false;
        }
        set |= ASSAY_ALG_BIT(alg->id);
    }
    if (set == 0) {
        return false;
    }
    *ret = set;
    return true;
}
