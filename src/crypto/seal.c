#include "crypto/seal.h"

#include "crypto/crypto_priv.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

struct assay_seal {
    EVP_CIPHER *cipher;
    EVP_CIPHER_CTX *encrypt;
    EVP_CIPHER_CTX *decrypt;
};

static EVP_CIPHER_CTX *open_context(EVP_CIPHER *cipher, const uint8_t *key, int encrypt)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL || EVP_CipherInit_ex2(context, cipher, key, NULL, encrypt, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(context, 0) != 1) {
        EVP_CIPHER_CTX_free(context);
        return NULL;
    }
    return context;
}

enum assay_status assay_seal_open(const uint8_t key[ASSAY_SEAL_KEY_LEN],
                                  struct assay_seal **ret_seal, struct assay_error *reterr)
{
    struct assay_seal *seal = OPENSSL_zalloc(sizeof(*seal));
    if (seal == NULL) {
        return assay_crypto_fail("no memory for a sealing key", reterr);
    }
    seal->cipher = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    if (seal->cipher != NULL) {
        seal->encrypt = open_context(seal->cipher, key, 1);
        seal->decrypt = open_context(seal->cipher, key, 0);
    }
    if (seal->encrypt == NULL || seal->decrypt == NULL) {
        assay_seal_close(seal);
        return assay_crypto_fail("cannot set AES-256 up", reterr);
    }
    *ret_seal = seal;
    return ASSAY_OK;
}

void assay_seal_close(struct assay_seal *seal)
{
    if (seal == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(seal->encrypt); /* wipes the key schedule */
    EVP_CIPHER_CTX_free(seal->decrypt);
    EVP_CIPHER_free(seal->cipher);
    OPENSSL_free(seal);
}

/* Without padding a whole block comes out of each update, and the context is ready for the next. */
static enum assay_status one_block(EVP_CIPHER_CTX *context, const uint8_t *in, uint8_t *out,
                                   struct assay_error *reterr)
{
    int len = 0;
    if (EVP_CipherUpdate(context, out, &len, in, ASSAY_SEAL_BLOCK_LEN) != 1 ||
        len != ASSAY_SEAL_BLOCK_LEN) {
        return assay_crypto_fail("AES-256 failed", reterr);
    }
    return ASSAY_OK;
}

enum assay_status assay_seal_encrypt(struct assay_seal *seal,
                                     const uint8_t in[ASSAY_SEAL_BLOCK_LEN],
                                     uint8_t out[ASSAY_SEAL_BLOCK_LEN], struct assay_error *reterr)
{
    return one_block(seal->encrypt, in, out, reterr);
}

enum assay_status assay_seal_decrypt(struct assay_seal *seal,
                                     const uint8_t in[ASSAY_SEAL_BLOCK_LEN],
                                     uint8_t out[ASSAY_SEAL_BLOCK_LEN], struct assay_error *reterr)
{
    return one_block(seal->decrypt, in, out, reterr);
}
