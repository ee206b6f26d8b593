#include "record/token_record.h"

#include "record/codec_priv.h"

#include <string.h>

#define VERSION 1

/* Which optional fields follow, in this order. */
enum field {
    HAS_NOT_BEFORE = 1u << 0,
    HAS_AUTH_TIME = 1u << 1,
    HAS_GRANT = 1u << 2,
    HAS_SUBJECT = 1u << 3,
    HAS_USERNAME = 1u << 4,
    HAS_SCOPE = 1u << 5,
    HAS_AUDIENCE = 1u << 6,
    HAS_SESSION = 1u << 7,
    HAS_CONFIRMATION = 1u << 8,
    HAS_ACR = 1u << 9,
    HAS_DETAILS = 1u << 10,
    HAS_EXTRA = 1u << 11,
    HAS_ROTATION = 1u << 12,
    HAS_SALT = 1u << 13,
    ALL_FIELDS = (1u << 14) - 1,
};

/* The text fields in the order they are stored, each with its flag and bound. */
struct text_field {
    size_t offset; /* of the slice in struct assay_token_record */
    unsigned flag;
    size_t max;
    bool list;
};

#define MAX_AUDIENCE_LIST ((size_t)ASSAY_MAX_AUDIENCES * (ASSAY_MAX_AUDIENCE + 1))
#define AT(member) offsetof(struct assay_token_record, member)
static const struct text_field text_fields[] = {
    {AT(subject), HAS_SUBJECT, ASSAY_MAX_SUBJECT, false},
    {AT(username), HAS_USERNAME, ASSAY_MAX_USERNAME, false},
    {AT(scope), HAS_SCOPE, ASSAY_MAX_SCOPE, true},
    {AT(audience), HAS_AUDIENCE, MAX_AUDIENCE_LIST, true},
    {AT(session), HAS_SESSION, ASSAY_MAX_SID, false},
    {AT(confirmation), HAS_CONFIRMATION, ASSAY_MAX_CLAIMS, false},
    {AT(acr), HAS_ACR, ASSAY_MAX_USERNAME, false},
    {AT(authorization_details), HAS_DETAILS, ASSAY_MAX_CLAIMS, false},
    {AT(extra), HAS_EXTRA, ASSAY_MAX_CLAIMS, false},
};
#define TEXT_FIELDS (sizeof(text_fields) / sizeof(text_fields[0]))

static const struct assay_slice *field_of(const struct assay_token_record *record, size_t i)
{
    return (const struct assay_slice *)(const void *)((const uint8_t *)record +
                                                      text_fields[i].offset);
}

static struct assay_slice *field_in(struct assay_token_record *record, size_t i)
{
    return (struct assay_slice *)(void *)((uint8_t *)record + text_fields[i].offset);
}

static unsigned flags_of(const struct assay_token_record *record)
{
    unsigned flags = 0;
    flags |= record->not_before_s != 0 ? HAS_NOT_BEFORE : 0;
    flags |= record->auth_time_s != 0 ? HAS_AUTH_TIME : 0;
    flags |= record->grant != 0 ? HAS_GRANT : 0;
    flags |= record->rotation.rotated_at_s != 0 ? HAS_ROTATION : 0;
    flags |= record->rotation.rotated_at_s != 0 && record->rotation.salted ? HAS_SALT : 0;
    for (size_t i = 0; i < TEXT_FIELDS; i++) {
        flags |= field_of(record, i)->len != 0 ? text_fields[i].flag : 0;
    }
    return flags;
}

static enum assay_status check_texts(const struct assay_token_record *record,
                                     struct assay_error *reterr)
{
    enum assay_status status = codec_check_text(record->client_id, ASSAY_MAX_CLIENT_ID, reterr);
    for (size_t i = 0; i < TEXT_FIELDS && status == ASSAY_OK; i++) {
        const struct text_field *field = &text_fields[i];
        status = field->list ? codec_check_list(*field_of(record, i), field->max, reterr)
                             : codec_check_text(*field_of(record, i), field->max, reterr);
    }
    return status;
}

static enum assay_status check_times(const struct assay_token_record *record,
                                     struct assay_error *reterr)
{
    const int64_t times[] = {record->issued_at_s, record->expires_at_s, record->not_before_s,
                             record->auth_time_s, record->rotation.rotated_at_s};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        enum assay_status status = codec_check_time(times[i], reterr);
        if (status != ASSAY_OK) {
            return status;
        }
    }
    if (record->expires_at_s <= record->issued_at_s) {
        return assay_fail(ASSAY_ERR_LIMIT, "a token must expire after it is issued", reterr);
    }
    return ASSAY_OK;
}

/* The record's key, as its check covers it: the class, then the number. */
static struct assay_slice key_of(struct assay_token_id id, uint8_t out[9])
{
    out[0] = id.lifetime_class;
    for (size_t i = 0; i < 8; i++) {
        out[1 + i] = (uint8_t)(id.seq >> (56 - 8 * i));
    }
    return assay_slice_of(out, 9);
}

static void write_rotation(const struct assay_rotation *rotation, struct assay_buf *out)
{
    codec_write_varint(out, (uint64_t)rotation->rotated_at_s);
    assay_buf_append_byte(out, rotation->successor.lifetime_class);
    codec_write_varint(out, rotation->successor.seq);
    assay_buf_append_byte(out, rotation->successor_generation);
    if (rotation->salted) {
        assay_buf_append(out, assay_slice_of(rotation->salt, ASSAY_SALT_LEN));
    }
}

