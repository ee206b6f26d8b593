#include "record/token_record.h"
#include "support/check.h"
#include "support/stored.h"

static const struct assay_token_id id = {.lifetime_class = 43, .seq = 0x0102030405060708};
static const uint8_t key_bytes[9] = {43, 1, 2, 3, 4, 5, 6, 7, 8};

/* A record with every field. */
static struct assay_token_record full(void)
{
    struct assay_token_record record = {
        .id = id,
        .kind = ASSAY_TOKEN_REFRESH,
        .generation = 7,
        .issued_at_s = 1700000000,
        .expires_at_s = 1700003600,
        .not_before_s = 1700000001,
        .auth_time_s = 1699999999,
        .grant = 300,
        .client_id = ASSAY_SLICE("robot"),
        .subject = ASSAY_SLICE("alice"),
        .username = ASSAY_SLICE("alice@example.com"),
        .scope = ASSAY_SLICE("read write"),
        .audience = ASSAY_SLICE("https://a.example https://b.example"),
        .session = ASSAY_SLICE("sid"),
        .confirmation = ASSAY_SLICE("{\"jkt\":\"x\"}"),
        .acr = ASSAY_SLICE("1"),
        .authorization_details = ASSAY_SLICE("[]"),
        .extra = ASSAY_SLICE("\"a\":1"),
        .rotation = {.rotated_at_s = 1700000100,
                     .successor = {.lifetime_class = 44, .seq = 400},
                     .successor_generation = 8,
                     .salted = true,
                     .salt = {9, 8, 7}},
    };
    memset(record.text_sha256, 0xAB, sizeof(record.text_sha256));
    return record;
}

static struct assay_token_record least(void)
{
    return (struct assay_token_record){.id = id,
                                       .kind = ASSAY_TOKEN_ACCESS,
                                       .generation = 1,
                                       .issued_at_s = 0,
                                       .expires_at_s = 1,
                                       .client_id = ASSAY_SLICE("c")};
}

static struct assay_slice write_to(const struct assay_token_record *record, uint8_t *out,
                                   size_t size)
{
    struct assay_error error = {0};
    size_t len = 0;
    assert_ok(assay_token_record_write(record, out, size, &len, &error), &error);
    return assay_slice_of(out, len);
}

static void assert_same(const struct assay_token_record *a, const struct assay_token_record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->generation, b->generation);
    assert_memory_equal(a->text_sha256, b->text_sha256, sizeof(a->text_sha256));
    assert_int_equal(a->issued_at_s, b->issued_at_s);
    assert_int_equal(a->expires_at_s, b->expires_at_s);
    assert_int_equal(a->not_before_s, b->not_before_s);
    assert_int_equal(a->auth_time_s, b->auth_time_s);
    assert_int_equal(a->grant, b->grant);
    assert_slice_equal(a->client_id, b->client_id);
    assert_slice_equal(a->subject, b->subject);
    assert_slice_equal(a->username, b->username);
    assert_slice_equal(a->scope, b->scope);
    assert_slice_equal(a->audience, b->audience);
    assert_slice_equal(a->session, b->session);
    assert_slice_equal(a->confirmation, b->confirmation);
    assert_slice_equal(a->acr, b->acr);
    assert_slice_equal(a->authorization_details, b->authorization_details);
    assert_slice_equal(a->extra, b->extra);
    assert_int_equal(a->rotation.rotated_at_s, b->rotation.rotated_at_s);
    assert_true(assay_token_id_equal(a->rotation.successor, b->rotation.successor));
    assert_int_equal(a->rotation.successor_generation, b->rotation.successor_generation);
    assert_int_equal(a->rotation.salted, b->rotation.salted);
    assert_memory_equal(a->rotation.salt, b->rotation.salt, ASSAY_SALT_LEN);
}

