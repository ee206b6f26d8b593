/* Signing and verifying; the published examples are in test/unit/jose/. */
#include "crypto/sign.h"
#include "crypto/verify.h"

#include "support/check.h"
#include "support/keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

/* Every way of signing with the kind of key that it takes. */
static const struct way {
    enum assay_pkey_kind key;
    struct assay_scheme scheme;
    size_t len;
} ways[] = {
    {ASSAY_PKEY_RSA, {ASSAY_SIGNING_RSA_PKCS1, ASSAY_HASH_SHA256}, 256},
    {ASSAY_PKEY_RSA, {ASSAY_SIGNING_RSA_PKCS1, ASSAY_HASH_SHA384}, 256},
    {ASSAY_PKEY_RSA, {ASSAY_SIGNING_RSA_PKCS1, ASSAY_HASH_SHA512}, 256},
    {ASSAY_PKEY_RSA, {ASSAY_SIGNING_RSA_PSS, ASSAY_HASH_SHA256}, 256},
    {ASSAY_PKEY_RSA, {ASSAY_SIGNING_RSA_PSS, ASSAY_HASH_SHA384}, 256},
    {ASSAY_PKEY_RSA, {ASSAY_SIGNING_RSA_PSS, ASSAY_HASH_SHA512}, 256},
    {ASSAY_PKEY_P256, {ASSAY_SIGNING_ECDSA, ASSAY_HASH_SHA256}, 64},
    {ASSAY_PKEY_P384, {ASSAY_SIGNING_ECDSA, ASSAY_HASH_SHA384}, 96},
    {ASSAY_PKEY_P521, {ASSAY_SIGNING_ECDSA, ASSAY_HASH_SHA512}, 132},
    {ASSAY_PKEY_ED25519, {ASSAY_SIGNING_EDDSA, ASSAY_HASH_OWN}, 64},
    {ASSAY_PKEY_ED448, {ASSAY_SIGNING_EDDSA, ASSAY_HASH_OWN}, 114},
    {ASSAY_PKEY_SECRET, {ASSAY_SIGNING_HMAC, ASSAY_HASH_SHA256}, 32},
    {ASSAY_PKEY_SECRET, {ASSAY_SIGNING_HMAC, ASSAY_HASH_SHA384}, 48},
    {ASSAY_PKEY_SECRET, {ASSAY_SIGNING_HMAC, ASSAY_HASH_SHA512}, 64},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static struct key_numbers keys[KEYS_KINDS];
static struct assay_pkey *pairs[KEYS_KINDS];
static struct assay_pkey *halves[KEYS_KINDS];
static struct assay_error error;
static uint8_t signature[ASSAY_MAX_SIGNATURE + 1];

static int make_keys(void **state)
{
    (void)state;
    for (int kind = 0; kind < KEYS_KINDS; kind++) {
        keys_make((enum assay_pkey_kind)kind, &keys[kind]);
        pairs[kind] = keys_open_private(&keys[kind]);
        halves[kind] = keys_open_public(&keys[kind]);
    }
    return 0;
}

static int close_keys(void **state)
{
    (void)state;
    for (int kind = 0; kind < KEYS_KINDS; kind++) {
        assay_pkey_close(pairs[kind]);
        assay_pkey_close(halves[kind]);
    }
    return 0;
}

static struct assay_verifier *open_verifier(const struct way *way)
{
    struct assay_verifier *verifier = NULL;
    assert_ok(assay_verifier_open(halves[way->key], way->scheme, &verifier, &error), &error);
    return verifier;
}

static struct assay_slice sign(const struct way *way, struct assay_slice message)
{
    struct assay_signer *signer = NULL;
    size_t len = 0;
    assert_ok(assay_signer_open(pairs[way->key], way->scheme, &signer, &error), &error);
    assert_ok(assay_signer_sign(signer, message, signature, &len, &error), &error);
    assay_signer_close(signer);
    assert_int_equal(len, way->len);
    return assay_slice_of(signature, len);
}

static bool is_good(struct assay_verifier *verifier, struct assay_slice message,
                    struct assay_slice signed_as)
{
    bool good = true;
    assert_ok(assay_verifier_check(verifier, message, signed_as, &good, &error), &error);
    return good;
}

static void what_was_signed_verifies_and_nothing_else_does(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("what was signed");
    for (size_t i = 0; i < WAYS; i++) {
        struct assay_verifier *verifier = open_verifier(&ways[i]);
        struct assay_slice good = sign(&ways[i], message);
        /* Again and again, also behind one that was refused. */
        for (int round = 0; round < 3; round++) {
            assert_true(is_good(verifier, message, good));
            assert_false(is_good(verifier, ASSAY_SLICE("what was signeD"), good));
            assert_false(is_good(verifier, (struct assay_slice){0}, good));
            signature[good.len / 2] ^= 1;
            assert_false(is_good(verifier, message, good));
            signature[good.len / 2] ^= 1;
        }
        assert_true(is_good(verifier, message, good));
        assay_verifier_close(verifier);
    }
}

/* A-JWT-12: empty, one byte short or long, and every length in between. */
static void a_signature_has_its_one_length(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    for (size_t i = 0; i < WAYS; i++) {
        struct assay_verifier *verifier = open_verifier(&ways[i]);
        struct assay_slice good = sign(&ways[i], message);
        for (size_t len = 0; len <= sizeof(signature); len++) {
            assert_int_equal(is_good(verifier, message, assay_slice_of(signature, len)),
                             len == good.len);
        }
        assay_verifier_close(verifier);
    }
}

/* A-JWT-12: RSA with leading zero bytes. */
static void an_rsa_signature_behind_a_zero_is_refused(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    for (size_t i = 0; i < 6; i++) {
        struct assay_verifier *verifier = open_verifier(&ways[i]);
        struct assay_slice good = sign(&ways[i], message);
        uint8_t longer[257] = {0};
        memcpy(longer + 1, good.data, 256);
        assert_false(is_good(verifier, message, assay_slice_of(longer, 257)));
        memset(signature, 0xFF, 256); /* above the modulus */
        assert_false(is_good(verifier, message, assay_slice_of(signature, 256)));
        memset(signature, 0, 256);
        assert_false(is_good(verifier, message, assay_slice_of(signature, 256)));
        assay_verifier_close(verifier);
    }
}

/* A-JWT-12: PS for RS, and one hash for another. */
static void one_way_of_signing_is_not_taken_for_another(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    for (size_t i = 0; i < WAYS; i++) {
        struct assay_slice good = sign(&ways[i], message);
        for (size_t j = 0; j < WAYS; j++) {
            struct assay_verifier *verifier = open_verifier(&ways[j]);
            assert_int_equal(is_good(verifier, message, good), i == j);
            assay_verifier_close(verifier);
        }
    }
}

/* A-JWT-12, R7518-3.4-1: r or s 0, n, n + 1 (a second spelling of 1) and all ones. */
static void r_and_s_are_from_1_to_below_the_order(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    for (size_t i = 0; i < WAYS; i++) {
        if (ways[i].scheme.kind != ASSAY_SIGNING_ECDSA) {
            continue;
        }
        struct assay_verifier *verifier = open_verifier(&ways[i]);
        struct assay_slice good = sign(&ways[i], message);
        size_t width = good.len / 2;
        uint8_t saved[132];
        memcpy(saved, signature, good.len);
        for (size_t half = 0; half < 2; half++) {
            for (int fill = 0; fill < 2; fill++) {
                memset(signature + half * width, fill == 0 ? 0 : 0xFF, width);
                assert_false(is_good(verifier, message, good));
                memcpy(signature, saved, good.len);
            }
        }
        memset(signature, 0, good.len);
        assert_false(is_good(verifier, message, good));
        assay_verifier_close(verifier);
    }
}

/* s and n - s are both good by the mathematics; that is no business of a verifier (RFC 7518 says
 * nothing), but s + n is another spelling and refused. P-521 has room for it. */
static void another_spelling_of_s_is_refused(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    const struct way *way = &ways[8];
    struct assay_verifier *verifier = open_verifier(way);
    struct assay_slice good = sign(way, message);
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp521r1);
    BIGNUM *s = BN_bin2bn(good.data + 66, 66, NULL);
    assert_true(is_good(verifier, message, good));
    assert_int_equal(BN_add(s, s, EC_GROUP_get0_order(group)), 1);
    assert_int_equal(BN_bn2binpad(s, signature + 66, 66), 66);
    assert_false(is_good(verifier, message, good));
    assert_int_equal(BN_bn2binpad(EC_GROUP_get0_order(group), signature + 66, 66), 66);
    assert_false(is_good(verifier, message, good));
    BN_free(s);
    EC_GROUP_free(group);
    assay_verifier_close(verifier);
}