enum assay_status assay_token_record_write(const struct assay_token_record *record, uint8_t *out,
                                           size_t size, size_t *ret_len, struct assay_error *reterr)
{
    enum assay_status status = check_texts(record, reterr);
    if (status == ASSAY_OK) {
        status = check_times(record, reterr);
    }
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_buf buf;
    unsigned flags = flags_of(record);
    assay_buf_init(&buf, out, size < ASSAY_MAX_TOKEN_RECORD ? size : ASSAY_MAX_TOKEN_RECORD);
    assay_buf_append_byte(&buf, VERSION);
    assay_buf_append_byte(&buf, (uint8_t)record->kind);
    assay_buf_append_byte(&buf, record->generation);
    codec_write_varint(&buf, flags);
    assay_buf_append(&buf, assay_slice_of(record->text_sha256, ASSAY_SHA256_LEN));
    codec_write_varint(&buf, (uint64_t)record->issued_at_s);
    codec_write_varint(&buf, (uint64_t)(record->expires_at_s - record->issued_at_s));
    codec_write_text(&buf, record->client_id);
    if (flags & HAS_NOT_BEFORE) {
        codec_write_varint(&buf, (uint64_t)record->not_before_s);
    }
    if (flags & HAS_AUTH_TIME) {
        codec_write_varint(&buf, (uint64_t)record->auth_time_s);
    }
    if (flags & HAS_GRANT) {
        codec_write_varint(&buf, record->grant);
    }
    for (size_t i = 0; i < TEXT_FIELDS; i++) {
        if (flags & text_fields[i].flag) {
            codec_write_text(&buf, *field_of(record, i));
        }
    }
    if (flags & HAS_ROTATION) {
        write_rotation(&record->rotation, &buf);
    }
    uint8_t key[9];
    return codec_finish(&buf, key_of(record->id, key), ret_len, reterr);
}

static void read_rotation(struct codec_reader *r, unsigned flags, struct assay_rotation *ret)
{
    ret->rotated_at_s = codec_read_time(r);
    ret->successor.lifetime_class = codec_read_byte(r);
    ret->successor.seq = codec_read_varint(r);
    ret->successor_generation = codec_read_byte(r);
    ret->salted = (flags & HAS_SALT) != 0;
    if (ret->salted) {
        struct assay_slice salt = codec_read_bytes(r, ASSAY_SALT_LEN);
        if (salt.len == ASSAY_SALT_LEN) {
            memcpy(ret->salt, salt.data, ASSAY_SALT_LEN);
        }
    }
    r->bad |= ret->rotated_at_s == 0 || ret->successor.lifetime_class >= ASSAY_LIFETIME_CLASSES ||
              ret->successor.seq > ASSAY_SEQ_MAX;
}

/* A field that is flagged is there: a record has one spelling. */
static void read_optional(struct codec_reader *r, unsigned flags, struct assay_token_record *ret)
{
    if (flags & HAS_NOT_BEFORE) {
        ret->not_before_s = codec_read_time(r);
        r->bad |= ret->not_before_s == 0;
    }
    if (flags & HAS_AUTH_TIME) {
        ret->auth_time_s = codec_read_time(r);
        r->bad |= ret->auth_time_s == 0;
    }
    if (flags & HAS_GRANT) {
        ret->grant = codec_read_varint(r);
        r->bad |= ret->grant == 0;
    }
    for (size_t i = 0; i < TEXT_FIELDS; i++) {
        if (flags & text_fields[i].flag) {
            *field_in(ret, i) = codec_read_text(r, text_fields[i].max);
            r->bad |= field_of(ret, i)->len == 0;
        }
    }
    if (flags & HAS_ROTATION) {
        read_rotation(r, flags, &ret->rotation);
    }
    r->bad |= (flags & (HAS_ROTATION | HAS_SALT)) == HAS_SALT;
}

enum assay_status assay_token_record_parse(struct assay_token_id id, struct assay_slice bytes,
                                           struct assay_token_record *ret,
                                           struct assay_error *reterr)
{
    uint8_t key[9];
    struct codec_reader r;
    enum assay_status status = codec_open(key_of(id, key), bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_token_record record = {.id = id};
    uint8_t kind = codec_read_byte(&r);
    record.kind = (enum assay_token_kind)kind;
    record.generation = codec_read_byte(&r);
    uint64_t flags = codec_read_varint(&r);
    struct assay_slice hash = codec_read_bytes(&r, ASSAY_SHA256_LEN);
    record.issued_at_s = codec_read_time(&r);
    int64_t lifetime_s = codec_read_time(&r);
    record.client_id = codec_read_text(&r, ASSAY_MAX_CLIENT_ID);
    r.bad |= lifetime_s == 0 || codec_check_time(record.issued_at_s + lifetime_s, NULL) != ASSAY_OK;
    if (r.bad || flags > ALL_FIELDS ||
        (kind != ASSAY_TOKEN_ACCESS && kind != ASSAY_TOKEN_REFRESH)) {
        return assay_fail(ASSAY_ERR_CORRUPT, "token record breaks its format", reterr);
    }
    record.expires_at_s = record.issued_at_s + lifetime_s;
    memcpy(record.text_sha256, hash.data, ASSAY_SHA256_LEN);
    read_optional(&r, (unsigned)flags, &record);
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        *ret = record;
    }
    return status;
}
