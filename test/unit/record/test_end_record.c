#include "record/end_record.h"
#include "support/check.h"
#include "support/stored.h"

static struct assay_end_record sample(void)
{
    return (struct assay_end_record){.kind = ASSAY_END_CUTOFF,
                                     .until_s = 1700000000,
                                     .seq = 258,
                                     .detail = ASSAY_SLICE("\x03"
                                                           "alice")};
}

static struct assay_slice write_to(const struct assay_end_record *record, uint8_t *out)
{
    struct assay_error error = {0};
    size_t len = 0;
    assert_ok(assay_end_record_write(record, out, ASSAY_END_VALUE_SIZE, &len, &error), &error);
    return assay_slice_of(out, len);
}

/* docs/record-format.md, byte by byte; and back. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t key[ASSAY_END_KEY_LEN];
    uint8_t expected_key[ASSAY_END_KEY_LEN];
    uint8_t out[ASSAY_END_VALUE_SIZE];
    uint8_t expected[ASSAY_END_VALUE_SIZE];
    struct assay_end_record was = sample();
    struct assay_end_record is;
    assay_end_key(&was, key);
    struct assay_slice name = assay_slice_of(key, sizeof(key));
    assert_slice_equal(name, stored_hex("63 000000006553f100 0000000000000102", expected_key,
                                        sizeof(expected_key)));
    struct assay_slice hex = stored_hex("01 06 03616c696365 00000000", expected, sizeof(expected));
    stored_seal(name, expected, hex.len);
    assert_slice_equal(write_to(&was, out), hex);
    assert_int_equal(assay_end_record_parse(name, hex, &is, NULL), ASSAY_OK);
    assert_int_equal(is.kind, ASSAY_END_CUTOFF);
    assert_int_equal(is.until_s, was.until_s);
    assert_int_equal(is.seq, was.seq);
    assert_slice_equal(is.detail, was.detail);
}

/* Keys of one kind lie in order of their time, then of their number. */
static void keys_lie_in_order_of_time(void **state)
{
    (void)state;
    static const struct {
        int64_t until_s;
        uint64_t seq;
    } order[] = {{0, 1}, {1, 0}, {255, 9}, {256, 1}, {256, 2}, {INT64_C(1) << 32, 0}};
    for (size_t i = 0; i + 1 < sizeof(order) / sizeof(order[0]); i++) {
        uint8_t a[ASSAY_END_KEY_LEN];
        uint8_t b[ASSAY_END_KEY_LEN];
        struct assay_end_record first = {ASSAY_END_SALT, order[i].until_s, order[i].seq, {0}};
        struct assay_end_record second = {
            ASSAY_END_SALT, order[i + 1].until_s, order[i + 1].seq, {0}};
        assay_end_key(&first, a);
        assay_end_key(&second, b);
        assert_true(memcmp(a, b, sizeof(a)) < 0);
    }
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_end_record record;
    return assay_end_record_parse(*(const struct assay_slice *)context, bytes, &record, NULL);
}

/* F-28, F-37 */
static void a_damaged_entry_is_refused(void **state)
{
    (void)state;
    uint8_t key[ASSAY_END_KEY_LEN + 1] = {0};
    uint8_t out[ASSAY_END_VALUE_SIZE];
    struct assay_end_record record = sample();
    assay_end_key(&record, key);
    struct assay_slice name = assay_slice_of(key, ASSAY_END_KEY_LEN);
    struct assay_slice bytes = write_to(&record, out);
    stored_check(name, bytes, parse, &name);
    for (size_t len = 0; len <= ASSAY_END_KEY_LEN + 1; len++) {
        struct assay_slice other = assay_slice_of(key, len);
        stored_seal(other, out, bytes.len);
        assert_int_equal(parse(bytes, &other),
                         len == ASSAY_END_KEY_LEN ? ASSAY_OK : ASSAY_ERR_CORRUPT);
    }
    key[0] = 'x'; /* a kind that there is not */
    stored_seal(name, out, bytes.len);
    assert_int_equal(parse(bytes, &name), ASSAY_ERR_CORRUPT);
}

static void an_entry_over_its_bounds_is_not_written(void **state)
{
    (void)state;
    uint8_t out[2 * ASSAY_END_VALUE_SIZE];
    char detail[ASSAY_CUTOFF_KEY_SIZE + 1];
    size_t len = 0;
    struct assay_end_record record = sample();
    memset(detail, 'x', sizeof(detail));
    record.detail = assay_slice_of(detail, ASSAY_CUTOFF_KEY_SIZE);
    assert_int_equal(assay_end_record_write(&record, out, ASSAY_END_VALUE_SIZE, &len, NULL),
                     ASSAY_OK);
    assert_int_equal(len, ASSAY_END_VALUE_SIZE);
    record.detail = assay_slice_of(detail, sizeof(detail));
    assert_int_equal(assay_end_record_write(&record, out, sizeof(out), &len, NULL),
                     ASSAY_ERR_LIMIT);
    record = sample();
    record.until_s = -1;
    assert_int_equal(assay_end_record_write(&record, out, sizeof(out), &len, NULL),
                     ASSAY_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(keys_lie_in_order_of_time),
        cmocka_unit_test(a_damaged_entry_is_refused),
        cmocka_unit_test(an_entry_over_its_bounds_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
