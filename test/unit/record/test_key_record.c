#include "record/key_record.h"
#include "support/check.h"
#include "support/stored.h"

static const struct assay_slice key = {(const uint8_t *)"\x07", 1};

static struct assay_slice write_sample(uint8_t out[ASSAY_KEY_RECORD_LEN])
{
    struct assay_key_record record = {.generation = 7, .created_at_s = 1700000000};
    memset(record.key, 0xAB, sizeof(record.key));
    assay_key_record_write(&record, out);
    return assay_slice_of(out, ASSAY_KEY_RECORD_LEN);
}

/* docs/record-format.md, byte by byte; and back. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t out[ASSAY_KEY_RECORD_LEN];
    uint8_t expected[ASSAY_KEY_RECORD_LEN];
    struct assay_key_record read;
    struct assay_slice hex =
        stored_hex("01 000000006553f100"
                   "abababababababababababababababababababababababababababababababab"
                   "00000000000000000000000000000000000000 00000000",
                   expected, sizeof(expected));
    stored_seal(key, expected, hex.len);
    assert_slice_equal(write_sample(out), hex);
    assert_int_equal(assay_key_record_parse(7, hex, &read, NULL), ASSAY_OK);
    assert_int_equal(read.generation, 7);
    assert_int_equal(read.created_at_s, 1700000000);
    assert_memory_equal(read.key, out + 9, ASSAY_SEAL_KEY_LEN);
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_key_record record;
    (void)context;
    return assay_key_record_parse(7, bytes, &record, NULL);
}

/* F-28: a key with a flipped bit would seal addresses that no other process opens. */
static void a_damaged_key_is_refused(void **state)
{
    (void)state;
    uint8_t out[ASSAY_KEY_RECORD_LEN];
    struct assay_key_record read;
    struct assay_slice bytes = write_sample(out);
    stored_check(key, bytes, parse, NULL);
    assert_int_equal(assay_key_record_parse(8, bytes, &read, NULL), ASSAY_ERR_CORRUPT);
    out[50] = 1; /* among the zeros */
    stored_seal(key, out, sizeof(out));
    assert_int_equal(parse(bytes, NULL), ASSAY_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_damaged_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
