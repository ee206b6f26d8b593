/* Is this image of a store one that a loss of power may leave? */
#ifndef ASSAY_TEST_CRASH_EXAMINE_H
#define ASSAY_TEST_CRASH_EXAMINE_H

#include "crash/ledger.h"

#include <stdbool.h>
#include <stdint.h>

enum verdict {
    VERDICT_NONE = 0, /* not looked at */
    VERDICT_GOOD,
    VERDICT_REFUSED,   /* does not open, or a look-up fails */
    VERDICT_LOST,      /* something acknowledged is missing, or something revoked lives */
    VERDICT_HALF,      /* its content is that of no commit that it may be */
    VERDICT_DISAGREES, /* its records do not agree with each other */
    VERDICT_STUCK,     /* it takes no further write, or a second start finds something else */
    VERDICT_CRASH,     /* looking at it ended the process */
    VERDICT_HANG,
};
#define VERDICTS 9

const char *verdict_name(enum verdict verdict);

struct examination {
    const struct ledger *ledger;
    const char *dir;         /* the store's directory in the image */
    uint32_t acked;          /* last answer before the loss of power */
    const uint64_t *digests; /* of the content after each commit of the file that is the store */
    uint32_t first_commit;   /* what may be there: from this one */
    uint32_t last_commit;    /* to this one */
    bool is_restored;        /* the file is the one that a restore put in place */
    bool is_copy;            /* a backup: taken at some time, so any commit will do */
    bool absent_is_allowed;  /* before the creation was answered */
    char why[200];           /* out */
};

enum verdict examine(struct examination *e);

#endif
