#include "record/grant_record.h"

#include "record/codec_priv.h"
#include "record/cutoff.h"

#define VERSION 1

static enum assay_status check(const struct assay_grant_record *record, struct assay_error *reterr)
{
    enum assay_status status = codec_check_text(record->client_id, ASSAY_MAX_CLIENT_ID, reterr);
    if (status == ASSAY_OK) {
        status = codec_check_text(record->subject, ASSAY_MAX_SUBJECT, reterr);
    }
    if (status == ASSAY_OK) {
        status = codec_check_list(record->scope, ASSAY_MAX_SCOPE, reterr);
    }
    if (status == ASSAY_OK) {
        status = codec_check_time(record->created_at_s, reterr);
    }
    return status == ASSAY_OK ? codec_check_time(record->expires_at_s, reterr) : status;
}

enum assay_status assay_grant_record_write(const struct assay_grant_record *record, uint8_t *out,
                                           size_t size, size_t *ret_len, struct assay_error *reterr)
{
    enum assay_status status = check(record, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_buf buf;
    uint8_t key[8];
    assay_buf_init(&buf, out, size < ASSAY_MAX_GRANT_RECORD ? size : ASSAY_MAX_GRANT_RECORD);
    assay_buf_append_byte(&buf, VERSION);
    codec_write_text(&buf, record->client_id);
    codec_write_text(&buf, record->subject);
    codec_write_text(&buf, record->scope);
    codec_write_varint(&buf, (uint64_t)record->created_at_s);
    codec_write_varint(&buf, (uint64_t)record->expires_at_s);
    assay_buf_append_byte(&buf, record->current.lifetime_class);
    codec_write_varint(&buf, record->current.seq);
    return codec_finish(&buf, assay_cutoff_number_id(record->grant, key), ret_len, reterr);
}

enum assay_status assay_grant_record_parse(uint64_t grant, struct assay_slice bytes,
                                           struct assay_grant_record *ret,
                                           struct assay_error *reterr)
{
    uint8_t key[8];
    struct codec_reader r;
    enum assay_status status =
        codec_open(assay_cutoff_number_id(grant, key), bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_grant_record record = {.grant = grant};
    record.client_id = codec_read_text(&r, ASSAY_MAX_CLIENT_ID);
    record.subject = codec_read_text(&r, ASSAY_MAX_SUBJECT);
    record.scope = codec_read_text(&r, ASSAY_MAX_SCOPE);
    record.created_at_s = codec_read_time(&r);
    record.expires_at_s = codec_read_time(&r);
    record.current.lifetime_class = codec_read_byte(&r);
    record.current.seq = codec_read_varint(&r);
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        *ret = record;
    }
    return status;
}
