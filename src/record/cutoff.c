#include "record/cutoff.h"

#include "record/codec_priv.h"

#include <string.h>

#define VERSION 1

size_t assay_cutoff_key(enum assay_cutoff_kind kind, struct assay_slice id,
                        uint8_t out[ASSAY_CUTOFF_KEY_SIZE])
{
    if (id.len > ASSAY_MAX_CUTOFF_ID) {
        return 0;
    }
    out[0] = (uint8_t)kind;
    if (id.len != 0) {
        memcpy(out + 1, id.data, id.len);
    }
    return 1 + id.len;
}

struct assay_slice assay_cutoff_number_id(uint64_t number, uint8_t out[8])
{
    for (size_t i = 0; i < 8; i++) {
        out[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    return assay_slice_of(out, 8);
}

/* Fixed: version, origin, two spare bytes, number, when made, kept until, check. */
void assay_cutoff_write(const struct assay_cutoff *cutoff, uint8_t out[ASSAY_CUTOFF_VALUE_LEN])
{
    uint8_t key[ASSAY_CUTOFF_KEY_SIZE];
    size_t key_len = assay_cutoff_key(cutoff->kind, cutoff->id, key);
    struct assay_buf buf;
    assay_buf_init(&buf, out, ASSAY_CUTOFF_VALUE_LEN);
    assay_buf_append_byte(&buf, VERSION);
    assay_buf_append_byte(&buf, (uint8_t)cutoff->origin);
    assay_buf_append_byte(&buf, 0);
    assay_buf_append_byte(&buf, 0);
    codec_write_u64(&buf, cutoff->seq);
    codec_write_u64(&buf, (uint64_t)cutoff->made_at_s);
    codec_write_u64(&buf, (uint64_t)cutoff->keep_until_s);
    codec_seal(&buf, assay_slice_of(key, key_len));
}

enum assay_status assay_cutoff_parse(struct assay_slice key, struct assay_slice bytes,
                                     struct assay_cutoff *ret, struct assay_error *reterr)
{
    struct codec_reader r;
    if (key.len == 0 || key.len > ASSAY_CUTOFF_KEY_SIZE || key.data[0] >= ASSAY_CUTOFF_KINDS) {
        return assay_fail(ASSAY_ERR_CORRUPT, "cutoff has a bad key", reterr);
    }
    enum assay_status status = codec_open(key, bytes, VERSION, &r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    struct assay_cutoff cutoff = {
        .kind = (enum assay_cutoff_kind)key.data[0],
        .id = assay_slice_from(key, 1),
    };
    uint8_t origin = codec_read_byte(&r);
    struct assay_slice spare = codec_read_bytes(&r, 2);
    cutoff.origin = (enum assay_change_origin)origin;
    cutoff.seq = codec_read_u64(&r);
    cutoff.made_at_s = (int64_t)codec_read_u64(&r);
    cutoff.keep_until_s = (int64_t)codec_read_u64(&r);
    status = codec_close(&r, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    if (spare.data[0] != 0 || spare.data[1] != 0 || origin < ASSAY_BY_CLIENT ||
        origin > ASSAY_BY_RESTORE) {
        return assay_fail(ASSAY_ERR_CORRUPT, "cutoff breaks its format", reterr);
    }
    *ret = cutoff;
    return ASSAY_OK;
}

size_t assay_cutoff_names(const struct assay_token_record *token, struct assay_cutoff_room *room,
                          struct assay_cutoff_name ret[ASSAY_CUTOFF_KINDS])
{
    size_t count = 0;
    ret[count++] = (struct assay_cutoff_name){ASSAY_CUTOFF_TOKEN,
                                              assay_cutoff_number_id(token->id.seq, room->token)};
    if (token->grant != 0) {
        ret[count++] = (struct assay_cutoff_name){
            ASSAY_CUTOFF_GRANT, assay_cutoff_number_id(token->grant, room->grant)};
    }
    if (token->session.len != 0) {
        ret[count++] = (struct assay_cutoff_name){ASSAY_CUTOFF_SESSION, token->session};
    }
    if (token->subject.len != 0) {
        ret[count++] = (struct assay_cutoff_name){ASSAY_CUTOFF_SUBJECT, token->subject};
    }
    ret[count++] = (struct assay_cutoff_name){ASSAY_CUTOFF_CLIENT, token->client_id};
    ret[count++] = (struct assay_cutoff_name){ASSAY_CUTOFF_EVERYTHING, (struct assay_slice){0}};
    return count;
}
