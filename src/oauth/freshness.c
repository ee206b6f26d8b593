#include "oauth/freshness.h"

#include "base/buf.h"

#define HEX_LEN 16
#define DECIMAL_LEN 20 /* of the largest 64-bit number */

/* --- keys --- */

#define ID_ROOM 512 /* a kind and an id, or a label and a client id */

static enum assay_status hmac(struct assay_slice key, struct assay_slice label,
                              struct assay_slice id, uint8_t ret[ASSAY_SHA256_LEN],
                              struct assay_error *reterr)
{
    uint8_t room[ID_ROOM];
    struct assay_buf buf;
    assay_buf_init(&buf, room, sizeof(room));
    assay_buf_append(&buf, label);
    assay_buf_append_byte(&buf, 0);
    assay_buf_append(&buf, id);
    if (buf.spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "an id is too long", reterr);
    }
    return assay_hmac_sha256(key, assay_buf_slice(&buf), ret, reterr);
}

/* Big-endian, so that it is the same on every machine. */
static uint64_t head_of(const uint8_t digest[ASSAY_SHA256_LEN])
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof(head); i++) {
        head = head << 8 | digest[i];
    }
    return head == 0 ? 1 : head;
}

enum assay_status assay_freshness_key(const uint8_t receiver[ASSAY_SHA256_LEN],
                                      enum assay_freshness_kind kind, struct assay_slice id,
                                      uint64_t *ret, struct assay_error *reterr)
{
    uint8_t digest[ASSAY_SHA256_LEN] = {0};
    uint8_t label = (uint8_t)kind;
    enum assay_status status = hmac(assay_slice_of(receiver, ASSAY_SHA256_LEN),
                                    assay_slice_of(&label, 1), id, digest, reterr);
    *ret = status == ASSAY_OK ? head_of(digest) : 0;
    return status;
}

enum assay_status assay_freshness_receiver(struct assay_slice log, struct assay_slice client_id,
                                           uint8_t ret[ASSAY_SHA256_LEN],
                                           struct assay_error *reterr)
{
    return hmac(log, ASSAY_SLICE("assay receiver"), client_id, ret, reterr);
}

enum assay_status assay_freshness_log(struct assay_slice log, uint64_t *ret,
                                      struct assay_error *reterr)
{
    uint8_t digest[ASSAY_SHA256_LEN] = {0};
    enum assay_status status =
        hmac(log, ASSAY_SLICE("assay log"), (struct assay_slice){0}, digest, reterr);
    *ret = status == ASSAY_OK ? head_of(digest) : 0;
    return status;
}

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
