#include "jose/fault.h"

const char *assay_jose_fault_name(enum assay_jose_fault fault)
{
    switch (fault) {
    case ASSAY_JOSE_OK:
        return "ok";
    case ASSAY_JOSE_TOO_LONG:
        return "too_long";
    case ASSAY_JOSE_PARTS:
        return "parts";
    case ASSAY_JOSE_ENCRYPTED:
        return "encrypted";
    case ASSAY_JOSE_BASE64URL:
        return "base64url";
    case ASSAY_JOSE_HEADER:
        return "header";
    case ASSAY_JOSE_MEMBER:
        return "member";
    case ASSAY_JOSE_CRIT:
        return "crit";
    case ASSAY_JOSE_UNENCODED:
        return "unencoded";
    case ASSAY_JOSE_COMPRESSED:
        return "compressed";
    case ASSAY_JOSE_NESTED:
        return "nested";
    case ASSAY_JOSE_TYP:
        return "typ";
    case ASSAY_JOSE_ALG_UNKNOWN:
        return "alg_unknown";
    case ASSAY_JOSE_ALG_REFUSED:
        return "alg_refused";
    case ASSAY_JOSE_KEY_UNKNOWN:
        return "key_unknown";
    case ASSAY_JOSE_KEY_AMBIGUOUS:
        return "key_ambiguous";
    case ASSAY_JOSE_KEY_UNFIT:
        return "key_unfit";
    case ASSAY_JOSE_SIGNATURE:
        return "signature";
    case ASSAY_JOSE_CLAIMS:
        return "claims";
    case ASSAY_JOSE_CLAIM_TYPE:
        return "claim_type";
    case ASSAY_JOSE_CLAIM_ABSENT:
        return "claim_absent";
    case ASSAY_JOSE_ISSUER:
        return "issuer";
    case ASSAY_JOSE_AUDIENCE:
        return "audience";
    case ASSAY_JOSE_EXPIRED:
        return "expired";
    case ASSAY_JOSE_NOT_YET:
        return "not_yet";
    case ASSAY_JOSE_ISSUED_AHEAD:
        return "issued_ahead";
    case ASSAY_JOSE_LIFETIME:
        return "lifetime";
    }
    return "unknown";
}