static void a_record_reads_back_field_by_field(void **state)
{
    (void)state;
    const struct assay_token_record records[] = {full(), least()};
    for (size_t i = 0; i < 2; i++) {
        uint8_t out[ASSAY_MAX_TOKEN_RECORD];
        struct assay_token_record read;
        struct assay_error error = {0};
        struct assay_slice bytes = write_to(&records[i], out, sizeof(out));
        assert_ok(assay_token_record_parse(id, bytes, &read, &error), &error);
        assert_same(&read, &records[i]);
        assert_true(assay_token_id_equal(read.id, id));
    }
}

/* A-TOK-22: no time of a token is kept in 32 bits. */
static void times_past_2038_and_2106_are_kept(void **state)
{
    static const int64_t times[] = {INT64_C(2147483653), INT64_C(4294967301), INT64_C(1) << 40};
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint8_t out[ASSAY_MAX_TOKEN_RECORD];
        struct assay_token_record read;
        struct assay_error error = {0};
        struct assay_token_record record = full();
        record.issued_at_s = times[i];
        record.expires_at_s = times[i] + ASSAY_MAX_LIFETIME_S;
        record.not_before_s = times[i] + 1;
        record.auth_time_s = times[i] - 1;
        record.rotation.rotated_at_s = times[i] + 2;
        struct assay_slice bytes = write_to(&record, out, sizeof(out));
        assert_ok(assay_token_record_parse(id, bytes, &read, &error), &error);
        assert_same(&read, &record);
    }
}

/* docs/record-format.md, byte by byte. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_TOKEN_RECORD];
    uint8_t expected[ASSAY_MAX_TOKEN_RECORD];
    struct assay_token_record record = full();
    struct assay_slice bytes = write_to(&record, out, sizeof(out));
    struct assay_slice hex = stored_hex(
        "01 02 07 ff7f"                                                    /* all fourteen flags */
        "abababababababababababababababababababababababababababababababab" /* digest */
        "80e2cfaa06 901c"                                                  /* iat, exp - iat */
        "05 726f626f74"                                                    /* robot */
        "81e2cfaa06 ffe1cfaa06 ac02"                          /* nbf, auth_time, grant */
        "05 616c696365 11 616c696365406578616d706c652e636f6d" /* sub, username */
        "0a 72656164207772697465"                             /* scope */
        "23 68747470733a2f2f612e6578616d706c652068747470733a2f2f622e6578616d706c65"
        "03 736964 0b 7b226a6b74223a2278227d 01 31 02 5b5d 05 2261223a31" /* sid to extra */
        "e4e2cfaa06 2c 9003 08 09080700000000000000000000000000"          /* rotation, salt */
        "00000000",
        expected, sizeof(expected));
    stored_seal(assay_slice_of(key_bytes, sizeof(key_bytes)), expected, hex.len);
    assert_slice_equal(bytes, hex);
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_token_record record;
    (void)context;
    return assay_token_record_parse(id, bytes, &record, NULL);
}

/* F-28 */
static void a_damaged_record_is_refused(void **state)
{
    (void)state;
    const struct assay_token_record records[] = {full(), least()};
    for (size_t i = 0; i < 2; i++) {
        uint8_t out[ASSAY_MAX_TOKEN_RECORD];
        stored_check(assay_slice_of(key_bytes, sizeof(key_bytes)),
                     write_to(&records[i], out, sizeof(out)), parse, NULL);
    }
}

/* F-28: a record that stands under another key is none. */
static void a_record_is_refused_under_another_key(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_TOKEN_RECORD];
    struct assay_token_record record = full();
    struct assay_token_record read;
    struct assay_slice bytes = write_to(&record, out, sizeof(out));
    for (unsigned bit = 0; bit < 57; bit++) {
        struct assay_token_id other = {id.lifetime_class, id.seq ^ UINT64_C(1) << bit};
        assert_int_equal(assay_token_record_parse(other, bytes, &read, NULL), ASSAY_ERR_CORRUPT);
    }
    struct assay_token_id other = {44, id.seq};
    assert_int_equal(assay_token_record_parse(other, bytes, &read, NULL), ASSAY_ERR_CORRUPT);
}

