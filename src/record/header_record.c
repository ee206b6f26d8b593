#include "record/header_record.h"

#include "record/codec_priv.h"

#include <string.h>

#define VERSION 1

static const struct assay_slice key = {(const uint8_t *)"header", 6};

void assay_header_write(const struct assay_header_record *header, uint8_t out[ASSAY_HEADER_LEN])
{
    struct assay_buf buf;
    assay_buf_init(&buf, out, ASSAY_HEADER_LEN);
    assay_buf_append_byte(&buf, VERSION);
    assay_buf_append(&buf, assay_slice_of(header->log, ASSAY_LOG_ID_LEN));
    codec_write_u64(&buf, header->seq);
    for (size_t i = 0; i < ASSAY_CUTOFF_KINDS; i++) {
        codec_write_u64(&buf, header->newest_cutoff[i]);
    }
    codec_write_u64(&buf, header->clients_seq);
    codec_write_u64(&buf, header->keys_seq);
    codec_write_u64(&buf, header->newest_generation);
    codec_write_u64(&buf, header->events_from);
    codec_write_u64(&buf, (uint64_t)header->longest_lifetime_s);
    codec_write_u64(&buf, (uint64_t)header->latest_expiry_s);
    codec_write_u64(&buf, (uint64_t)header->horizon_s);
    codec_write_u64(&buf, (uint64_t)header->hold_until_s);
    codec_write_u64(&buf, (uint64_t)header->stepped_until_s);
    codec_write_u64(&buf, (uint64_t)header->kept_until_s);
    codec_write_u64(&buf, (uint64_t)header->clock_s);
    codec_write_u64(&buf, (uint64_t)header->steady_s);
    assay_buf_append(&buf, assay_slice_of(header->steady_id, ASSAY_STEADY_ID_LEN));
    codec_write_u64(&buf, header->snapshot);
    codec_write_u64(&buf, header->vital_count);
    codec_write_u64(&buf, header->vital_digest);
    codec_seal(&buf, key);
}

enum assay_status assay_header_parse(struct assay_slice bytes, struct assay_header_record *ret,
                                     struct assay_error *reterr)
{
    struct codec_reader r;
    if (bytes.len != 0 && bytes.data[0] > VERSION) {
        return assay_fail(ASSAY_ERR_CORRUPT,
                          "the store was written by a newer version of assay: only that one, or a "
                          "still newer one, can read it",
                          reterr);
    }
    enum assay_status status = codec_open(key, bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_slice log = codec_read_bytes(&r, ASSAY_LOG_ID_LEN);
    struct assay_header_record header = {.seq = codec_read_u64(&r)};
    for (size_t i = 0; i < ASSAY_CUTOFF_KINDS; i++) {
        header.newest_cutoff[i] = codec_read_u64(&r);
    }
    header.clients_seq = codec_read_u64(&r);
    header.keys_seq = codec_read_u64(&r);
    header.newest_generation = codec_read_u64(&r);
    header.events_from = codec_read_u64(&r);
    header.longest_lifetime_s = (int64_t)codec_read_u64(&r);
    header.latest_expiry_s = (int64_t)codec_read_u64(&r);
    header.horizon_s = (int64_t)codec_read_u64(&r);
    header.hold_until_s = (int64_t)codec_read_u64(&r);
    header.stepped_until_s = (int64_t)codec_read_u64(&r);
    header.kept_until_s = (int64_t)codec_read_u64(&r);
    header.clock_s = (int64_t)codec_read_u64(&r);
    header.steady_s = (int64_t)codec_read_u64(&r);
    struct assay_slice steady_id = codec_read_bytes(&r, ASSAY_STEADY_ID_LEN);
    header.snapshot = codec_read_u64(&r);
    header.vital_count = codec_read_u64(&r);
    header.vital_digest = codec_read_u64(&r);
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        memcpy(header.log, log.data, ASSAY_LOG_ID_LEN);
        memcpy(header.steady_id, steady_id.data, ASSAY_STEADY_ID_LEN);
        *ret = header;
    }
    return status;
}
