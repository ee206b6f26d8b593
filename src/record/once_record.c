#include "record/once_record.h"

#include "record/codec_priv.h"

#include <string.h>

#define VERSION 1

void assay_once_record_write(const struct assay_once_record *record, uint8_t out[ASSAY_ONCE_LEN])
{
    struct assay_buf buf;
    assay_buf_init(&buf, out, ASSAY_ONCE_LEN);
    assay_buf_append_byte(&buf, VERSION);
    codec_write_u64(&buf, (uint64_t)record->keep_until_s);
    codec_seal(&buf, assay_slice_of(record->id_sha256, ASSAY_SHA256_LEN));
}

enum assay_status assay_once_record_parse(struct assay_slice id_sha256, struct assay_slice bytes,
                                          struct assay_once_record *ret, struct assay_error *reterr)
{
    struct codec_reader r;
    enum assay_status status = codec_open(id_sha256, bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    int64_t keep_until_s = (int64_t)codec_read_u64(&r);
    r.bad |= id_sha256.len != ASSAY_SHA256_LEN || keep_until_s < 0;
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        memcpy(ret->id_sha256, id_sha256.data, ASSAY_SHA256_LEN);
        ret->keep_until_s = keep_until_s;
    }
    return status;
}
