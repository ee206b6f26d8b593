#include "oauth/freshness.h"

#include "base/buf.h"

#define HEX_LEN 16
#define DECIMAL_LEN 20 /* of the largest 64-bit number */

/* --- writing --- */

static void write_hex(uint64_t value, struct assay_json_writer *w)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t text[HEX_LEN];
    for (size_t i = 0; i < HEX_LEN; i++) {
        text[i] = (uint8_t)digits[value >> (60 - 4 * i) & 0xF];
    }
    assay_json_string(w, assay_slice_of(text, HEX_LEN));
}

static void write_decimal(uint64_t value, struct assay_json_writer *w)
{
    uint8_t text[DECIMAL_LEN];
    struct assay_buf buf;
    assay_buf_init(&buf, text, sizeof(text));
    assay_buf_append_u64(&buf, value);
    assay_json_string(w, assay_buf_slice(&buf));
}

void assay_freshness_write(const struct assay_freshness *freshness, struct assay_json_writer *w)
{
    assay_json_key(w, ASSAY_JSON_KEY("assay"));
    assay_json_object_open(w);
    assay_json_key(w, ASSAY_JSON_KEY("log"));
    write_hex(freshness->log, w);
    assay_json_key(w, ASSAY_JSON_KEY("as_of"));
    write_decimal(freshness->as_of, w);
    assay_json_key(w, ASSAY_JSON_KEY("keys"));
    assay_json_array_open(w);
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS; i++) {
        if (freshness->keys[i] == 0) {
            assay_json_null(w);
        } else {
            write_hex(freshness->keys[i], w);
        }
    }
    assay_json_array_close(w);
    assay_json_object_close(w);
}

/* --- reading --- */

static bool read_hex(const struct assay_json_value *value, uint64_t *ret)
{
    struct assay_slice text;
    uint64_t number = 0;
    if (!assay_json_value_string(value, &text) || text.len != HEX_LEN) {
        return false;
    }
    for (size_t i = 0; i < HEX_LEN; i++) {
        uint8_t c = text.data[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) {
            return false;
        }
        number = number << 4 | (digit ? (uint64_t)(c - '0') : (uint64_t)(c - 'a') + 10);
    }
    *ret = number;
    return true;
}

static bool read_decimal(const struct assay_json_value *value, uint64_t *ret)
{
    struct assay_slice text;
    uint64_t number = 0;
    if (!assay_json_value_string(value, &text) || text.len == 0 || text.len >= DECIMAL_LEN ||
        text.data[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret = number;
    return true;
}

static bool read_keys(const struct assay_json_value *keys, struct assay_freshness *ret)
{
    bool good = assay_json_value_count(keys) == ASSAY_FRESHNESS_KINDS;
    for (size_t i = 0; i < ASSAY_FRESHNESS_KINDS && good; i++) {
        const struct assay_json_value *key = assay_json_value_item(keys, i);
        good = assay_json_value_type(key) == ASSAY_JSON_NULL || read_hex(key, &ret->keys[i]);
    }
    return good;
}

enum assay_status assay_freshness_read(const struct assay_json *answer, struct assay_freshness *ret,
                                       struct assay_error *reterr)
{
    struct assay_freshness read = {0};
    *ret = read;
    if (assay_json_type(answer, ASSAY_SLICE("assay")) == ASSAY_JSON_ABSENT) {
        return ASSAY_OK;
    }
    bool good = read_hex(assay_json_point(answer, ASSAY_SLICE("/assay/log")), &read.log) &&
                read_decimal(assay_json_point(answer, ASSAY_SLICE("/assay/as_of")), &read.as_of) &&
                read_keys(assay_json_point(answer, ASSAY_SLICE("/assay/keys")), &read);
    if (!good) {
        return assay_fail(ASSAY_ERR_SYNTAX, "the member \"assay\" of the answer is malformed",
                          reterr);
    }
    *ret = read;
    return ASSAY_OK;
}
