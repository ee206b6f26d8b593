#include "record/client_record.h"

#include "record/codec_priv.h"

#include <string.h>

#define VERSION 1

enum flag {
    IS_DISABLED = 1u << 0,
    IS_ADMIN = 1u << 1,
    IS_RESOURCE_SERVER = 1u << 2,
    INTROSPECTS_REFRESH = 1u << 3,
    ALL_FLAGS = (1u << 4) - 1,
};

#define MAX_AUDIENCES ((size_t)ASSAY_MAX_CLIENT_AUDIENCES * (ASSAY_MAX_AUDIENCE + 1))

/* What could be written and not read again must not be written. */
static enum assay_status check_times(const struct assay_client_record *record,
                                     struct assay_error *reterr)
{
    int64_t times[3 + 2 * ASSAY_MAX_CLIENT_SECRETS] = {
        record->created_at_s, record->access_lifetime_s, record->refresh_lifetime_s};
    size_t count = 3;
    for (size_t i = 0; i < record->secret_count; i++) {
        times[count++] = record->secrets[i].created_at_s;
        times[count++] = record->secrets[i].expires_at_s;
    }
    for (size_t i = 0; i < count; i++) {
        enum assay_status status = codec_check_time(times[i], reterr);
        if (status != ASSAY_OK) {
            return status;
        }
    }
    return ASSAY_OK;
}

static enum assay_status check(const struct assay_client_record *record, struct assay_error *reterr)
{
    const struct {
        struct assay_slice text;
        size_t max;
        bool list;
    } fields[] = {
        {record->client_id, ASSAY_MAX_CLIENT_ID, false},
        {record->name, ASSAY_MAX_CLIENT_NAME, false},
        {record->scope, ASSAY_MAX_SCOPE, true},
        {record->default_scope, ASSAY_MAX_SCOPE, true},
        {record->audience, MAX_AUDIENCES, true},
        {record->default_audience, MAX_AUDIENCES, true},
    };
    if (record->client_id.len == 0) {
        return assay_fail(ASSAY_ERR_SYNTAX, "a client needs an id", reterr);
    }
    if ((record->members & ~ASSAY_MEMBERS_ALL) != 0) {
        return assay_fail(ASSAY_ERR_SYNTAX, "there is no such member", reterr);
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        enum assay_status status = fields[i].list
                                       ? codec_check_list(fields[i].text, fields[i].max, reterr)
                                       : codec_check_text(fields[i].text, fields[i].max, reterr);
        if (status != ASSAY_OK) {
            return status;
        }
    }
    if (record->secret_count > ASSAY_MAX_CLIENT_SECRETS) {
        return assay_fail(ASSAY_ERR_LIMIT, "a client has two secrets at most", reterr);
    }
    return check_times(record, reterr);
}

static void write_secret(const struct assay_client_secret *secret, struct assay_buf *out)
{
    assay_buf_append_byte(out, (uint8_t)secret->form);
    assay_buf_append(out, assay_slice_of(secret->hash, ASSAY_SHA256_LEN));
    assay_buf_append(out, assay_slice_of(secret->salt, ASSAY_SCRYPT_SALT_LEN));
    codec_write_varint(out, (uint64_t)secret->created_at_s);
    codec_write_varint(out, (uint64_t)secret->expires_at_s);
}

static unsigned flags_of(const struct assay_client_record *record)
{
    return (record->disabled ? IS_DISABLED : 0u) | (record->admin ? IS_ADMIN : 0u) |
           (record->resource_server ? IS_RESOURCE_SERVER : 0u) |
           (record->introspects_refresh ? INTROSPECTS_REFRESH : 0u);
}