/* What the writer refuses: nothing of it gets into a store. */
static void a_field_over_its_bounds_is_not_written(void **state)
{
    (void)state;
    static char filler[ASSAY_MAX_CLAIMS + ASSAY_MAX_AUDIENCES * (ASSAY_MAX_AUDIENCE + 2)];
    memset(filler, 'x', sizeof(filler));
    uint8_t out[ASSAY_MAX_TOKEN_RECORD];
    size_t len = 0;
    const struct {
        size_t offset;
        size_t max;
    } fields[] = {
        {offsetof(struct assay_token_record, client_id), ASSAY_MAX_CLIENT_ID},
        {offsetof(struct assay_token_record, subject), ASSAY_MAX_SUBJECT},
        {offsetof(struct assay_token_record, username), ASSAY_MAX_USERNAME},
        {offsetof(struct assay_token_record, scope), ASSAY_MAX_SCOPE},
        {offsetof(struct assay_token_record, audience),
         (size_t)ASSAY_MAX_AUDIENCES * (ASSAY_MAX_AUDIENCE + 1)},
        {offsetof(struct assay_token_record, session), ASSAY_MAX_SID},
        {offsetof(struct assay_token_record, confirmation), ASSAY_MAX_CLAIMS},
        {offsetof(struct assay_token_record, acr), ASSAY_MAX_USERNAME},
        {offsetof(struct assay_token_record, authorization_details), ASSAY_MAX_CLAIMS},
        {offsetof(struct assay_token_record, extra), ASSAY_MAX_CLAIMS},
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct assay_token_record record = least();
        struct assay_slice *field =
            (struct assay_slice *)(void *)((uint8_t *)&record + fields[i].offset);
        *field = assay_slice_of(filler, fields[i].max);
        assert_int_equal(assay_token_record_write(&record, out, sizeof(out), &len, NULL), ASSAY_OK);
        *field = assay_slice_of(filler, fields[i].max + 1);
        assert_int_equal(assay_token_record_write(&record, out, sizeof(out), &len, NULL),
                         ASSAY_ERR_LIMIT);
        *field = ASSAY_SLICE("line\nbreak");
        assert_int_equal(assay_token_record_write(&record, out, sizeof(out), &len, NULL),
                         ASSAY_ERR_SYNTAX);
        *field = ASSAY_SLICE("\xff");
        assert_int_equal(assay_token_record_write(&record, out, sizeof(out), &len, NULL),
                         ASSAY_ERR_SYNTAX);
    }
}

