#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/seal.h"
#include "support/check.h"

static void expect_sha256(struct assay_digester *digester, struct assay_slice text,
                          const uint8_t expected[ASSAY_SHA256_LEN])
{
    uint8_t digest[ASSAY_SHA256_LEN];
    struct assay_error error = {0};
    assert_ok(assay_sha256(digester, text, digest, &error), &error);
    assert_memory_equal(digest, expected, sizeof(digest));
}

/* FIPS 180-4, its examples, in turns: a context is used again and again and remembers nothing. */
static void sha256_gives_the_published_digest_each_time(void **state)
{
    (void)state;
    static const uint8_t of_abc[ASSAY_SHA256_LEN] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    static const uint8_t of_nothing[ASSAY_SHA256_LEN] = {
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4,
        0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b,
        0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    static const uint8_t of_million[ASSAY_SHA256_LEN] = {
        0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92, 0x81, 0xa1, 0xc7,
        0xe2, 0x84, 0xd7, 0x3e, 0x67, 0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97,
        0x20, 0x0e, 0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0};
    static uint8_t million[1000000];
    struct assay_error error = {0};
    struct assay_digester *digester = NULL;
    memset(million, 'a', sizeof(million));
    assert_ok(assay_digester_open(&digester, &error), &error);
    for (int i = 0; i < 2; i++) {
        expect_sha256(digester, ASSAY_SLICE("abc"), of_abc);
        expect_sha256(digester, (struct assay_slice){0}, of_nothing);
        expect_sha256(digester, assay_slice_of(million, sizeof(million)), of_million);
    }
    assay_digester_close(digester);
    assay_digester_close(NULL);
}

/* RFC 3720 appendix B.4. */
static void crc32c_gives_the_published_values(void **state)
{
    (void)state;
    uint8_t zeros[32] = {0};
    assert_int_equal(assay_crc32c(0, assay_slice_of(zeros, 32)), 0x8A9136AA);
    assert_int_equal(assay_crc32c(0, ASSAY_SLICE("123456789")), 0xE3069283);
    assert_int_equal(assay_crc32c(assay_crc32c(0, ASSAY_SLICE("1234")), ASSAY_SLICE("56789")),
                     0xE3069283);
}

static void expect_hmac(struct assay_slice text, const uint8_t expected[ASSAY_SHA256_LEN])
{
    uint8_t mac[ASSAY_SHA256_LEN];
    struct assay_error error = {0};
    assert_ok(assay_hmac_sha256(ASSAY_SLICE("Jefe"), text, mac, &error), &error);
    assert_memory_equal(mac, expected, sizeof(mac));
}

/* RFC 4231 section 4.3; the second, of nothing, computed with Python's hmac. */
static void hmac_gives_the_published_value(void **state)
{
    (void)state;
    static const uint8_t published[ASSAY_SHA256_LEN] = {
        0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24,
        0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27,
        0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    static const uint8_t of_nothing[ASSAY_SHA256_LEN] = {
        0x92, 0x35, 0x98, 0xca, 0x6d, 0x64, 0xaf, 0x2a, 0x5d, 0xba, 0x79,
        0xdc, 0xd0, 0x21, 0xa8, 0xa0, 0xfe, 0x5c, 0x5f, 0x55, 0x75, 0x19,
        0xad, 0xaa, 0xf0, 0xad, 0x53, 0x2d, 0x45, 0x06, 0xdd, 0x30};
    expect_hmac(ASSAY_SLICE("what do ya want for nothing?"), published);
    expect_hmac((struct assay_slice){0}, of_nothing);
}

/* FIPS 197 appendix C.3. */
static void a_block_seals_as_published_and_opens_again(void **state)
{
    (void)state;
    struct assay_error error = {0};
    uint8_t key[ASSAY_SEAL_KEY_LEN];
    uint8_t block[ASSAY_SEAL_BLOCK_LEN];
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] = (uint8_t)(i * 0x11);
    }
    struct assay_seal *seal = NULL;
    assert_ok(assay_seal_open(key, &seal, &error), &error);
    static const uint8_t expected[ASSAY_SEAL_BLOCK_LEN] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67,
                                                           0x45, 0xbf, 0xea, 0xfc, 0x49, 0x90,
                                                           0x4b, 0x49, 0x60, 0x89};
    for (int i = 0; i < 2; i++) {
        uint8_t sealed[ASSAY_SEAL_BLOCK_LEN];
        uint8_t opened[ASSAY_SEAL_BLOCK_LEN];
        assert_ok(assay_seal_encrypt(seal, block, sealed, &error), &error);
        assert_memory_equal(sealed, expected, sizeof(expected));
        assert_ok(assay_seal_decrypt(seal, sealed, opened, &error), &error);
        assert_memory_equal(opened, block, sizeof(block));
    }
    assert_ok(assay_seal_encrypt(seal, block, block, &error), &error);
    assert_memory_equal(block, expected, sizeof(block));
    assay_seal_close(seal);
    assay_seal_close(NULL);
}