/* What is short in r or s is filled up, and DER is never taken: hundreds of signatures have some
 * with leading zeros in either. */
static void ecdsa_signatures_of_every_shape_pass(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    const struct way *way = &ways[6];
    struct assay_verifier *verifier = open_verifier(way);
    struct assay_signer *signer = NULL;
    size_t short_ones = 0;
    assert_ok(assay_signer_open(pairs[way->key], way->scheme, &signer, &error), &error);
    for (int i = 0; i < 1500; i++) {
        size_t len = 0;
        assert_ok(assay_signer_sign(signer, message, signature, &len, &error), &error);
        if (signature[0] == 0 || signature[32] == 0) {
            short_ones++;
            assert_true(is_good(verifier, message, assay_slice_of(signature, len)));
        }
    }
    assert_true(short_ones > 0);
    assay_signer_close(signer);
    assay_verifier_close(verifier);
}

/* R7518-3.4-2, R8725-3.1-1: the curve and its hash, the kind of key and its scheme. */
static void a_key_fits_its_own_schemes_alone(void **state)
{
    (void)state;
    for (int kind = 0; kind < KEYS_KINDS; kind++) {
        for (size_t i = 0; i < WAYS; i++) {
            struct assay_verifier *verifier = NULL;
            enum assay_status status =
                assay_verifier_open(halves[kind], ways[i].scheme, &verifier, &error);
            bool edwards = (kind == ASSAY_PKEY_ED25519 || kind == ASSAY_PKEY_ED448) &&
                           ways[i].scheme.kind == ASSAY_SIGNING_EDDSA;
            bool fits = kind == (int)ways[i].key || edwards;
            assert_int_equal(status, fits ? ASSAY_OK : ASSAY_ERR_SYNTAX);
            assay_verifier_close(verifier);
        }
    }
}