/* A-TOK-22 */
static void a_time_out_of_range_is_not_written(void **state)
{
    (void)state;
    static const struct {
        int64_t issued_s;
        int64_t expires_s;
        enum assay_status status;
    } cases[] = {
        {0, 1, ASSAY_OK},
        {INT64_C(4102444800), INT64_C(7258118400), ASSAY_OK}, /* 2100, 2200 */
        {(INT64_C(1) << 62) - 2, (INT64_C(1) << 62) - 1, ASSAY_OK},
        {5, 5, ASSAY_ERR_LIMIT},
        {5, 4, ASSAY_ERR_LIMIT},
        {-1, 5, ASSAY_ERR_LIMIT},
        {0, INT64_C(1) << 62, ASSAY_ERR_LIMIT},
        {0, INT64_MAX, ASSAY_ERR_LIMIT},
        {INT64_MIN, INT64_MAX, ASSAY_ERR_LIMIT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t out[ASSAY_MAX_TOKEN_RECORD];
        size_t len = 0;
        struct assay_token_record record = least();
        struct assay_token_record read;
        record.issued_at_s = cases[i].issued_s;
        record.expires_at_s = cases[i].expires_s;
        enum assay_status status = assay_token_record_write(&record, out, sizeof(out), &len, NULL);
        assert_int_equal(status, cases[i].status);
        if (status == ASSAY_OK) {
            assert_int_equal(assay_token_record_parse(id, assay_slice_of(out, len), &read, NULL),
                             ASSAY_OK);
            assert_int_equal(read.expires_at_s, cases[i].expires_s);
        }
    }
}

/* Bytes that no writer of ours makes, with a right check: an empty field that is flagged, a token
 * that never lived, times whose sum is no time. */
static void a_record_has_one_spelling(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "01 03 01 00 %s 00 01 01 63",               /* kind */
        "01 00 01 00 %s 00 01 01 63",               /* kind */
        "01 01 01 808001 %s 00 01 01 63",           /* a flag that there is not */
        "01 01 01 8000 %s 00 01 01 63",             /* flags in a longer form */
        "01 01 01 01 %s 00 01 01 63 00",            /* nbf 0 */
        "01 01 01 02 %s 00 01 01 63 00",            /* auth_time 0 */
        "01 01 01 04 %s 00 01 01 63 00",            /* grant 0 */
        "01 01 01 08 %s 00 01 01 63 00",            /* an empty subject */
        "01 02 01 8020 %s 00 01 01 63 00 2c 01 01", /* rotated at 0 */
        "01 02 01 8020 %s 00 01 01 63 05 80 01 01", /* successor of no class */
        "01 02 01 8040 %s 00 01 01 63",             /* a salt without a rotation */
        "01 01 01 00 %s 00 00 01 63",               /* exp = iat */
        "01 01 01 00 %s ffffffffffffffff3f ffffffffffffffff3f 01 63", /* 2^63 */
        "01 01 01 00 %s ffffffffffffffff3f 01 01 63",                 /* exp 2^62 */
        "01 01 01 00 %s 00 8000 01 63", /* a varint that is too long */
        "01 01 01 00 %s 00 01 02 63",   /* a client that ends too late */
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char text[512];
        uint8_t bytes[256];
        char digest[65];
        memset(digest, '0', 64);
        digest[64] = 0;
        const char *at = strstr(bodies[i], "%s");
        size_t head = (size_t)(at - bodies[i]);
        memcpy(text, bodies[i], head);
        strcpy(text + head, digest);
        strcat(text, at + 2);
        strcat(text, "00000000");
        struct assay_slice hex = stored_hex(text, bytes, sizeof(bytes));
        stored_seal(assay_slice_of(key_bytes, sizeof(key_bytes)), bytes, hex.len);
        assert_int_equal(parse(hex, NULL), ASSAY_ERR_CORRUPT);
    }
}

static void a_room_that_is_too_small_is_a_limit(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_TOKEN_RECORD];
    struct assay_token_record record = full();
    size_t whole = write_to(&record, out, sizeof(out)).len;
    for (size_t size = 0; size < whole; size++) {
        size_t len = 12345;
        assert_int_equal(assay_token_record_write(&record, out, size, &len, NULL), ASSAY_ERR_LIMIT);
        assert_int_equal(len, 12345);
    }
}

/* A salt that was wiped is not in the bytes. */
static void a_wiped_salt_leaves_no_byte(void **state)
{
    (void)state;
    uint8_t out[ASSAY_MAX_TOKEN_RECORD];
    struct assay_token_record record = full();
    memset(record.rotation.salt, 0x5A, ASSAY_SALT_LEN);
    size_t salted = write_to(&record, out, sizeof(out)).len;
    record.rotation.salted = false;
    struct assay_slice bytes = write_to(&record, out, sizeof(out));
    assert_int_equal(bytes.len, salted - ASSAY_SALT_LEN);
    for (size_t i = 0; i + 1 < bytes.len; i++) {
        assert_false(bytes.data[i] == 0x5A && bytes.data[i + 1] == 0x5A);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_reads_back_field_by_field),
        cmocka_unit_test(times_past_2038_and_2106_are_kept),
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_damaged_record_is_refused),
        cmocka_unit_test(a_record_is_refused_under_another_key),
        cmocka_unit_test(a_field_over_its_bounds_is_not_written),
        cmocka_unit_test(a_time_out_of_range_is_not_written),
        cmocka_unit_test(a_record_has_one_spelling),
        cmocka_unit_test(a_room_that_is_too_small_is_a_limit),
        cmocka_unit_test(a_wiped_salt_leaves_no_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
