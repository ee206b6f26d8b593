#include "crypto/pkey.h"

#include "base/secret.h"
#include "crypto/crypto_priv.h"
#include "crypto/pkey_priv.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>

#include <string.h>

/* --- the curves --- */

struct curve {
    const char *group; /* OpenSSL's name */
    size_t width;      /* bytes */
    uint8_t order[ASSAY_PKEY_MAX_WIDTH];
};

/* FIPS 186-4 appendix D.1.2; the orders of the Edwards curves are nobody's business here. */
static const struct curve curves[] = {
    [ASSAY_PKEY_P256] = {"P-256", 32, {0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xBC, 0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84,
                                       0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51}},
    [ASSAY_PKEY_P384] = {"P-384", 48, {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xC7, 0x63, 0x4D, 0x81, 0xF4, 0x37,
                                       0x2D, 0xDF, 0x58, 0x1A, 0x0D, 0xB2, 0x48, 0xB0, 0xA7, 0x7A,
                                       0xEC, 0xEC, 0x19, 0x6A, 0xCC, 0xC5, 0x29, 0x73}},
    [ASSAY_PKEY_P521] = {"P-521", 66, {0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                       0xFF, 0xFF, 0xFF, 0xFA, 0x51, 0x86, 0x87, 0x83, 0xBF, 0x2F,
                                       0x96, 0x6B, 0x7F, 0xCC, 0x01, 0x48, 0xF7, 0x09, 0xA5, 0xD0,
                                       0x3B, 0xB5, 0xC9, 0xB8, 0x89, 0x9C, 0x47, 0xAE, 0xBB, 0x6F,
                                       0xB7, 0x1E, 0x91, 0x38, 0x64, 0x09}},
    [ASSAY_PKEY_ED25519] = {"ED25519", 32, {0}},
    [ASSAY_PKEY_ED448] = {"ED448", 57, {0}},
    [ASSAY_PKEY_SECRET] = {NULL, 0, {0}},
};

size_t assay_pkey_width(enum assay_pkey_kind kind)
{
    return curves[kind].width;
}

static bool is_edwards(enum assay_pkey_kind kind)
{
    return kind == ASSAY_PKEY_ED25519 || kind == ASSAY_PKEY_ED448;
}

static bool is_weierstrass(enum assay_pkey_kind kind)
{
    return kind == ASSAY_PKEY_P256 || kind == ASSAY_PKEY_P384 || kind == ASSAY_PKEY_P521;
}

struct assay_slice assay_pkey_order(enum assay_pkey_kind kind)
{
    return assay_slice_of(curves[kind].order, is_weierstrass(kind) ? curves[kind].width : 0);
}

/* --- what makes a good key --- */

static bool is_number(struct assay_slice s)
{
    return s.len > 0 && s.data[0] != 0;
}

static bool is_odd(struct assay_slice s)
{
    return (s.data[s.len - 1] & 1) == 1;
}

static bool is_exponent(struct assay_slice e)
{
    return is_number(e) && e.len <= 4 && is_odd(e) && !(e.len == 1 && e.data[0] < 3);
}

static bool is_rsa_private_complete(const struct assay_pkey_parts *parts)
{
    const struct assay_slice *numbers[] = {&parts->d,  &parts->p,  &parts->q,
                                           &parts->dp, &parts->dq, &parts->qi};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (!is_number(*numbers[i]) || numbers[i]->len > parts->n.len) {
            return false;
        }
    }
    return true;
}

/* What is wrong with the numbers as such, NULL when nothing is. Before OpenSSL sees them: a modulus
 * of 32,768 bits must not cost anything. */
static const char *fault_of_rsa(const struct assay_pkey_parts *parts)
{
    struct assay_slice n = parts->n;
    if (!is_number(n) || n.len < ASSAY_PKEY_MIN_RSA_LEN ||
        (n.len == ASSAY_PKEY_MIN_RSA_LEN && (n.data[0] & 0x80) == 0)) {
        return "the RSA modulus is shorter than 2048 bits, or begins with zeros";
    }
    if (n.len > ASSAY_PKEY_MAX_RSA_LEN) {
        return "the RSA modulus is longer than 8192 bits";
    }
    if (!is_odd(n)) {
        return "the RSA modulus is even";
    }
    if (!is_exponent(parts->e)) {
        return "the RSA exponent is even, below 3, above 2^32 - 1, or begins with zeros";
    }
    if (parts->d.len != 0 && !is_rsa_private_complete(parts)) {
        return "the private RSA key lacks one of d, p, q, dp, dq and qi";
    }
    return NULL;
}

static const char *fault_of_curve(const struct assay_pkey_parts *parts)
{
    size_t width = curves[parts->kind].width;
    if (parts->x.len != width || parts->y.len != (is_edwards(parts->kind) ? 0 : width)) {
        return "a coordinate has not the length that the curve wants";
    }
    return parts->d.len == 0 || parts->d.len == width
               ? NULL
               : "the private key has not the length that the curve wants";
}

