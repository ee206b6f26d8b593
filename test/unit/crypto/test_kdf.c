#include "crypto/kdf.h"
#include "support/check.h"
#include "support/stored.h"

/* No vector of RFC 7914 has N = 2^15, r = 8, p = 1 with a salt of 16 bytes; these come from another
 * implementation (Python's hashlib.scrypt). */
static void scrypt_agrees_with_another_implementation(void **state)
{
    (void)state;
    static const struct {
        const char *secret;
        const char *salt;
        const char *expected;
    } vectors[] = {
        {"pleaseletmein", "536f6469756d43686c6f726964652121",
         "258281b8b0d07a3756f753a80150a2191f5f3bb88a9c6f132cc6c976b83074f7"},
        {"", "00000000000000000000000000000000",
         "2b89a64cf5271142e00236ebd886413e02d879612eaa837ac18d677204157fa1"},
        {"correct horse battery staple", "000102030405060708090a0b0c0d0e0f",
         "7a8e34241db898d59175c696538c417467a975ffe569068425f16188d3159c58"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t salt[ASSAY_SCRYPT_SALT_LEN];
        uint8_t expected[ASSAY_SCRYPT_LEN];
        uint8_t out[ASSAY_SCRYPT_LEN];
        struct assay_error error = {0};
        (void)stored_hex(vectors[i].salt, salt, sizeof(salt));
        (void)stored_hex(vectors[i].expected, expected, sizeof(expected));
        assert_ok(assay_scrypt(assay_slice_of_text(vectors[i].secret), salt, out, &error), &error);
        assert_memory_equal(out, expected, sizeof(out));
    }
}

/* A secret may hold any byte, and none at all is a secret, too. */
static void a_secret_is_bytes(void **state)
{
    (void)state;
    const uint8_t salt[ASSAY_SCRYPT_SALT_LEN] = {7};
    uint8_t whole[ASSAY_SCRYPT_LEN];
    uint8_t cut[ASSAY_SCRYPT_LEN];
    uint8_t empty[ASSAY_SCRYPT_LEN];
    assert_int_equal(assay_scrypt(assay_slice_of("a\0b", 3), salt, whole, NULL), ASSAY_OK);
    assert_int_equal(assay_scrypt(assay_slice_of("a", 1), salt, cut, NULL), ASSAY_OK);
    assert_int_equal(assay_scrypt((struct assay_slice){0}, salt, empty, NULL), ASSAY_OK);
    assert_memory_not_equal(whole, cut, sizeof(cut));
    assert_memory_not_equal(empty, cut, sizeof(cut));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scrypt_agrees_with_another_implementation),
        cmocka_unit_test(a_secret_is_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