static void a_public_key_cannot_sign(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAYS; i++) {
        struct assay_signer *signer = NULL;
        enum assay_status expected = ways[i].key == ASSAY_PKEY_SECRET ? ASSAY_OK : ASSAY_ERR_SYNTAX;
        assert_int_equal(assay_signer_open(halves[ways[i].key], ways[i].scheme, &signer, &error),
                         expected);
        assay_signer_close(signer);
    }
}

/* R8725-3.5-1, R7518-3.2-1. */
static void a_secret_shorter_than_the_hash_is_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[64] = {1};
    for (size_t i = 11; i < WAYS; i++) {
        for (size_t len = ways[i].len - 1; len <= ways[i].len; len++) {
            struct assay_pkey_parts parts = {.kind = ASSAY_PKEY_SECRET,
                                             .k = assay_slice_of(bytes, len)};
            struct assay_pkey *pkey = NULL;
            struct assay_verifier *verifier = NULL;
            assert_ok(assay_pkey_open(&parts, &pkey, &error), &error);
            assert_int_equal(assay_verifier_open(pkey, ways[i].scheme, &verifier, &error),
                             len < ways[i].len ? ASSAY_ERR_SYNTAX : ASSAY_OK);
            assay_verifier_close(verifier);
            assay_pkey_close(pkey);
        }
    }
}

/* The key may be closed first. */
static void a_verifier_outlives_its_key(void **state)
{
    (void)state;
    struct assay_slice message = ASSAY_SLICE("m");
    for (size_t i = 0; i < WAYS; i++) {
        struct assay_slice good = sign(&ways[i], message);
        struct assay_pkey *pkey = keys_open_public(&keys[ways[i].key]);
        struct assay_verifier *verifier = NULL;
        assert_ok(assay_verifier_open(pkey, ways[i].scheme, &verifier, &error), &error);
        assay_pkey_close(pkey);
        assert_true(is_good(verifier, message, good));
        assay_verifier_close(verifier);
    }
}

/* R7518-3.5-1: a salt of another length than the hash. */
static void a_pss_salt_is_as_long_as_the_hash(void **state)
{
    (void)state;
    static const uint8_t message[] = "m";
    static const int salts[] = {0, 20, 31, 32, 33, RSA_PSS_SALTLEN_MAX};
    struct key_numbers *numbers = &keys[ASSAY_PKEY_RSA];
    struct assay_verifier *verifier = open_verifier(&ways[3]);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(numbers->parts.n.data, (int)numbers->parts.n.len, NULL);
    BIGNUM *e = BN_bin2bn(numbers->parts.e.data, (int)numbers->parts.e.len, NULL);
    BIGNUM *d = BN_bin2bn(numbers->parts.d.data, (int)numbers->parts.d.len, NULL);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_D, d);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *evp = NULL;
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &evp, EVP_PKEY_KEYPAIR, params), 1);
    for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
        size_t len = sizeof(signature);
        EVP_PKEY_CTX *of = NULL;
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestSignInit_ex(md, &of, "SHA256", NULL, NULL, evp, NULL), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(of, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(of, salts[i]), 1);
        assert_int_equal(EVP_DigestSign(md, signature, &len, message, 1), 1);
        assert_int_equal(
            is_good(verifier, assay_slice_of(message, 1), assay_slice_of(signature, len)),
            salts[i] == 32);
        EVP_MD_CTX_free(md);
    }
    EVP_PKEY_free(evp);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    BN_free(d);
    assay_verifier_close(verifier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_signed_verifies_and_nothing_else_does),
        cmocka_unit_test(a_signature_has_its_one_length),
        cmocka_unit_test(an_rsa_signature_behind_a_zero_is_refused),
        cmocka_unit_test(one_way_of_signing_is_not_taken_for_another),
        cmocka_unit_test(r_and_s_are_from_1_to_below_the_order),
        cmocka_unit_test(another_spelling_of_s_is_refused),
        cmocka_unit_test(ecdsa_signatures_of_every_shape_pass),
        cmocka_unit_test(a_key_fits_its_own_schemes_alone),
        cmocka_unit_test(a_public_key_cannot_sign),
        cmocka_unit_test(a_secret_shorter_than_the_hash_is_refused),
        cmocka_unit_test(a_verifier_outlives_its_key),
        cmocka_unit_test(a_pss_salt_is_as_long_as_the_hash),
    };
    return cmocka_run_group_tests(tests, make_keys, close_keys);
}
