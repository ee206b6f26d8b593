#include "record/key_record.h"

#include "record/codec_priv.h"

#include <string.h>

#define VERSION 1
#define SPARE_LEN (ASSAY_KEY_RECORD_LEN - 1 - 8 - ASSAY_SEAL_KEY_LEN - CODEC_CRC_LEN)

void assay_key_record_write(const struct assay_key_record *record,
                            uint8_t out[ASSAY_KEY_RECORD_LEN])
{
    static const uint8_t spare[SPARE_LEN];
    struct assay_buf buf;
    assay_buf_init(&buf, out, ASSAY_KEY_RECORD_LEN);
    assay_buf_append_byte(&buf, VERSION);
    codec_write_u64(&buf, (uint64_t)record->created_at_s);
    assay_buf_append(&buf, assay_slice_of(record->key, ASSAY_SEAL_KEY_LEN));
    assay_buf_append(&buf, assay_slice_of(spare, SPARE_LEN));
    codec_seal(&buf, assay_slice_of(&record->generation, 1));
}

enum assay_status assay_key_record_parse(uint8_t generation, struct assay_slice bytes,
                                         struct assay_key_record *ret, struct assay_error *reterr)
{
    struct codec_reader r;
    enum assay_status status =
        codec_open(assay_slice_of(&generation, 1), bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    int64_t created_at_s = (int64_t)codec_read_u64(&r);
    struct assay_slice key = codec_read_bytes(&r, ASSAY_SEAL_KEY_LEN);
    struct assay_slice spare = codec_read_bytes(&r, SPARE_LEN);
    for (size_t i = 0; i < spare.len; i++) {
        r.bad |= spare.data[i] != 0;
    }
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        ret->generation = generation;
        ret->created_at_s = created_at_s;
        memcpy(ret->key, key.data, ASSAY_SEAL_KEY_LEN);
    }
    return status;
}
