#include "record/header_record.h"
#include "support/check.h"
#include "support/stored.h"

#include <stdio.h>

static struct assay_header_record sample(void)
{
    return (struct assay_header_record){
        .log = {0xA0, 0xA1},
        .seq = 1,
        .newest_cutoff = {2, 3, 4, 5, 6, 7, 8},
        .clients_seq = 9,
        .keys_seq = 10,
        .newest_generation = 11,
        .events_from = 12,
        .longest_lifetime_s = 13,
        .latest_expiry_s = 14,
        .horizon_s = 15,
        .hold_until_s = 16,
        .stepped_until_s = 17,
        .kept_until_s = 18,
        .clock_s = 19,
        .steady_s = 20,
        .steady_id = {0xB0, 0xB1},
        .snapshot = 21,
        .vital_count = 22,
        .vital_digest = 23,
    };
}

/* docs/record-format.md, byte by byte; and back. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    char text[1024] = "01 a0a10000000000000000000000000000";
    uint8_t expected[ASSAY_HEADER_LEN];
    uint8_t out[ASSAY_HEADER_LEN];
    struct assay_header_record was = sample();
    struct assay_header_record is;
    for (unsigned i = 1; i <= 20; i++) {
        char number[20];
        snprintf(number, sizeof(number), "%016x", i);
        strcat(text, number);
    }
    strcat(text, "b0b10000000000000000000000000000");
    strcat(text, "0000000000000015 0000000000000016 0000000000000017 00000000");
    struct assay_slice hex = stored_hex(text, expected, sizeof(expected));
    assert_int_equal(hex.len, ASSAY_HEADER_LEN);
    stored_seal(ASSAY_SLICE("header"), expected, sizeof(expected));
    assay_header_write(&was, out);
    assert_slice_equal(assay_slice_of(out, sizeof(out)), hex);
    assert_int_equal(assay_header_parse(hex, &is, NULL), ASSAY_OK);
    uint8_t again[ASSAY_HEADER_LEN];
    assay_header_write(&is, again);
    assert_memory_equal(again, out, sizeof(out));
    assert_int_equal(is.newest_cutoff[ASSAY_CUTOFF_EVERYTHING], 8);
    assert_int_equal(is.steady_s, 20);
    assert_int_equal(is.vital_digest, 23);
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_header_record header;
    (void)context;
    return assay_header_parse(bytes, &header, NULL);
}

/* F-28 */
static void a_damaged_header_is_refused(void **state)
{
    (void)state;
    uint8_t out[ASSAY_HEADER_LEN];
    struct assay_header_record header = sample();
    assay_header_write(&header, out);
    stored_check(ASSAY_SLICE("header"), assay_slice_of(out, sizeof(out)), parse, NULL);
}

/* F-12: a newer format says so, whatever its check will be. */
static void a_header_of_a_newer_version_is_called_by_its_name(void **state)
{
    (void)state;
    uint8_t out[ASSAY_HEADER_LEN];
    struct assay_header_record header = sample();
    struct assay_error error = {0};
    assay_header_write(&header, out);
    out[0] = 2;
    assert_int_equal(assay_header_parse(assay_slice_of(out, sizeof(out)), &header, &error),
                     ASSAY_ERR_CORRUPT);
    assert_non_null(strstr(error.what, "newer version of assay"));
    out[0] = 0;
    assert_int_equal(assay_header_parse(assay_slice_of(out, sizeof(out)), &header, &error),
                     ASSAY_ERR_CORRUPT);
    assert_null(strstr(error.what, "newer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_damaged_header_is_refused),
        cmocka_unit_test(a_header_of_a_newer_version_is_called_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