static const char *fault_of(const struct assay_pkey_parts *parts)
{
    switch (parts->kind) {
    case ASSAY_PKEY_RSA:
        return fault_of_rsa(parts);
    case ASSAY_PKEY_SECRET:
        return parts->k.len > 0 && parts->k.len <= ASSAY_PKEY_MAX_SECRET
                   ? NULL
                   : "the shared secret is empty or too long";
    case ASSAY_PKEY_P256:
    case ASSAY_PKEY_P384:
    case ASSAY_PKEY_P521:
    case ASSAY_PKEY_ED25519:
    case ASSAY_PKEY_ED448:
        return fault_of_curve(parts);
    }
    return "there is no such kind of key";
}

/* --- making it --- */

/* Numbers on their way into OpenSSL, wiped when they have arrived. */
struct builder {
    OSSL_PARAM_BLD *params;
    BIGNUM *numbers[8];
    size_t count;
    bool ok;
};

/* Of secure memory, which OpenSSL wipes when it frees it, also where it makes its own copy. */
static void push_number(struct builder *b, const char *name, struct assay_slice value)
{
    BIGNUM *number = b->ok ? BN_secure_new() : NULL;
    b->ok = number != NULL;
    if (b->ok) {
        b->numbers[b->count++] = number;
        b->ok = BN_bin2bn(value.data, (int)value.len, number) != NULL &&
                OSSL_PARAM_BLD_push_BN(b->params, name, number) == 1;
    }
}

static EVP_PKEY *finish(struct builder *b, const char *type, bool is_private)
{
    EVP_PKEY *evp = NULL;
    OSSL_PARAM *params = b->ok ? OSSL_PARAM_BLD_to_param(b->params) : NULL;
    EVP_PKEY_CTX *context = params == NULL ? NULL : EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    int selection = is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &evp, selection, params) != 1) {
        EVP_PKEY_free(evp);
        evp = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b->params);
    for (size_t i = 0; i < b->count; i++) {
        BN_clear_free(b->numbers[i]);
    }
    return evp;
}

static struct builder start(void)
{
    struct builder b = {.params = OSSL_PARAM_BLD_new()};
    b.ok = b.params != NULL;
    return b;
}

static EVP_PKEY *make_rsa(const struct assay_pkey_parts *parts)
{
    struct builder b = start();
    push_number(&b, OSSL_PKEY_PARAM_RSA_N, parts->n);
    push_number(&b, OSSL_PKEY_PARAM_RSA_E, parts->e);
    if (parts->d.len != 0) {
        push_number(&b, OSSL_PKEY_PARAM_RSA_D, parts->d);
        push_number(&b, OSSL_PKEY_PARAM_RSA_FACTOR1, parts->p);
        push_number(&b, OSSL_PKEY_PARAM_RSA_FACTOR2, parts->q);
        push_number(&b, OSSL_PKEY_PARAM_RSA_EXPONENT1, parts->dp);
        push_number(&b, OSSL_PKEY_PARAM_RSA_EXPONENT2, parts->dq);
        push_number(&b, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, parts->qi);
    }
    return finish(&b, "RSA", parts->d.len != 0);
}

static EVP_PKEY *make_weierstrass(const struct assay_pkey_parts *parts)
{
    uint8_t point[1 + 2 * ASSAY_PKEY_MAX_WIDTH] = {4}; /* uncompressed (SEC 1 section 2.3.3) */
    size_t width = parts->x.len;
    struct builder b = start();
    memcpy(point + 1, parts->x.data, width);
    memcpy(point + 1 + width, parts->y.data, width);
    b.ok = b.ok &&
           OSSL_PARAM_BLD_push_utf8_string(b.params, OSSL_PKEY_PARAM_GROUP_NAME,
                                           curves[parts->kind].group, 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(b.params, OSSL_PKEY_PARAM_PUB_KEY, point,
                                            1 + 2 * width) == 1;
    if (parts->d.len != 0) {
        push_number(&b, OSSL_PKEY_PARAM_PRIV_KEY, parts->d);
    }
    return finish(&b, "EC", parts->d.len != 0);
}

static EVP_PKEY *make_edwards(const struct assay_pkey_parts *parts)
{
    const char *name = curves[parts->kind].group;
    return parts->d.len != 0
               ? EVP_PKEY_new_raw_private_key_ex(NULL, name, NULL, parts->d.data, parts->d.len)
               : EVP_PKEY_new_raw_public_key_ex(NULL, name, NULL, parts->x.data, parts->x.len);
}

/* The private half belongs to the public one. Of an Edwards curve OpenSSL has made the public half
 * itself. */
static bool is_pair(EVP_PKEY *evp, const struct assay_pkey_parts *parts)
{
    uint8_t x[ASSAY_PKEY_MAX_WIDTH];
    size_t len = sizeof(x);
    if (is_edwards(parts->kind)) {
        return EVP_PKEY_get_raw_public_key(evp, x, &len) == 1 &&
               assay_slice_equal(assay_slice_of(x, len), parts->x);
    }
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);
    bool pair = context != NULL && EVP_PKEY_pairwise_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return pair;
}

