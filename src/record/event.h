/* One entry of the event log: a change that others must hear of. */
#ifndef ASSAY_RECORD_EVENT_H
#define ASSAY_RECORD_EVENT_H

#include "base/attr.h"
#include "base/slice.h"
#include "base/status.h"
#include "record/cutoff.h"

#include <stdint.h>

#define ASSAY_MAX_EVENT (ASSAY_MAX_CUTOFF_ID + 32)

/* Every event is a cutoff; `seq` is its number and its place in the log. */
struct assay_event {
    uint64_t seq;
    int64_t made_at_s;
    enum assay_cutoff_kind kind;
    struct assay_slice id; /* borrows as in assay_token_record */
    enum assay_change_origin origin;
};

ASSAY_MUST_USE enum assay_status assay_event_write(const struct assay_event *event, uint8_t *out,
                                                   size_t size, size_t *ret_len,
                                                   struct assay_error *reterr);
ASSAY_MUST_USE enum assay_status assay_event_parse(uint64_t seq, struct assay_slice bytes,
                                                   struct assay_event *ret,
                                                   struct assay_error *reterr);

#endif
