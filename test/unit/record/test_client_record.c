#include "record/client_record.h"
#include "support/check.h"
#include "support/stored.h"

static const struct assay_slice client_id = {(const uint8_t *)"robot", 5};

static struct assay_client_record full(void)
{
    struct assay_client_record record = {
        .client_id = client_id,
        .name = ASSAY_SLICE("A robot"),
        .version = 300,
        .created_at_s = 1700000000,
        .disabled = true,
        .admin = true,
        .resource_server = true,
        .introspects_refresh = true,
        .auth_method = ASSAY_AUTH_SECRET_POST,
        .grants = ASSAY_GRANT_CLIENT_CREDENTIALS | ASSAY_GRANT_REFRESH_TOKEN,
        .members = ASSAY_MEMBERS_ALL,
        .scope = ASSAY_SLICE("read write"),
        .default_scope = ASSAY_SLICE("read"),
        .audience = ASSAY_SLICE("https://a.example"),
        .default_audience = ASSAY_SLICE("https://a.example"),
        .access_lifetime_s = 60,
        .refresh_lifetime_s = 3600,
        .secrets = {{.form = ASSAY_SECRET_SHA256, .created_at_s = 1, .expires_at_s = 2},
                    {.form = ASSAY_SECRET_SCRYPT, .created_at_s = 3, .salt = {4, 5}}},
        .secret_count = 2,
    };
    memset(record.secrets[0].hash, 0xAB, ASSAY_SHA256_LEN);
    memset(record.secrets[1].hash, 0xCD, ASSAY_SHA256_LEN);
    return record;
}

static struct assay_slice write_to(const struct assay_client_record *record, uint8_t *out)
{
    struct assay_error error = {0};
    size_t len = 0;
    assert_ok(assay_client_record_write(record, out, ASSAY_MAX_CLIENT_RECORD, &len, &error),
              &error);
    return assay_slice_of(out, len);
}

static void a_client_reads_back_field_by_field(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_CLIENT_RECORD];
    struct assay_client_record was = full();
    struct assay_client_record is;
    struct assay_error error = {0};
    assert_ok(assay_client_record_parse(client_id, write_to(&was, out), &is, &error), &error);
    assert_slice_equal(is.client_id, client_id);
    assert_slice_equal(is.name, was.name);
    assert_int_equal(is.version, was.version);
    assert_int_equal(is.created_at_s, was.created_at_s);
    assert_true(is.disabled && is.admin && is.resource_server && is.introspects_refresh);
    assert_int_equal(is.auth_method, was.auth_method);
    assert_int_equal(is.grants, was.grants);
    assert_int_equal(is.members, was.members);
    assert_slice_equal(is.scope, was.scope);
    assert_slice_equal(is.default_scope, was.default_scope);
    assert_slice_equal(is.audience, was.audience);
    assert_slice_equal(is.default_audience, was.default_audience);
    assert_int_equal(is.access_lifetime_s, 60);
    assert_int_equal(is.refresh_lifetime_s, 3600);
    assert_int_equal(is.secret_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(is.secrets[i].form, was.secrets[i].form);
        assert_memory_equal(is.secrets[i].hash, was.secrets[i].hash, ASSAY_SHA256_LEN);
        assert_memory_equal(is.secrets[i].salt, was.secrets[i].salt, ASSAY_SCRYPT_SALT_LEN);
        assert_int_equal(is.secrets[i].created_at_s, was.secrets[i].created_at_s);
        assert_int_equal(is.secrets[i].expires_at_s, was.secrets[i].expires_at_s);
    }
}

/* Each flag is one of its own. */
static void no_flag_stands_for_another(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t out[ASSAY_MAX_CLIENT_RECORD];
        struct assay_client_record is;
        struct assay_client_record was = {.client_id = client_id,
                                          .disabled = (i & 1) != 0,
                                          .admin = (i & 2) != 0,
                                          .resource_server = (i & 4) != 0,
                                          .introspects_refresh = (i & 8) != 0};
        assert_int_equal(assay_client_record_parse(client_id, write_to(&was, out), &is, NULL),
                         ASSAY_OK);
        assert_int_equal(is.disabled, was.disabled);
        assert_int_equal(is.admin, was.admin);
        assert_int_equal(is.resource_server, was.resource_server);
        assert_int_equal(is.introspects_refresh, was.introspects_refresh);
    }
}

