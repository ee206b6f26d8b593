#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/seal.h"
#include "support/check.h"

/* FIPS 180-4 appendix: "abc"; twice, since a context is used again and again. */
static void sha256_gives_the_published_digest_each_time(void **state)
{
    (void)state;
    struct assay_error error = {0};
    struct assay_digester *digester = NULL;
    assert_ok(assay_digester_open(&digester, &error), &error);
    static const uint8_t expected[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    for (int i = 0; i < 2; i++) {
        uint8_t digest[ASSAY_SHA256_LEN];
        assert_ok(assay_sha256(digester, ASSAY_SLICE("abc"), digest, &error), &error);
        assert_memory_equal(digest, expected, sizeof(expected));
    }
    assay_digester_close(digester);
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

/* RFC 4231 section 4.3. */
static void hmac_gives_the_published_value(void **state)
{
    (void)state;
    uint8_t mac[ASSAY_SHA256_LEN];
    struct assay_error error = {0};
    assert_ok(assay_hmac_sha256(ASSAY_SLICE("Jefe"), ASSAY_SLICE("what do ya want for nothing?"),
                                mac, &error),
              &error);
    static const uint8_t expected[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e};
    assert_memory_equal(mac, expected, sizeof(expected));
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
    static const uint8_t expected[] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf};
    for (int i = 0; i < 2; i++) {
        uint8_t sealed[ASSAY_SEAL_BLOCK_LEN];
        uint8_t opened[ASSAY_SEAL_BLOCK_LEN];
        assert_ok(assay_seal_encrypt(seal, block, sealed, &error), &error);
        assert_memory_equal(sealed, expected, sizeof(expected));
        assert_ok(assay_seal_decrypt(seal, sealed, opened, &error), &error);
        assert_memory_equal(opened, block, sizeof(block));
    }
    assay_seal_close(seal);
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
        cmocka_unit_test(scrypt_tells_secrets_and_salts_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
