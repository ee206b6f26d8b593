#include "base/status.h"

enum assay_status assay_fail(enum assay_status status, const char *what, struct assay_error *reterr)
{
    if (reterr != NULL) {
        *reterr = (struct assay_error){.what = what};
    }
    return status;
}

const char *assay_status_name(enum assay_status status)
{
    switch (status) {
    case ASSAY_OK:
        return "ok";
    case ASSAY_ERR_SYNTAX:
        return "syntax";
    case ASSAY_ERR_LIMIT:
        return "limit";
    case ASSAY_ERR_CRYPTO:
        return "crypto";
    case ASSAY_ERR_STORE:
        return "store";
    case ASSAY_ERR_FULL:
        return "full";
    case ASSAY_ERR_CORRUPT:
        return "corrupt";
    case ASSAY_ERR_EXISTS:
        return "exists";
    case ASSAY_ERR_ABSENT:
        return "absent";
    case ASSAY_ERR_CONFLICT:
        return "conflict";
    case ASSAY_ERR_SYSTEM:
        return "system";
    }
    return "unknown";
}
