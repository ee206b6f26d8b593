#include "base/base64url.h"
#include "support/check.h"
#include "support/vector.h"

static enum assay_status decode(struct assay_slice text, uint8_t *out, size_t size, size_t *ret_len)
{
    struct assay_error error = {0};
    return assay_base64url_decode(text, out, size, ret_len, &error);
}

static void check_case(const json_t *one)
{
    uint8_t expected[64];
    uint8_t decoded[64];
    uint8_t encoded[ASSAY_BASE64URL_LEN(64)];
    size_t len = 0;
    struct assay_slice text = vector_text(one, "text");
    enum assay_status status = decode(text, decoded, sizeof(decoded), &len);
    print_message("%s\n", (const char *)vector_text(one, "id").data);
    if (!assay_slice_equal(vector_text(one, "expect"), ASSAY_SLICE("valid"))) {
        assert_int_equal(status, ASSAY_ERR_SYNTAX);
        return;
    }
    assert_int_equal(status, ASSAY_OK);
    size_t expected_len = vector_bytes(vector_text(one, "hex"), expected, sizeof(expected));
    assert_slice_equal(assay_slice_of(decoded, len), assay_slice_of(expected, expected_len));
    assay_base64url_encode(assay_slice_of(decoded, len), encoded);
    assert_slice_equal(assay_slice_of(encoded, ASSAY_BASE64URL_LEN(len)), text);
}

static void the_published_examples_hold_and_the_broken_ones_are_refused(void **state)
{
    (void)state;
    json_t *vector = vector_open("base64url.json");
    json_t *cases = json_object_get(vector, "cases");
    assert_int_equal(json_array_size(cases), 9);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        check_case(json_array_get(cases, i));
    }
    json_decref(vector);
}

/* RFC 4648 section 10, without the padding. */
static void the_lengths_of_the_rfc_are_read_and_written(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct assay_slice bytes = assay_slice_of_text(pairs[i][0]);
        struct assay_slice text = assay_slice_of_text(pairs[i][1]);
        uint8_t out[16];
        size_t len = 99;
        assert_int_equal(ASSAY_BASE64URL_LEN(bytes.len), text.len);
        assay_base64url_encode(bytes, out);
        assert_slice_equal(assay_slice_of(out, text.len), text);
        assert_int_equal(decode(text, out, sizeof(out), &len), ASSAY_OK);
        assert_slice_equal(assay_slice_of(out, len), bytes);
    }
}

/* Every byte at every place of a group: just the 64 of the alphabet are taken. */
static void just_the_alphabet_is_taken_at_each_place(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t at = 0; at < 8; at++) {
        for (unsigned c = 0; c < 256; c++) {
            uint8_t text[8] = {'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A'};
            uint8_t out[6];
            size_t len = 0;
            text[at] = (uint8_t)c;
            bool taken = decode(assay_slice_of(text, 8), out, sizeof(out), &len) == ASSAY_OK;
            assert_int_equal(taken, memchr(alphabet, (int)c, 64) != NULL);
        }
    }
}

/* One value has one spelling: in the last character of a short group, the spare bits are zero. */
static void each_value_has_one_spelling(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t two = 0;
    size_t three = 0;
    for (size_t i = 0; i < 64; i++) {
        const uint8_t last = (uint8_t)alphabet[i];
        const uint8_t text[3] = {'A', last, 0};
        const uint8_t longer[3] = {'A', 'A', last};
        uint8_t out[4];
        size_t len = 0;
        two += decode(assay_slice_of(text, 2), out, sizeof(out), &len) == ASSAY_OK;
        three += decode(assay_slice_of(longer, 3), out, sizeof(out), &len) == ASSAY_OK;
    }
    assert_int_equal(two, 4);
    assert_int_equal(three, 16);
}

static void room_that_is_one_byte_short_is_a_limit(void **state)
{
    (void)state;
    uint8_t out[4] = {0, 0, 0, 0x5A};
    size_t len = 77;
    assert_int_equal(decode(ASSAY_SLICE("Zm9vYg"), out, 3, &len), ASSAY_ERR_LIMIT);
    assert_int_equal(len, 77);
    assert_int_equal(out[3], 0x5A);
    assert_int_equal(decode(ASSAY_SLICE("Zm9vYg"), out, 4, &len), ASSAY_OK);
    assert_int_equal(len, 4);
}

static void the_error_points_at_the_character(void **state)
{
    (void)state;
    uint8_t out[16];
    size_t len = 0;
    struct assay_error error = {0};
    assert_int_equal(
        assay_base64url_decode(ASSAY_SLICE("AAAAAA+A"), out, sizeof(out), &len, &error),
        ASSAY_ERR_SYNTAX);
    assert_int_equal(error.offset, 6);
    assert_int_equal(assay_base64url_decode(ASSAY_SLICE("AAAAA="), out, sizeof(out), &len, &error),
                     ASSAY_ERR_SYNTAX);
    assert_int_equal(error.offset, 5);
    assert_int_equal(assay_base64url_decode(ASSAY_SLICE("="), out, sizeof(out), &len, NULL),
                     ASSAY_ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_hold_and_the_broken_ones_are_refused),
        cmocka_unit_test(the_lengths_of_the_rfc_are_read_and_written),
        cmocka_unit_test(just_the_alphabet_is_taken_at_each_place),
        cmocka_unit_test(each_value_has_one_spelling),
        cmocka_unit_test(room_that_is_one_byte_short_is_a_limit),
        cmocka_unit_test(the_error_points_at_the_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
