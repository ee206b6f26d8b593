#include "record/codec_priv.h"
#include "support/check.h"
#include "support/stored.h"

/* Every value reads back, in the fewest bytes there can be. */
static void a_varint_has_one_spelling(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int off = -1; off <= 1; off++) {
            uint8_t room[16];
            struct assay_buf out;
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)off;
            assay_buf_init(&out, room, sizeof(room));
            codec_write_varint(&out, value);
            struct codec_reader r = {.rest = assay_buf_slice(&out)};
            assert_true(codec_read_varint(&r) == value);
            assert_false(r.bad);
            assert_int_equal(r.rest.len, 0);
            size_t bytes = 1;
            for (uint64_t v = value >> 7; v != 0; v >>= 7) {
                bytes++;
            }
            assert_int_equal(out.len, bytes);
        }
    }
}

static void a_varint_that_is_too_long_or_too_large_is_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",                           /* nothing */
        "80",                         /* goes on into nothing */
        "8000",                       /* 0 in two bytes */
        "ff00",                       /* 127 in two bytes */
        "ffffffffffffffffff02",       /* 2^64 + ... */
        "ffffffffffffffffffff01",     /* eleven bytes */
        "80808080808080808080808001", /* thirteen */
        "8080808080808080808000",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t bytes[32];
        struct codec_reader r = {.rest = stored_hex(bad[i], bytes, sizeof(bytes))};
        assert_true(codec_read_varint(&r) == 0);
        assert_true(r.bad);
        assert_int_equal(codec_read_byte(&r), 0); /* and stays bad */
        assert_int_equal(codec_close(&r, NULL), ASSAY_ERR_CORRUPT);
    }
    uint8_t bytes[32];
    struct codec_reader r = {.rest = stored_hex("ffffffffffffffffff01", bytes, sizeof(bytes))};
    assert_true(codec_read_varint(&r) == UINT64_MAX);
    assert_false(r.bad);
}

static void a_time_lies_below_two_to_the_sixty_two(void **state)
{
    (void)state;
    static const struct {
        int64_t time_s;
        bool good;
    } cases[] = {{0, true},
                 {1, true},
                 {INT64_C(4102444800), true},
                 {(INT64_C(1) << 62) - 1, true},
                 {INT64_C(1) << 62, false},
                 {INT64_MAX, false},
                 {-1, false},
                 {INT64_MIN, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t room[16];
        struct assay_buf out;
        assay_buf_init(&out, room, sizeof(room));
        codec_write_varint(&out, (uint64_t)cases[i].time_s);
        struct codec_reader r = {.rest = assay_buf_slice(&out)};
        int64_t read = codec_read_time(&r);
        assert_int_equal(!r.bad, cases[i].good);
        assert_int_equal(read, cases[i].good ? cases[i].time_s : 0);
        assert_int_equal(codec_check_time(cases[i].time_s, NULL) == ASSAY_OK, cases[i].good);
    }
}

static void a_text_ends_within_the_record_and_its_bound(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        size_t max;
        bool good;
    } cases[] = {{"00", 0, true},
                 {"0161", 1, true},
                 {"0161", 0, false},
                 {"0261", 9, false},
                 {"ffffffffffffffffff01", SIZE_MAX, false},
                 {"", 9, false}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t bytes[16];
        struct codec_reader r = {.rest = stored_hex(cases[i].hex, bytes, sizeof(bytes))};
        (void)codec_read_text(&r, cases[i].max);
        assert_int_equal(!r.bad, cases[i].good);
    }
}

static void what_is_left_over_is_bad(void **state)
{
    (void)state;
    uint8_t bytes[2] = {1, 2};
    struct codec_reader r = {.rest = assay_slice_of(bytes, 2)};
    assert_int_equal(codec_read_byte(&r), 1);
    assert_int_equal(codec_close(&r, NULL), ASSAY_ERR_CORRUPT);
    assert_int_equal(codec_read_byte(&r), 2);
    assert_int_equal(codec_close(&r, NULL), ASSAY_OK);
    assert_true(codec_read_u64(&r) == 0);
    assert_int_equal(codec_close(&r, NULL), ASSAY_ERR_CORRUPT);
}

static void a_list_is_separated_by_single_spaces(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        enum assay_status status;
    } cases[] = {{"", ASSAY_OK},
                 {"a", ASSAY_OK},
                 {"a b c", ASSAY_OK},
                 {"\xc3\xa4 b", ASSAY_OK},
                 {" a", ASSAY_ERR_SYNTAX},
                 {"a ", ASSAY_ERR_SYNTAX},
                 {"a  b", ASSAY_ERR_SYNTAX},
                 {" ", ASSAY_ERR_SYNTAX},
                 {"a\tb", ASSAY_ERR_SYNTAX},
                 {"a\x7f", ASSAY_ERR_SYNTAX},
                 {"\xed\xa0\x80", ASSAY_ERR_SYNTAX}, /* a lone surrogate */
                 {"abcdefghi", ASSAY_ERR_LIMIT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(codec_check_list(assay_slice_of_text(cases[i].list), 8, NULL),
                         cases[i].status);
    }
    assert_int_equal(codec_check_text(assay_slice_of("a\0b", 3), 8, NULL), ASSAY_ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_varint_has_one_spelling),
        cmocka_unit_test(a_varint_that_is_too_long_or_too_large_is_bad),
        cmocka_unit_test(a_time_lies_below_two_to_the_sixty_two),
        cmocka_unit_test(a_text_ends_within_the_record_and_its_bound),
        cmocka_unit_test(what_is_left_over_is_bad),
        cmocka_unit_test(a_list_is_separated_by_single_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