/* docs/record-format.md, byte by byte. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_CLIENT_RECORD];
    uint8_t expected[1024];
    struct assay_client_record record = full();
    struct assay_slice hex =
        stored_hex("01 0f 02 02 03 ffff07 ac02 80e2cfaa06 3c 901c"
                   "07 4120726f626f74 0a 72656164207772697465 04 72656164"
                   "11 68747470733a2f2f612e6578616d706c65 11 68747470733a2f2f612e6578616d706c65"
                   "01 abababababababababababababababababababababababababababababababab"
                   "00000000000000000000000000000000 01 02"
                   "02 cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
                   "04050000000000000000000000000000 03 00"
                   "00000000",
                   expected, sizeof(expected));
    stored_seal(client_id, expected, hex.len);
    assert_slice_equal(write_to(&record, out), hex);
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_client_record record;
    (void)context;
    return assay_client_record_parse(client_id, bytes, &record, NULL);
}

/* F-28 */
static void a_damaged_client_is_refused(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_CLIENT_RECORD];
    struct assay_client_record record = full();
    struct assay_client_record read;
    struct assay_slice bytes = write_to(&record, out);
    stored_check(client_id, bytes, parse, NULL);
    assert_int_equal(assay_client_record_parse(ASSAY_SLICE("robos"), bytes, &read, NULL),
                     ASSAY_ERR_CORRUPT);
    assert_int_equal(assay_client_record_parse(ASSAY_SLICE("robot2"), bytes, &read, NULL),
                     ASSAY_ERR_CORRUPT);
}

/* What is written can be read: what could not be is refused before. */
static void what_could_not_be_read_is_not_written(void **state)
{
    (void)state;
    static const int64_t bad_times[] = {-1, INT64_MIN, INT64_C(1) << 62, INT64_MAX};
    uint8_t out[ASSAY_MAX_CLIENT_RECORD];
    size_t len = 0;
    for (size_t field = 0; field < 5; field++) {
        for (size_t i = 0; i < 4; i++) {
            struct assay_client_record record = full();
            int64_t *times[] = {&record.created_at_s, &record.access_lifetime_s,
                                &record.refresh_lifetime_s, &record.secrets[1].created_at_s,
                                &record.secrets[0].expires_at_s};
            *times[field] = bad_times[i];
            assert_int_equal(assay_client_record_write(&record, out, sizeof(out), &len, NULL),
                             ASSAY_ERR_LIMIT);
        }
    }
    struct assay_client_record record = full();
    record.members = ASSAY_MEMBERS_ALL + 1;
    assert_int_equal(assay_client_record_write(&record, out, sizeof(out), &len, NULL),
                     ASSAY_ERR_SYNTAX);
    record = full();
    record.secret_count = ASSAY_MAX_CLIENT_SECRETS + 1;
    assert_int_equal(assay_client_record_write(&record, out, sizeof(out), &len, NULL),
                     ASSAY_ERR_LIMIT);
    record = full();
    record.client_id = (struct assay_slice){0};
    assert_int_equal(assay_client_record_write(&record, out, sizeof(out), &len, NULL),
                     ASSAY_ERR_SYNTAX);
}

static void a_text_over_its_bounds_is_not_written(void **state)
{
    (void)state;
    static char filler[2 * ASSAY_MAX_CLIENT_RECORD];
    static const struct {
        size_t offset;
        size_t max;
        bool list;
    } fields[] = {
        {offsetof(struct assay_client_record, client_id), ASSAY_MAX_CLIENT_ID, false},
        {offsetof(struct assay_client_record, name), ASSAY_MAX_CLIENT_NAME, false},
        {offsetof(struct assay_client_record, scope), ASSAY_MAX_SCOPE, true},
        {offsetof(struct assay_client_record, default_scope), ASSAY_MAX_SCOPE, true},
        {offsetof(struct assay_client_record, audience), ASSAY_MAX_CLIENT_RECORD, true},
        {offsetof(struct assay_client_record, default_audience), ASSAY_MAX_CLIENT_RECORD, true},
    };
    uint8_t out[ASSAY_MAX_CLIENT_RECORD];
    size_t len = 0;
    memset(filler, 'x', sizeof(filler));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct assay_client_record record = full();
        struct assay_slice *field =
            (struct assay_slice *)(void *)((uint8_t *)&record + fields[i].offset);
        *field = assay_slice_of(filler, fields[i].max + 1);
        assert_int_equal(assay_client_record_write(&record, out, sizeof(out), &len, NULL),
                         ASSAY_ERR_LIMIT);
        static const char *const bad[] = {"a\x01", "a\x7f", "\xc0\x80", " a", "a ", "a  b"};
        for (size_t j = 0; j < (fields[i].list ? 6u : 3u); j++) {
            *field = assay_slice_of_text(bad[j]);
            assert_int_equal(assay_client_record_write(&record, out, sizeof(out), &len, NULL),
                             ASSAY_ERR_SYNTAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_reads_back_field_by_field),
        cmocka_unit_test(no_flag_stands_for_another),
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_damaged_client_is_refused),
        cmocka_unit_test(what_could_not_be_read_is_not_written),
        cmocka_unit_test(a_text_over_its_bounds_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
