#include "record/event.h"

#include "record/codec_priv.h"

#define VERSION 1

enum assay_status assay_event_write(const struct assay_event *event, uint8_t *out, size_t size,
                                    size_t *ret_len, struct assay_error *reterr)
{
    if (event->id.len > ASSAY_MAX_CUTOFF_ID) {
        return assay_fail(ASSAY_ERR_LIMIT, "id is too long for an event", reterr);
    }
    enum assay_status status = codec_check_time(event->made_at_s, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_buf buf;
    uint8_t key[8];
    assay_buf_init(&buf, out, size);
    assay_buf_append_byte(&buf, VERSION);
    assay_buf_append_byte(&buf, (uint8_t)event->kind);
    assay_buf_append_byte(&buf, (uint8_t)event->origin);
    codec_write_varint(&buf, (uint64_t)event->made_at_s);
    codec_write_text(&buf, event->id);
    return codec_finish(&buf, assay_cutoff_number_id(event->seq, key), ret_len, reterr);
}

enum assay_status assay_event_parse(uint64_t seq, struct assay_slice bytes, struct assay_event *ret,
                                    struct assay_error *reterr)
{
    uint8_t key[8];
    struct codec_reader r;
    enum assay_status status =
        codec_open(assay_cutoff_number_id(seq, key), bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_event event = {.seq = seq};
    uint8_t kind = codec_read_byte(&r);
    uint8_t origin = codec_read_byte(&r);
    event.made_at_s = codec_read_time(&r);
    event.id = codec_read_text(&r, ASSAY_MAX_CUTOFF_ID);
    r.bad |= kind >= ASSAY_CUTOFF_KINDS || origin < ASSAY_BY_CLIENT || origin > ASSAY_BY_RESTORE;
    status = codec_close(&r, reterr);
    if (status == ASSAY_OK) {
        event.kind = (enum assay_cutoff_kind)kind;
        event.origin = (enum assay_change_origin)origin;
        *ret = event;
    }
    return status;
}
