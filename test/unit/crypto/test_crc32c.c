/* Both ways of computing it, the processor's and the portable one: the file is taken in whole,
 * since on any one machine just one of them can be called. */
#include "../../../src/crypto/crc32c.c"

#include "support/check.h"

/* The definition, a bit at a time. */
static uint32_t by_definition(uint32_t crc, struct assay_slice s)
{
    crc = ~crc;
    for (size_t i = 0; i < s.len; i++) {
        crc ^= s.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0x82F63B78U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static uint8_t bytes[64];

static int make_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    return 0;
}

static void the_portable_way_is_the_definition_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        assert_int_equal(~crc_portable(~0U, bytes, len),
                         by_definition(0, assay_slice_of(bytes, len)));
    }
}

static void the_processor_agrees_at_every_length_and_alignment(void **state)
{
    (void)state;
    if (!has_hardware()) {
        skip();
    }
    for (size_t from = 0; from < 8; from++) {
        for (size_t len = 0; from + len <= sizeof(bytes); len++) {
            assert_int_equal(~crc_hardware(~0U, bytes + from, len),
                             by_definition(0, assay_slice_of(bytes + from, len)));
        }
    }
}

static void parts_continue_each_other(void **state)
{
    (void)state;
    uint32_t whole = assay_crc32c(0, assay_slice_of(bytes, sizeof(bytes)));
    for (size_t at = 0; at <= sizeof(bytes); at++) {
        uint32_t first = assay_crc32c(0, assay_slice_of(bytes, at));
        assert_int_equal(assay_crc32c(first, assay_slice_of(bytes + at, sizeof(bytes) - at)),
                         whole);
    }
}

/* What a token's checksum is for: one wrong bit, one wrong byte, two neighbours exchanged. */
static void each_slip_of_one_byte_is_seen(void **state)
{
    (void)state;
    uint32_t right = assay_crc32c(0, assay_slice_of(bytes, 38));
    for (size_t at = 0; at < 38; at++) {
        for (unsigned wrong = 1; wrong < 256; wrong++) {
            bytes[at] ^= (uint8_t)wrong;
            assert_int_not_equal(assay_crc32c(0, assay_slice_of(bytes, 38)), right);
            bytes[at] ^= (uint8_t)wrong;
        }
    }
    for (size_t at = 0; at + 1 < 38; at++) {
        uint8_t swapped[38];
        memcpy(swapped, bytes, 38);
        swapped[at] = bytes[at + 1];
        swapped[at + 1] = bytes[at];
        assert_int_not_equal(assay_crc32c(0, assay_slice_of(swapped, 38)), right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_portable_way_is_the_definition_at_every_length),
        cmocka_unit_test(the_processor_agrees_at_every_length_and_alignment),
        cmocka_unit_test(parts_continue_each_other),
        cmocka_unit_test(each_slip_of_one_byte_is_seen),
    };
    return cmocka_run_group_tests(tests, make_bytes, NULL);
}
