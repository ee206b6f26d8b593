#include "record/cutoff.h"
#include "support/check.h"
#include "support/stored.h"

static struct assay_cutoff sample(void)
{
    return (struct assay_cutoff){.kind = ASSAY_CUTOFF_SUBJECT,
                                 .id = ASSAY_SLICE("alice"),
                                 .seq = 0x0102030405060708,
                                 .made_at_s = 1700000000,
                                 .keep_until_s = 1700003720,
                                 .origin = ASSAY_BY_ADMIN};
}

static const struct assay_slice sample_key = {(const uint8_t *)"\x03"
                                                               "alice",
                                              6};

/* docs/record-format.md, byte by byte. */
static void the_bytes_are_those_of_the_document(void **state)
{
    (void)state;
    uint8_t value[ASSAY_CUTOFF_VALUE_LEN];
    uint8_t expected[ASSAY_CUTOFF_VALUE_LEN];
    struct assay_cutoff cutoff = sample();
    assay_cutoff_write(&cutoff, value);
    struct assay_slice hex =
        stored_hex("01 02 0000 0102030405060708 000000006553f100 000000006553ff88 00000000",
                   expected, sizeof(expected));
    stored_seal(sample_key, expected, hex.len);
    assert_slice_equal(assay_slice_of(value, sizeof(value)), hex);
}

static void a_cutoff_reads_back(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < ASSAY_CUTOFF_KINDS; kind++) {
        for (unsigned origin = ASSAY_BY_CLIENT; origin <= ASSAY_BY_RESTORE; origin++) {
            uint8_t key[ASSAY_CUTOFF_KEY_SIZE];
            uint8_t value[ASSAY_CUTOFF_VALUE_LEN];
            struct assay_cutoff was = sample();
            struct assay_cutoff is;
            struct assay_error error = {0};
            was.kind = kind;
            was.origin = origin;
            size_t len = assay_cutoff_key(was.kind, was.id, key);
            assay_cutoff_write(&was, value);
            assert_ok(assay_cutoff_parse(assay_slice_of(key, len),
                                         assay_slice_of(value, sizeof(value)), &is, &error),
                      &error);
            assert_int_equal(is.kind, kind);
            assert_slice_equal(is.id, was.id);
            assert_int_equal(is.seq, was.seq);
            assert_int_equal(is.made_at_s, was.made_at_s);
            assert_int_equal(is.keep_until_s, was.keep_until_s);
            assert_int_equal(is.origin, origin);
        }
    }
}

static enum assay_status parse(struct assay_slice bytes, void *context)
{
    struct assay_cutoff cutoff;
    (void)context;
    return assay_cutoff_parse(sample_key, bytes, &cutoff, NULL);
}

/* F-28: the value under its own key alone, and undamaged. */
static void a_damaged_cutoff_is_refused(void **state)
{
    (void)state;
    uint8_t value[ASSAY_CUTOFF_VALUE_LEN];
    struct assay_cutoff cutoff = sample();
    struct assay_cutoff read;
    assay_cutoff_write(&cutoff, value);
    struct assay_slice bytes = assay_slice_of(value, sizeof(value));
    stored_check(sample_key, bytes, parse, NULL);
    static const char *const others[] = {"\x04"
                                         "alice",
                                         "\x03"
                                         "alicf",
                                         "\x03"
                                         "alic",
                                         "\x03"
                                         "alice2",
                                         "\x07"
                                         "alice",
                                         ""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(assay_cutoff_parse(assay_slice_of_text(others[i]), bytes, &read, NULL),
                         ASSAY_ERR_CORRUPT);
    }
    static const struct {
        size_t at;
        uint8_t value;
    } breaks[] = {{1, 0}, {1, 5}, {2, 1}, {3, 1}};
    for (size_t i = 0; i < 4; i++) {
        uint8_t bad[ASSAY_CUTOFF_VALUE_LEN];
        memcpy(bad, value, sizeof(bad));
        bad[breaks[i].at] = breaks[i].value;
        stored_seal(sample_key, bad, sizeof(bad));
        assert_int_equal(parse(assay_slice_of(bad, sizeof(bad)), NULL), ASSAY_ERR_CORRUPT);
    }
}

/* A-CLI-11: no id is cut to fit, and every other has a key of its own. */
static void an_id_that_is_too_long_has_no_key(void **state)
{
    (void)state;
    uint8_t key[ASSAY_CUTOFF_KEY_SIZE];
    char id[ASSAY_MAX_CUTOFF_ID + 1];
    memset(id, 'x', sizeof(id));
    assert_int_equal(
        assay_cutoff_key(ASSAY_CUTOFF_CLIENT, assay_slice_of(id, ASSAY_MAX_CUTOFF_ID), key),
        ASSAY_CUTOFF_KEY_SIZE);
    assert_int_equal(
        assay_cutoff_key(ASSAY_CUTOFF_CLIENT, assay_slice_of(id, ASSAY_MAX_CUTOFF_ID + 1), key), 0);
    assert_int_equal(assay_cutoff_key(ASSAY_CUTOFF_EVERYTHING, (struct assay_slice){0}, key), 1);
    assert_true(ASSAY_CUTOFF_KEY_SIZE <= 511);
    assert_true(ASSAY_MAX_CLIENT_ID <= ASSAY_MAX_CUTOFF_ID);
    assert_true(ASSAY_MAX_SUBJECT <= ASSAY_MAX_CUTOFF_ID);
    assert_true(ASSAY_MAX_SID <= ASSAY_MAX_CUTOFF_ID);
}

/* client_credentials tokens have no grant, session or subject cutoff; no token has one of a signing
 * key. */
static void a_token_is_ended_by_what_it_bears_and_nothing_else(void **state)
{
    (void)state;
    struct assay_cutoff_room room;
    struct assay_cutoff_name names[ASSAY_CUTOFF_KINDS];
    struct assay_token_record token = {.id = {.seq = 258}, .client_id = ASSAY_SLICE("robot")};
    size_t count = assay_cutoff_names(&token, &room, names);
    assert_int_equal(count, 3);
    assert_int_equal(names[0].kind, ASSAY_CUTOFF_TOKEN);
    assert_slice_equal(names[0].id, assay_slice_of("\0\0\0\0\0\0\1\2", 8));
    assert_int_equal(names[1].kind, ASSAY_CUTOFF_CLIENT);
    assert_slice_equal(names[1].id, ASSAY_SLICE("robot"));
    assert_int_equal(names[2].kind, ASSAY_CUTOFF_EVERYTHING);
    assert_int_equal(names[2].id.len, 0);

    token.grant = 3;
    token.session = ASSAY_SLICE("login");
    token.subject = ASSAY_SLICE("alice");
    count = assay_cutoff_names(&token, &room, names);
    static const enum assay_cutoff_kind order[] = {ASSAY_CUTOFF_TOKEN,   ASSAY_CUTOFF_GRANT,
                                                   ASSAY_CUTOFF_SESSION, ASSAY_CUTOFF_SUBJECT,
                                                   ASSAY_CUTOFF_CLIENT,  ASSAY_CUTOFF_EVERYTHING};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(names[i].kind, order[i]);
    }
    assert_slice_equal(names[1].id, assay_slice_of("\0\0\0\0\0\0\0\3", 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_those_of_the_document),
        cmocka_unit_test(a_cutoff_reads_back),
        cmocka_unit_test(a_damaged_cutoff_is_refused),
        cmocka_unit_test(an_id_that_is_too_long_has_no_key),
        cmocka_unit_test(a_token_is_ended_by_what_it_bears_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