/* The numbers alone decide whether a key is good; what OpenSSL refuses behind that is an error. */
static enum assay_status check_point(const struct assay_pkey_parts *parts, bool *ret_good,
                                     struct assay_error *reterr)
{
    *ret_good = true;
    if (is_edwards(parts->kind)) {
        return assay_edwards_check(parts->kind, parts->x, ret_good, reterr);
    }
    if (is_weierstrass(parts->kind)) {
        return assay_weierstrass_check(curves[parts->kind].group, parts->x, parts->y, ret_good,
                                       reterr);
    }
    return ASSAY_OK;
}

static EVP_PKEY *make_evp(const struct assay_pkey_parts *parts)
{
    if (is_edwards(parts->kind)) {
        return make_edwards(parts);
    }
    return parts->kind == ASSAY_PKEY_RSA ? make_rsa(parts) : make_weierstrass(parts);
}

static enum assay_status make(const struct assay_pkey_parts *parts, struct assay_pkey *pkey,
                              struct assay_error *reterr)
{
    bool good = true;
    enum assay_status status = check_point(parts, &good, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (!good) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the key is not on its curve", reterr);
    }
    pkey->evp = make_evp(parts);
    pkey->is_private = parts->d.len != 0;
    if (pkey->evp == NULL && !pkey->is_private) {
        return assay_crypto_fail("a key could not be made", reterr);
    }
    if (pkey->evp != NULL && (!pkey->is_private || is_pair(pkey->evp, parts))) {
        return ASSAY_OK;
    }
    return assay_crypto_lacked_memory()
               ? assay_fail(ASSAY_ERR_CRYPTO, "no memory for a private key", reterr)
               : assay_fail(ASSAY_ERR_SYNTAX, "the private key does not belong to the public one",
                            reterr);
}

/* --- keeping its public numbers --- */

static void keep_part(struct assay_pkey *pkey, struct assay_slice part, struct assay_slice *ret)
{
    if (part.len != 0) {
        memcpy(pkey->bytes + pkey->len, part.data, part.len);
        *ret = assay_slice_of(pkey->bytes + pkey->len, part.len);
        pkey->len += part.len;
    }
}

static bool keep(const struct assay_pkey_parts *parts, struct assay_pkey *pkey)
{
    pkey->bytes =
        OPENSSL_malloc(parts->n.len + parts->e.len + parts->x.len + parts->y.len + parts->k.len);
    if (pkey->bytes == NULL) {
        return false;
    }
    pkey->parts.kind = parts->kind;
    keep_part(pkey, parts->n, &pkey->parts.n);
    keep_part(pkey, parts->e, &pkey->parts.e);
    keep_part(pkey, parts->x, &pkey->parts.x);
    keep_part(pkey, parts->y, &pkey->parts.y);
    keep_part(pkey, parts->k, &pkey->parts.k);
    return true;
}

enum assay_status assay_pkey_open(const struct assay_pkey_parts *parts, struct assay_pkey **ret,
                                  struct assay_error *reterr)
{
    const char *fault = fault_of(parts);
    if (fault != NULL) {
        return assay_fail(ASSAY_ERR_SYNTAX, fault, reterr);
    }
    struct assay_pkey *pkey = OPENSSL_zalloc(sizeof(*pkey));
    if (pkey == NULL || !keep(parts, pkey)) {
        assay_pkey_close(pkey);
        return assay_crypto_fail("no memory for a key", reterr);
    }
    enum assay_status status =
        parts->kind == ASSAY_PKEY_SECRET ? ASSAY_OK : make(parts, pkey, reterr);
    if (status != ASSAY_OK) {
        assay_pkey_close(pkey);
        return status;
    }
    pkey->is_private |= parts->kind == ASSAY_PKEY_SECRET;
    *ret = pkey;
    return ASSAY_OK;
}

void assay_pkey_close(struct assay_pkey *pkey)
{
    if (pkey == NULL) {
        return;
    }
    EVP_PKEY_free(pkey->evp);
    if (pkey->bytes != NULL) {
        assay_secret_wipe(pkey->bytes, pkey->len);
    }
    OPENSSL_free(pkey->bytes);
    OPENSSL_free(pkey);
}

/* --- questions --- */

enum assay_pkey_kind assay_pkey_kind(const struct assay_pkey *pkey)
{
    return pkey->parts.kind;
}

bool assay_pkey_is_private(const struct assay_pkey *pkey)
{
    return pkey->is_private;
}

const struct assay_pkey_parts *assay_pkey_parts(const struct assay_pkey *pkey)
{
    return &pkey->parts;
}

bool assay_pkey_equal(const struct assay_pkey *a, const struct assay_pkey *b)
{
    /* One RSA key could be told from another by where n ends and e begins. */
    return a->parts.kind == b->parts.kind && a->parts.n.len == b->parts.n.len &&
           assay_secret_equal(assay_slice_of(a->bytes, a->len), assay_slice_of(b->bytes, b->len));
}
