#include "crypto/pmac.h"
#include "support/check.h"
#include "support/stored.h"

#include <string.h>

static struct assay_pmac *pmac;
static uint8_t key[ASSAY_PMAC_KEY_LEN];

/* The key of the published vectors. */
static int open_pmac(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)i;
    }
    assert_int_equal(assay_pmac_open(key, &pmac, NULL), ASSAY_OK);
    return 0;
}

static int close_pmac(void **state)
{
    (void)state;
    assay_pmac_close(pmac);
    return 0;
}

static void make(const uint8_t *text, size_t len, size_t cut, uint8_t code[ASSAY_PMAC_LEN])
{
    assert_int_equal(assay_pmac_make(pmac, assay_slice_of(text, cut),
                                     assay_slice_of(text + cut, len - cut), code, NULL),
                     ASSAY_OK);
}

/* The vectors PMAC-AES-128 of its authors: bytes that count up from 0, and a thousand zeros. */
static void codes_are_those_that_were_published(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *code;
    } vectors[] = {
        {0, "4399572cd6ea5341b8d35876a7098af7"},    {3, "256ba5193c1b991b4df0c51f388a9e27"},
        {16, "ebbd822fa458daf6dfdad7c27da76338"},   {20, "0412ca150bbf79058d8c75a58c993f55"},
        {32, "e97ac04e9e5e3399ce5355cd7407bc75"},   {34, "5cba7d5eb24f7c86ccc54604e53d5512"},
        {1000, "c2c9fa1d9985f6f0d2aff915a0e8d910"},
    };
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t text[1000] = {0};
        uint8_t expected[ASSAY_PMAC_LEN];
        uint8_t code[ASSAY_PMAC_LEN];
        for (size_t at = 0; at < 34 && vectors[i].len < 1000; at++) {
            text[at] = (uint8_t)at;
        }
        (void)stored_hex(vectors[i].code, expected, sizeof(expected));
        make(text, vectors[i].len, 0, code);
        assert_memory_equal(code, expected, sizeof(code));
    }
}

/* Texts as long as tokens are, and as long as any: computed from the definition by another program.
 */
static void codes_are_those_of_the_definition(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *code;
    } vectors[] = {
        {97, "1e641c386ba4258dc914b637202c2c1c"},
        {255, "fbf6b0d1f633ba785113150fe6484ff8"},
        {256, "cfa4c1b9e40ca7abfec3ae4c36a5cb26"},
        {257, "67808cce786d040e0c5f65831463220b"},
        {8191, "70f0ec44b23d52bc14484c503a404293"},
        {ASSAY_PMAC_MAX, "a0555faf37d34a6e4ef1479dae25c29e"},
    };
    static uint8_t text[ASSAY_PMAC_MAX];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint8_t expected[ASSAY_PMAC_LEN];
        uint8_t code[ASSAY_PMAC_LEN];
        (void)stored_hex(vectors[i].code, expected, sizeof(expected));
        make(text, vectors[i].len, 32, code);
        assert_memory_equal(code, expected, sizeof(code));
    }
}

/* Texts of up to a hundred blocks which differ in the order of their blocks, or in a zero at their
 * end: each block is masked by its place. */
static void order_and_length_count(void **state)
{
    (void)state;
    uint8_t text[1600] = {0};
    uint8_t before[ASSAY_PMAC_LEN];
    uint8_t code[ASSAY_PMAC_LEN];
    make(text, 0, 0, before);
    for (size_t len = 1; len <= sizeof(text); len++) {
        make(text, len, 0, code);
        assert_memory_not_equal(code, before, sizeof(code));
        memcpy(before, code, sizeof(before));
    }
    for (size_t at = 0; at + 1 < 99; at++) {
        memset(text, 0, sizeof(text));
        text[16 * at] = 1;
        make(text, sizeof(text), 0, before);
        text[16 * at] = 0;
        text[16 * at + 16] = 1;
        make(text, sizeof(text), 0, code);
        assert_memory_not_equal(code, before, sizeof(code));
    }
}

static void it_does_not_matter_where_a_text_is_cut_in_two(void **state)
{
    (void)state;
    uint8_t text[100];
    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t len = 0; len <= sizeof(text); len++) {
        uint8_t expected[ASSAY_PMAC_LEN];
        make(text, len, 0, expected);
        for (size_t cut = 1; cut <= len; cut++) {
            uint8_t code[ASSAY_PMAC_LEN];
            make(text, len, cut, code);
            assert_memory_equal(code, expected, sizeof(code));
        }
    }
}

static void a_text_has_a_largest_length(void **state)
{
    (void)state;
    static const uint8_t text[ASSAY_PMAC_MAX + 1];
    uint8_t code[ASSAY_PMAC_LEN];
    make(text, ASSAY_PMAC_MAX, 32, code);
    assert_int_equal(assay_pmac_make(pmac, assay_slice_of(text, 32),
                                     assay_slice_of(text, ASSAY_PMAC_MAX - 31), code, NULL),
                     ASSAY_ERR_LIMIT);
    assert_int_equal(assay_pmac_make(pmac, assay_slice_of(text, ASSAY_PMAC_MAX + 1),
                                     (struct assay_slice){0}, code, NULL),
                     ASSAY_ERR_LIMIT);
}

static void another_key_makes_another_code(void **state)
{
    (void)state;
    struct assay_pmac *other = NULL;
    uint8_t a[ASSAY_PMAC_LEN];
    uint8_t b[ASSAY_PMAC_LEN];
    key[15] ^= 1;
    assert_int_equal(assay_pmac_open(key, &other, NULL), ASSAY_OK);
    assert_int_equal(assay_pmac_make(pmac, ASSAY_SLICE("scope"), ASSAY_SLICE("token"), a, NULL),
                     ASSAY_OK);
    assert_int_equal(assay_pmac_make(other, ASSAY_SLICE("scope"), ASSAY_SLICE("token"), b, NULL),
                     ASSAY_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assay_pmac_close(other);
}

#define WITH_PMAC(test) cmocka_unit_test_setup_teardown(test, open_pmac, close_pmac)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PMAC(codes_are_those_that_were_published),
        WITH_PMAC(codes_are_those_of_the_definition),
        WITH_PMAC(order_and_length_count),
        WITH_PMAC(it_does_not_matter_where_a_text_is_cut_in_two),
        WITH_PMAC(a_text_has_a_largest_length),
        WITH_PMAC(another_key_makes_another_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
