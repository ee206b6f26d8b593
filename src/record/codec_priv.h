/* How records are spelled: fixed bytes, varints (LEB128, shortest form), and length-prefixed text,
 * closed by a CRC-32C over the record's key and all bytes before it. docs/record-format.md has the
 * layouts. */
#ifndef ASSAY_RECORD_CODEC_PRIV_H
#define ASSAY_RECORD_CODEC_PRIV_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define CODEC_CRC_LEN 4

void codec_write_varint(struct assay_buf *out, uint64_t value);
void codec_write_text(struct assay_buf *out, struct assay_slice text);
void codec_write_u64(struct assay_buf *out, uint64_t value); /* 8 bytes big-endian */

/* Closes the record: appends the check over `key` and what `out` holds. */
void codec_seal(struct assay_buf *out, struct assay_slice key);

/* The end of a write: ASSAY_OK and the length, or ASSAY_ERR_LIMIT when the room was too small. */
ASSAY_MUST_USE enum assay_status codec_finish(struct assay_buf *out, struct assay_slice key,
                                              size_t *ret_len, struct assay_error *reterr);

/* A reader; the first thing that is not as it should be marks it bad, and everything after it reads
 * as nothing. One look at the end. */
struct codec_reader {
    struct assay_slice rest;
    bool bad;
};

/* Checks the seal of `bytes` under `key` and the version byte it starts with, and starts a reader
 * behind that byte and before the check. ASSAY_ERR_CORRUPT otherwise. */
ASSAY_MUST_USE enum assay_status codec_open(struct assay_slice key, struct assay_slice bytes,
                                            uint8_t version, struct codec_reader *ret,
                                            struct assay_error *reterr);

uint8_t codec_read_byte(struct codec_reader *r);
uint64_t codec_read_varint(struct codec_reader *r);
int64_t codec_read_time(struct codec_reader *r); /* a varint below 2^62 */
uint64_t codec_read_u64(struct codec_reader *r);
struct assay_slice codec_read_text(struct codec_reader *r, size_t max);
struct assay_slice codec_read_bytes(struct codec_reader *r, size_t len);

/* ASSAY_OK when all was read and nothing was bad. */
ASSAY_MUST_USE enum assay_status codec_close(const struct codec_reader *r,
                                             struct assay_error *reterr);

/* What a record may hold: at most `max` bytes of text (base/utf8.h), of one line, or a list of
 * items that single spaces separate. ASSAY_ERR_LIMIT or ASSAY_ERR_SYNTAX otherwise. */
ASSAY_MUST_USE enum assay_status codec_check_text(struct assay_slice text, size_t max,
                                                  struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status codec_check_list(struct assay_slice list, size_t max,
                                                  struct assay_error *reterr);
/* A time in seconds since the epoch that a record can hold: not negative, below 2^62. */
ASSAY_MUST_USE enum assay_status codec_check_time(int64_t time_s, struct assay_error *reterr);

#endif
