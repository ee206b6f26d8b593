#include "support/keys.h"

#include "support/check.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static uint8_t *take(struct key_numbers *numbers, size_t len)
{
    assert_true(numbers->used + len <= sizeof(numbers->room));
    uint8_t *room = numbers->room + numbers->used;
    numbers->used += len;
    return room;
}

/* `width` 0: without leading zeros. */
static struct assay_slice number_of(const EVP_PKEY *evp, const char *name, size_t width,
                                    struct key_numbers *numbers)
{
    BIGNUM *value = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(evp, name, &value), 1);
    size_t len = width == 0 ? (size_t)BN_num_bytes(value) : width;
    uint8_t *room = take(numbers, len);
    assert_int_equal(BN_bn2binpad(value, room, (int)len), (int)len);
    BN_clear_free(value);
    return assay_slice_of(room, len);
}

void keys_make_rsa(unsigned bits, struct key_numbers *ret)
{
    EVP_PKEY *evp = EVP_RSA_gen(bits);
    assert_non_null(evp);
    *ret = (struct key_numbers){.parts.kind = ASSAY_PKEY_RSA};
    ret->parts.n = number_of(evp, OSSL_PKEY_PARAM_RSA_N, 0, ret);
    ret->parts.e = number_of(evp, OSSL_PKEY_PARAM_RSA_E, 0, ret);
    ret->parts.d = number_of(evp, OSSL_PKEY_PARAM_RSA_D, 0, ret);
    ret->parts.p = number_of(evp, OSSL_PKEY_PARAM_RSA_FACTOR1, 0, ret);
    ret->parts.q = number_of(evp, OSSL_PKEY_PARAM_RSA_FACTOR2, 0, ret);
    ret->parts.dp = number_of(evp, OSSL_PKEY_PARAM_RSA_EXPONENT1, 0, ret);
    ret->parts.dq = number_of(evp, OSSL_PKEY_PARAM_RSA_EXPONENT2, 0, ret);
    ret->parts.qi = number_of(evp, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 0, ret);
    EVP_PKEY_free(evp);
}

static void make_ec(const char *group, struct key_numbers *ret)
{
    size_t width = assay_pkey_width(ret->parts.kind);
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);
    assert_non_null(evp);
    ret->parts.x = number_of(evp, OSSL_PKEY_PARAM_EC_PUB_X, width, ret);
    ret->parts.y = number_of(evp, OSSL_PKEY_PARAM_EC_PUB_Y, width, ret);
    ret->parts.d = number_of(evp, OSSL_PKEY_PARAM_PRIV_KEY, width, ret);
    EVP_PKEY_free(evp);
}

static void make_edwards(const char *name, struct key_numbers *ret)
{
    size_t width = assay_pkey_width(ret->parts.kind);
    size_t len = width;
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, name);
    uint8_t *x = take(ret, width);
    uint8_t *d = take(ret, width);
    assert_non_null(evp);
    assert_int_equal(EVP_PKEY_get_raw_public_key(evp, x, &len), 1);
    assert_int_equal(EVP_PKEY_get_raw_private_key(evp, d, &len), 1);
    ret->parts.x = assay_slice_of(x, width);
    ret->parts.d = assay_slice_of(d, width);
    EVP_PKEY_free(evp);
}

void keys_make(enum assay_pkey_kind kind, struct key_numbers *ret)
{
    *ret = (struct key_numbers){.parts.kind = kind};
    switch (kind) {
    case ASSAY_PKEY_RSA:
        keys_make_rsa(2048, ret);
        break;
    case ASSAY_PKEY_P256:
        make_ec("P-256", ret);
        break;
    case ASSAY_PKEY_P384:
        make_ec("P-384", ret);
        break;
    case ASSAY_PKEY_P521:
        make_ec("P-521", ret);
        break;
    case ASSAY_PKEY_ED25519:
        make_edwards("ED25519", ret);
        break;
    case ASSAY_PKEY_ED448:
        make_edwards("ED448", ret);
        break;
    case ASSAY_PKEY_SECRET:
        ret->parts.k = assay_slice_of(take(ret, 64), 64);
        memset(ret->room, 'k', 64);
        break;
    }
}

static struct assay_pkey *open_parts(const struct assay_pkey_parts *parts)
{
    struct assay_pkey *pkey = NULL;
    struct assay_error error = {0};
    assert_ok(assay_pkey_open(parts, &pkey, &error), &error);
    assert_non_null(pkey);
    return pkey;
}

struct assay_pkey *keys_open_private(const struct key_numbers *numbers)
{
    return open_parts(&numbers->parts);
}

struct assay_pkey *keys_open_public(const struct key_numbers *numbers)
{
    struct assay_pkey_parts parts = numbers->parts;
    parts.d = (struct assay_slice){0};
    return open_parts(&parts);
}