enum assay_status assay_client_record_write(const struct assay_client_record *record, uint8_t *out,
                                            size_t size, size_t *ret_len,
                                            struct assay_error *reterr)
{
    enum assay_status status = check(record, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_buf buf;
    assay_buf_init(&buf, out, size < ASSAY_MAX_CLIENT_RECORD ? size : ASSAY_MAX_CLIENT_RECORD);
    assay_buf_append_byte(&buf, VERSION);
    assay_buf_append_byte(&buf, (uint8_t)flags_of(record));
    assay_buf_append_byte(&buf, (uint8_t)record->auth_method);
    assay_buf_append_byte(&buf, (uint8_t)record->secret_count);
    codec_write_varint(&buf, record->grants);
    codec_write_varint(&buf, record->members);
    codec_write_varint(&buf, record->version);
    codec_write_varint(&buf, (uint64_t)record->created_at_s);
    codec_write_varint(&buf, (uint64_t)record->access_lifetime_s);
    codec_write_varint(&buf, (uint64_t)record->refresh_lifetime_s);
    codec_write_text(&buf, record->name);
    codec_write_text(&buf, record->scope);
    codec_write_text(&buf, record->default_scope);
    codec_write_text(&buf, record->audience);
    codec_write_text(&buf, record->default_audience);
    for (size_t i = 0; i < record->secret_count; i++) {
        write_secret(&record->secrets[i], &buf);
    }
    return codec_finish(&buf, record->client_id, ret_len, reterr);
}

static void read_secret(struct codec_reader *r, struct assay_client_secret *ret)
{
    uint8_t form = codec_read_byte(r);
    struct assay_slice hash = codec_read_bytes(r, ASSAY_SHA256_LEN);
    struct assay_slice salt = codec_read_bytes(r, ASSAY_SCRYPT_SALT_LEN);
    if (r->bad || (form != ASSAY_SECRET_SHA256 && form != ASSAY_SECRET_SCRYPT)) {
        r->bad = true;
        return;
    }
    ret->form = (enum assay_secret_form)form;
    memcpy(ret->hash, hash.data, ASSAY_SHA256_LEN);
    memcpy(ret->salt, salt.data, ASSAY_SCRYPT_SALT_LEN);
    ret->created_at_s = codec_read_time(r);
    ret->expires_at_s = codec_read_time(r);
}

static void read_body(struct codec_reader *r, struct assay_client_record *record)
{
    uint8_t flags = codec_read_byte(r);
    uint8_t method = codec_read_byte(r);
    record->secret_count = codec_read_byte(r);
    uint64_t grants = codec_read_varint(r);
    uint64_t members = codec_read_varint(r);
    record->version = codec_read_varint(r);
    record->created_at_s = codec_read_time(r);
    record->access_lifetime_s = codec_read_time(r);
    record->refresh_lifetime_s = codec_read_time(r);
    record->name = codec_read_text(r, ASSAY_MAX_CLIENT_NAME);
    record->scope = codec_read_text(r, ASSAY_MAX_SCOPE);
    record->default_scope = codec_read_text(r, ASSAY_MAX_SCOPE);
    record->audience = codec_read_text(r, MAX_AUDIENCES);
    record->default_audience = codec_read_text(r, MAX_AUDIENCES);
    r->bad |= flags > ALL_FLAGS || method > ASSAY_AUTH_SECRET_POST ||
              record->secret_count > ASSAY_MAX_CLIENT_SECRETS || grants > UINT32_MAX ||
              members > ASSAY_MEMBERS_ALL;
    if (r->bad) {
        return;
    }
    record->disabled = (flags & IS_DISABLED) != 0;
    record->admin = (flags & IS_ADMIN) != 0;
    record->resource_server = (flags & IS_RESOURCE_SERVER) != 0;
    record->introspects_refresh = (flags & INTROSPECTS_REFRESH) != 0;
    record->auth_method = (enum assay_auth_method)method;
    record->grants = (uint32_t)grants;
    record->members = (uint32_t)members;
    for (size_t i = 0; i < record->secret_count; i++) {
        read_secret(r, &record->secrets[i]);
    }
}

enum assay_status assay_client_record_parse(struct assay_slice client_id, struct assay_slice bytes,
                                            struct assay_client_record *ret,
                                            struct assay_error *reterr)
{
    struct codec_reader r;
    enum assay_status status = codec_open(client_id, bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_client_record record = {.client_id = client_id};
    read_body(&r, &record);
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        *ret = record;
    }
    return status;
}
