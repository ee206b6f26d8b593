/* The log sink a caller provides. The core returns its failures; what it logs beyond that are
 * events an operator may want to act on, each with a name of its own. */
#ifndef ASSAY_BASE_LOG_H
#define ASSAY_BASE_LOG_H

#include "base/slice.h"

enum assay_log_level {
    ASSAY_LOG_ERROR,  /* an operator must act */
    ASSAY_LOG_WARN,   /* an operator may want to act */
    ASSAY_LOG_NOTICE, /* a state changed */
};

/* Where lines go. `event` is a constant word ("clock_stepped"); `detail` is text for people that
 * holds no secret; the sink escapes control and non-ASCII bytes and cuts at ASSAY_MAX_LOG_LINE. May
 * be called from any thread of the process. */
struct assay_log {
    void (*write)(struct assay_log *log, enum assay_log_level level, const char *event,
                  struct assay_slice detail);
    void *context; /* the sink's own */
};

#endif
