#include "record/event.h"
#include "support/check.h"
#include "support/stored.h"

static const uint8_t key_bytes[8] = {0, 0, 0, 0, 0, 0, 1, 0};
static const struct assay_slice key = {key_bytes, 8};

static struct assay_event sample(void)
{
    return (struct assay_event){.seq = 256,
                                .made_at_s = 1700000000,
                                .kind = ASSAY_CUTOFF_CLIENT,
                                .id = ASSAY_SLICE("robot"),
                                .origin = ASSAY_BY_RESTORE};
}

static struct assay_slice write_to(const struct assay_event *event, uint8_t *out)
{
    struct assay_error error = {0};
    size_t len = 0;
    assert_ok(assay_event_write(event, out, ASSAY_MAX_EVENT, &len, &error), &error);
    return assay_slice_of(out, len);
}

/* docs/record-format.md, byte by byte. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_EVENT];
    uint8_t expected[64];
    struct assay_event event = sample();
    struct assay_slice hex =
        stored_hex("01 04 04 80e2cfaa06 05 726f626f74 00000000", expected, sizeof(expected));
    stored_seal(key, expected, hex.len);
    assert_slice_equal(write_to(&event, out), hex);
}

static void an_event_reads_back(void **state)
{
    (void)state;
    char longest[ASSAY_MAX_CUTOFF_ID];
    memset(longest, 'x', sizeof(longest));
    for (unsigned kind = 0; kind < ASSAY_CUTOFF_KINDS; kind++) {
        uint8_t out[ASSAY_MAX_EVENT];
        struct assay_event was = sample();
        struct assay_event is;
        was.kind = kind;
        was.id = kind == ASSAY_CUTOFF_EVERYTHING ? (struct assay_slice){0}
                                                 : assay_slice_of(longest, sizeof(longest));
        was.made_at_s = INT64_C(4102444800);
        assert_int_equal(assay_event_parse(256, write_to(&was, out), &is, NULL), ASSAY_OK);
        assert_int_equal(is.seq, 256);
        assert_int_equal(is.kind, kind);
        assert_int_equal(is.origin, was.origin);
        assert_int_equal(is.made_at_s, was.made_at_s);
        assert_slice_equal(is.id, was.id);
    }
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_event event;
    (void)context;
    return assay_event_parse(256, bytes, &event, NULL);
}

/* F-28 */
static void a_damaged_event_is_refused(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_EVENT];
    struct assay_event event = sample();
    struct assay_event read;
    struct assay_slice bytes = write_to(&event, out);
    stored_check(key, bytes, parse, NULL);
    assert_int_equal(assay_event_parse(255, bytes, &read, NULL), ASSAY_ERR_CORRUPT);
    static const uint8_t bad[][2] = {{1, ASSAY_CUTOFF_KINDS}, {2, 0}, {2, 5}};
    for (size_t i = 0; i < 3; i++) {
        (void)write_to(&event, out);
        out[bad[i][0]] = bad[i][1];
        stored_seal(key, out, bytes.len);
        assert_int_equal(parse(bytes, NULL), ASSAY_ERR_CORRUPT);
    }
}

static void an_event_over_its_bounds_is_not_written(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_EVENT];
    char id[ASSAY_MAX_CUTOFF_ID + 1];
    size_t len = 0;
    struct assay_event event = sample();
    memset(id, 'x', sizeof(id));
    event.id = assay_slice_of(id, sizeof(id));
    assert_int_equal(assay_event_write(&event, out, sizeof(out), &len, NULL), ASSAY_ERR_LIMIT);
    event = sample();
    event.made_at_s = -1;
    assert_int_equal(assay_event_write(&event, out, sizeof(out), &len, NULL), ASSAY_ERR_LIMIT);
    event = sample();
    assert_int_equal(assay_event_write(&event, out, 17, &len, NULL), ASSAY_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(an_event_reads_back),
        cmocka_unit_test(a_damaged_event_is_refused),
        cmocka_unit_test(an_event_over_its_bounds_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
