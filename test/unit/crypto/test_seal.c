#include "crypto/seal.h"
#include "support/check.h"
#include "support/stored.h"

static struct assay_seal *open_hex(const char *hex)
{
    uint8_t key[ASSAY_SEAL_KEY_LEN];
    struct assay_seal *seal = NULL;
    struct assay_error error = {0};
    assert_int_equal(stored_hex(hex, key, sizeof(key)).len, ASSAY_SEAL_KEY_LEN);
    assert_ok(assay_seal_open(key, &seal, &error), &error);
    return seal;
}

/* FIPS 197 appendix C.3, and SP 800-38A appendix F.1.5. */
static void blocks_are_those_of_the_standard(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *plain;
        const char *sealed;
    } vectors[] = {
        {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
         "00112233445566778899aabbccddeeff", "8ea2b7ca516745bfeafc49904b496089"},
        {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
         "6bc1bee22e409f96e93d7e117393172a", "f3eed1bdb5d2a03c064b5a7e3db181f8"},
        {"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
         "ae2d8a571e03ac9c9eb76fac45af8e51", "591ccb10d410ed26dc5ba74a31362870"},
    };
    for (size_t i = 0; i < 3; i++) {
        uint8_t plain[16];
        uint8_t expected[16];
        uint8_t block[16];
        struct assay_seal *seal = open_hex(vectors[i].key);
        (void)stored_hex(vectors[i].plain, plain, sizeof(plain));
        (void)stored_hex(vectors[i].sealed, expected, sizeof(expected));
        for (int round = 0; round < 3; round++) { /* the context is ready for the next */
            assert_int_equal(assay_seal_encrypt(seal, plain, block, NULL), ASSAY_OK);
            assert_memory_equal(block, expected, 16);
            assert_int_equal(assay_seal_decrypt(seal, block, block, NULL), ASSAY_OK);
            assert_memory_equal(block, plain, 16);
        }
        assay_seal_close(seal);
    }
}

/* In place as well as apart. */
static void a_block_is_sealed_in_place(void **state)
{
    (void)state;
    struct assay_seal *seal =
        open_hex("0000000000000000000000000000000000000000000000000000000000000001");
    uint8_t block[16] = {1, 2, 3};
    const uint8_t plain[16] = {1, 2, 3};
    assert_int_equal(assay_seal_encrypt(seal, block, block, NULL), ASSAY_OK);
    assert_memory_not_equal(block, plain, 16);
    assert_int_equal(assay_seal_decrypt(seal, block, block, NULL), ASSAY_OK);
    assert_memory_equal(block, plain, 16);
    assay_seal_close(seal);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    assay_seal_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_those_of_the_standard),
        cmocka_unit_test(a_block_is_sealed_in_place),
        cmocka_unit_test(closing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
