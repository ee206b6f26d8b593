#include "record/grant_record.h"
#include "support/check.h"
#include "support/stored.h"

static const uint8_t key_bytes[8] = {0, 0, 0, 0, 0, 0, 1, 0};
static const struct assay_slice key = {key_bytes, 8};

static struct assay_grant_record sample(void)
{
    return (struct assay_grant_record){.grant = 256,
                                       .client_id = ASSAY_SLICE("robot"),
                                       .subject = ASSAY_SLICE("alice"),
                                       .scope = ASSAY_SLICE("read write"),
                                       .created_at_s = 1700000000,
                                       .expires_at_s = 1700003600,
                                       .current = {.lifetime_class = 43, .seq = 300}};
}

static struct assay_slice write_to(const struct assay_grant_record *record, uint8_t *out)
{
    struct assay_error error = {0};
    size_t len = 0;
    assert_ok(assay_grant_record_write(record, out, ASSAY_MAX_GRANT_RECORD, &len, &error), &error);
    return assay_slice_of(out, len);
}

/* docs/record-format.md, byte by byte; and back. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_GRANT_RECORD];
    uint8_t expected[128];
    struct assay_grant_record was = sample();
    struct assay_grant_record is;
    struct assay_slice hex = stored_hex("01 05 726f626f74 05 616c696365 0a 72656164207772697465"
                                        "80e2cfaa06 90fecfaa06 2b ac02 00000000",
                                        expected, sizeof(expected));
    stored_seal(key, expected, hex.len);
    assert_slice_equal(write_to(&was, out), hex);
    assert_int_equal(assay_grant_record_parse(256, hex, &is, NULL), ASSAY_OK);
    assert_int_equal(is.grant, 256);
    assert_slice_equal(is.client_id, was.client_id);
    assert_slice_equal(is.subject, was.subject);
    assert_slice_equal(is.scope, was.scope);
    assert_int_equal(is.created_at_s, was.created_at_s);
    assert_int_equal(is.expires_at_s, was.expires_at_s);
    assert_true(assay_token_id_equal(is.current, was.current));
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_grant_record record;
    (void)context;
    return assay_grant_record_parse(256, bytes, &record, NULL);
}

/* F-28 */
static void a_damaged_grant_is_refused(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_GRANT_RECORD];
    struct assay_grant_record record = sample();
    struct assay_grant_record read;
    struct assay_slice bytes = write_to(&record, out);
    stored_check(key, bytes, parse, NULL);
    assert_int_equal(assay_grant_record_parse(257, bytes, &read, NULL), ASSAY_ERR_CORRUPT);
}

static void a_field_over_its_bounds_is_not_written(void **state)
{
    (void)state;
    static char filler[ASSAY_MAX_SCOPE + 1];
    memset(filler, 'x', sizeof(filler));
    uint8_t out[ASSAY_MAX_GRANT_RECORD];
    size_t len = 0;
    const struct {
        size_t offset;
        size_t max;
    } fields[] = {{offsetof(struct assay_grant_record, client_id), ASSAY_MAX_CLIENT_ID},
                  {offsetof(struct assay_grant_record, subject), ASSAY_MAX_SUBJECT},
                  {offsetof(struct assay_grant_record, scope), ASSAY_MAX_SCOPE}};
    for (size_t i = 0; i < 3; i++) {
        struct assay_grant_record record = sample();
        struct assay_slice *field =
            (struct assay_slice *)(void *)((uint8_t *)&record + fields[i].offset);
        *field = assay_slice_of(filler, fields[i].max);
        assert_int_equal(assay_grant_record_write(&record, out, sizeof(out), &len, NULL), ASSAY_OK);
        *field = assay_slice_of(filler, fields[i].max + 1);
        assert_int_equal(assay_grant_record_write(&record, out, sizeof(out), &len, NULL),
                         ASSAY_ERR_LIMIT);
        *field = ASSAY_SLICE("a\nb");
        assert_int_equal(assay_grant_record_write(&record, out, sizeof(out), &len, NULL),
                         ASSAY_ERR_SYNTAX);
    }
    struct assay_grant_record record = sample();
    record.expires_at_s = -1;
    assert_int_equal(assay_grant_record_write(&record, out, sizeof(out), &len, NULL),
                     ASSAY_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_damaged_grant_is_refused),
        cmocka_unit_test(a_field_over_its_bounds_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
