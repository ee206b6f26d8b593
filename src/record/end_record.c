#include "record/end_record.h"

#include "record/codec_priv.h"

#define VERSION 1

void assay_end_key(const struct assay_end_record *record, uint8_t out[ASSAY_END_KEY_LEN])
{
    out[0] = (uint8_t)record->kind;
    assay_cutoff_number_id((uint64_t)record->until_s, out + 1);
    assay_cutoff_number_id(record->seq, out + 9);
}

enum assay_status assay_end_record_write(const struct assay_end_record *record, uint8_t *out,
                                         size_t size, size_t *ret_len, struct assay_error *reterr)
{
    enum assay_status status = codec_check_time(record->until_s, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (record->detail.len > ASSAY_CUTOFF_KEY_SIZE) {
        return assay_fail(ASSAY_ERR_LIMIT, "id is too long for an entry of ends", reterr);
    }
    struct assay_buf buf;
    uint8_t key[ASSAY_END_KEY_LEN];
    assay_end_key(record, key);
    assay_buf_init(&buf, out, size);
    assay_buf_append_byte(&buf, VERSION);
    codec_write_text(&buf, record->detail);
    return codec_finish(&buf, assay_slice_of(key, sizeof(key)), ret_len, reterr);
}

static bool is_kind(uint8_t byte)
{
    return byte == ASSAY_END_CUTOFF || byte == ASSAY_END_GRANT || byte == ASSAY_END_ONCE ||
           byte == ASSAY_END_SALT;
}

enum assay_status assay_end_record_parse(struct assay_slice key, struct assay_slice bytes,
                                         struct assay_end_record *ret, struct assay_error *reterr)
{
    struct codec_reader r;
    struct codec_reader name = {.rest = key};
    enum assay_status status = codec_open(key, bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    uint8_t kind = codec_read_byte(&name);
    struct assay_end_record record = {.until_s = (int64_t)codec_read_u64(&name)};
    record.seq = codec_read_u64(&name);
    record.detail = codec_read_text(&r, ASSAY_CUTOFF_KEY_SIZE);
    r.bad |= name.bad || name.rest.len != 0 || !is_kind(kind) || record.until_s < 0;
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        record.kind = (enum assay_end_kind)kind;
        *ret = record;
    }
    return status;
}
