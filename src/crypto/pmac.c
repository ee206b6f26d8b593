#include "crypto/pmac.h"

#include "base/secret.h"
#include "crypto/crypto_priv.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <stdbool.h>
#include <string.h>

#define BLOCK 16
#define MAX_BLOCKS (ASSAY_PMAC_MAX / BLOCK)
#define DOUBLES 10 /* the bits of MAX_BLOCKS */

struct block {
    uint64_t half[2]; /* as they lie in memory */
};

struct assay_pmac {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *aes;
    struct block l[DOUBLES]; /* L times x to the i */
    struct block l_halved;   /* L over x: marks a last block that is full */
};

static void mix(struct block *into, const struct block *from)
{
    into->half[0] ^= from->half[0];
    into->half[1] ^= from->half[1];
}

/* Without padding whole blocks come out of each update, and the context is ready for the next. */
static bool encipher(struct assay_pmac *pmac, struct block *blocks, size_t count)
{
    int len = 0;
    int size = (int)(count * BLOCK);
    unsigned char *bytes = (unsigned char *)blocks;
    return EVP_EncryptUpdate(pmac->aes, bytes, &len, bytes, size) == 1 && len == size;
}

/* --- setting up --- */

/* Times x in GF(2^128), the first bit of the first byte being the highest. */
static struct block doubled(struct block in)
{
    uint8_t bytes[BLOCK];
    memcpy(bytes, &in, BLOCK);
    uint8_t carried = (uint8_t)(0u - (bytes[0] >> 7)) & 0x87;
    for (size_t i = 0; i + 1 < BLOCK; i++) {
        bytes[i] = (uint8_t)(bytes[i] << 1 | bytes[i + 1] >> 7);
    }
    bytes[BLOCK - 1] = (uint8_t)(bytes[BLOCK - 1] << 1) ^ carried;
    memcpy(&in, bytes, BLOCK);
    assay_secret_wipe(bytes, sizeof(bytes));
    return in;
}

/* Over x. */
static struct block halved(struct block in)
{
    uint8_t bytes[BLOCK];
    memcpy(bytes, &in, BLOCK);
    uint8_t carried = (uint8_t)(0u - (bytes[BLOCK - 1] & 1));
    for (size_t i = BLOCK - 1; i > 0; i--) {
        bytes[i] = (uint8_t)(bytes[i] >> 1 | bytes[i - 1] << 7);
    }
    bytes[0] = (uint8_t)(bytes[0] >> 1) ^ (carried & 0x80);
    bytes[BLOCK - 1] ^= carried & 0x43;
    memcpy(&in, bytes, BLOCK);
    assay_secret_wipe(bytes, sizeof(bytes));
    return in;
}

static bool set_up(struct assay_pmac *pmac, const uint8_t key[ASSAY_PMAC_KEY_LEN])
{
    pmac->cipher = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
    pmac->aes = EVP_CIPHER_CTX_new();
    if (pmac->cipher == NULL || pmac->aes == NULL ||
        EVP_EncryptInit_ex2(pmac->aes, pmac->cipher, key, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(pmac->aes, 0) != 1 || !encipher(pmac, &pmac->l[0], 1)) {
        return false;
    }
    for (size_t i = 1; i < DOUBLES; i++) {
        pmac->l[i] = doubled(pmac->l[i - 1]);
    }
    pmac->l_halved = halved(pmac->l[0]);
    return true;
}

enum assay_status assay_pmac_open(const uint8_t key[ASSAY_PMAC_KEY_LEN],
                                  struct assay_pmac **ret_pmac, struct assay_error *reterr)
{
    struct assay_pmac *pmac = OPENSSL_zalloc(sizeof(*pmac));
    if (pmac == NULL) {
        return assay_crypto_fail("no memory for AES-PMAC", reterr);
    }
    if (!set_up(pmac, key)) {
        assay_pmac_close(pmac);
        return assay_crypto_fail("cannot set AES-128 up", reterr);
    }
    *ret_pmac = pmac;
    return ASSAY_OK;
}

void assay_pmac_close(struct assay_pmac *pmac)
{
    if (pmac == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(pmac->aes); /* wipes the key schedule */
    EVP_CIPHER_free(pmac->cipher);
    OPENSSL_clear_free(pmac, sizeof(*pmac));
}

/* --- a text --- */

static void copy(uint8_t *to, struct assay_slice from)
{
    if (from.len != 0) {
        memcpy(to, from.data, from.len);
    }
}

static size_t trailing_zeros(size_t n)
{
    size_t zeros = 0;
    while ((n >> zeros & 1) == 0) {
        zeros++;
    }
    return zeros;
}

/* The sum of all blocks but the last, each of which is masked by its place and enciphered. */
static bool add_up(struct assay_pmac *pmac, struct block *blocks, size_t count, struct block *sum)
{
    struct block mask = {0};
    for (size_t i = 0; i < count; i++) {
        mix(&mask, &pmac->l[trailing_zeros(i + 1)]);
        mix(&blocks[i], &mask);
    }
    if (count > 0 && !encipher(pmac, blocks, count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        mix(sum, &blocks[i]);
    }
    return true;
}

/* The last block goes into the sum as it is, filled up or marked as full. */
static bool finish(struct assay_pmac *pmac, struct block *last, size_t len, struct block *sum)
{
    uint8_t *bytes = (uint8_t *)last;
    if (len == BLOCK) {
        mix(last, &pmac->l_halved);
    } else {
        memset(bytes + len, 0, BLOCK - len);
        bytes[len] = 0x80;
    }
    mix(sum, last);
    assay_secret_wipe(last, sizeof(*last));
    return encipher(pmac, sum, 1);
}

enum assay_status assay_pmac_make(struct assay_pmac *pmac, struct assay_slice head,
                                  struct assay_slice tail, uint8_t ret[ASSAY_PMAC_LEN],
                                  struct assay_error *reterr)
{
    struct block blocks[MAX_BLOCKS];
    struct block sum = {0};
    if (head.len > ASSAY_PMAC_MAX || tail.len > ASSAY_PMAC_MAX - head.len) {
        return assay_fail(ASSAY_ERR_LIMIT, "the text is too long", reterr);
    }
    size_t len = head.len + tail.len;
    size_t before = len == 0 ? 0 : (len - 1) / BLOCK; /* blocks before the last */
    copy((uint8_t *)blocks, head);
    copy((uint8_t *)blocks + head.len, tail);
    if (!add_up(pmac, blocks, before, &sum) ||
        !finish(pmac, &blocks[before], len - before * BLOCK, &sum)) {
        return assay_crypto_fail("AES-PMAC failed", reterr);
    }
    memcpy(ret, &sum, ASSAY_PMAC_LEN);
    return ASSAY_OK;
}
