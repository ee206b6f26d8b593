#include "record/once_record.h"
#include "support/check.h"
#include "support/stored.h"

static const uint8_t id_bytes[ASSAY_SHA256_LEN] = {1, 2, 3};
static const struct assay_slice id = {id_bytes, ASSAY_SHA256_LEN};

static struct assay_slice write_sample(uint8_t out[ASSAY_ONCE_LEN])
{
    struct assay_once_record record = {.id_sha256 = {1, 2, 3}, .keep_until_s = 1700000000};
    assay_once_record_write(&record, out);
    return assay_slice_of(out, ASSAY_ONCE_LEN);
}

/* docs/record-format.md, byte by byte; and back. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t out[ASSAY_ONCE_LEN];
    uint8_t expected[ASSAY_ONCE_LEN];
    struct assay_once_record read;
    struct assay_slice hex = stored_hex("01 000000006553f100 00000000", expected, sizeof(expected));
    stored_seal(id, expected, hex.len);
    assert_slice_equal(write_sample(out), hex);
    assert_int_equal(assay_once_record_parse(id, hex, &read, NULL), ASSAY_OK);
    assert_int_equal(read.keep_until_s, 1700000000);
    assert_memory_equal(read.id_sha256, id_bytes, sizeof(id_bytes));
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_once_record record;
    (void)context;
    return assay_once_record_parse(id, bytes, &record, NULL);
}

/* F-28 */
static void a_damaged_id_is_refused(void **state)
{
    (void)state;
    uint8_t out[ASSAY_ONCE_LEN];
    struct assay_once_record read;
    struct assay_slice bytes = write_sample(out);
    stored_check(id, bytes, parse, NULL);
    struct assay_slice shorter = assay_slice_head(id, ASSAY_SHA256_LEN - 1);
    stored_seal(shorter, out, sizeof(out));
    assert_int_equal(assay_once_record_parse(shorter, bytes, &read, NULL), ASSAY_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_damaged_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