static void another_key_opens_a_block_to_something_else(void **state)
{
    (void)state;
    struct assay_error error = {0};
    uint8_t key[ASSAY_SEAL_KEY_LEN] = {0};
    uint8_t block[ASSAY_SEAL_BLOCK_LEN] = {0};
    uint8_t opened[ASSAY_SEAL_BLOCK_LEN];
    struct assay_seal *one = NULL;
    struct assay_seal *other = NULL;
    assert_ok(assay_seal_open(key, &one, &error), &error);
    key[31] = 1;
    assert_ok(assay_seal_open(key, &other, &error), &error);
    assert_ok(assay_seal_encrypt(one, block, opened, &error), &error);
    assert_ok(assay_seal_decrypt(other, opened, opened, &error), &error);
    assert_memory_not_equal(opened, block, sizeof(block));
    assay_seal_close(one);
    assay_seal_close(other);
}

/* Computed with Python's hashlib.scrypt, n = 32768, r = 8, p = 1. */
static void scrypt_gives_what_another_implementation_gives(void **state)
{
    (void)state;
    static const uint8_t salt[ASSAY_SCRYPT_SALT_LEN] = {1};
    static const uint8_t expected[ASSAY_SCRYPT_LEN] = {
        0xc4, 0x47, 0x09, 0xe0, 0x85, 0xd7, 0xb0, 0x9e, 0xd4, 0xd1, 0x98,
        0xc4, 0x2f, 0x84, 0x65, 0xb2, 0x97, 0xd6, 0x5c, 0xc7, 0x92, 0x9c,
        0xa1, 0xab, 0xbb, 0x97, 0x45, 0x60, 0xc8, 0x7d, 0x5f, 0xcf};
    uint8_t derived[ASSAY_SCRYPT_LEN];
    struct assay_error error = {0};
    assert_ok(assay_scrypt(ASSAY_SLICE("secret"), salt, derived, &error), &error);
    assert_memory_equal(derived, expected, sizeof(derived));
}

/* A-AUTH-09: scrypt takes secrets of any length whole; a hash that stops at 72 bytes would not. */
static void scrypt_reads_a_long_secret_to_its_end(void **state)
{
    (void)state;
    static const uint8_t salt[ASSAY_SCRYPT_SALT_LEN] = {1};
    uint8_t secret[1024];
    uint8_t a[ASSAY_SCRYPT_LEN];
    uint8_t b[ASSAY_SCRYPT_LEN];
    struct assay_error error = {0};
    memset(secret, 's', sizeof(secret));
    assert_ok(assay_scrypt(assay_slice_of(secret, 1024), salt, a, &error), &error);
    assert_ok(assay_scrypt(assay_slice_of(secret, 1023), salt, b, &error), &error);
    assert_memory_not_equal(a, b, sizeof(a));
    secret[1023] = 'S';
    assert_ok(assay_scrypt(assay_slice_of(secret, 1024), salt, b, &error), &error);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void scrypt_tells_secrets_and_salts_apart(void **state)
{
    (void)state;
    struct assay_error error = {0};
    uint8_t salt[ASSAY_SCRYPT_SALT_LEN] = {1};
    uint8_t a[ASSAY_SCRYPT_LEN];
    uint8_t b[ASSAY_SCRYPT_LEN];
    assert_ok(assay_scrypt(ASSAY_SLICE("secret"), salt, a, &error), &error);
    assert_ok(assay_scrypt(ASSAY_SLICE("secret"), salt, b, &error), &error);
    assert_memory_equal(a, b, sizeof(a));
    assert_ok(assay_scrypt(ASSAY_SLICE("secreT"), salt, b, &error), &error);
    assert_memory_not_equal(a, b, sizeof(a));
    salt[0] = 2;
    assert_ok(assay_scrypt(ASSAY_SLICE("secret"), salt, b, &error), &error);
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digest_each_time),
        cmocka_unit_test(crc32c_gives_the_published_values),
        cmocka_unit_test(hmac_gives_the_published_value),
        cmocka_unit_test(a_block_seals_as_published_and_opens_again),
        cmocka_unit_test(another_key_opens_a_block_to_something_else),
        cmocka_unit_test(scrypt_gives_what_another_implementation_gives),
        cmocka_unit_test(scrypt_reads_a_long_secret_to_its_end),
        cmocka_unit_test(scrypt_tells_secrets_and_salts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
