#include "record/lookup.h"

enum assay_liveness assay_lookup_judge(const struct assay_lookup *lookup, int64_t now_s)
{
    const struct assay_token_record *token = lookup->token;
    if (token == NULL) {
        return ASSAY_DEAD_UNKNOWN;
    }
    if (token->expires_at_s <= now_s || token->expires_at_s <= lookup->horizon_s) {
        return ASSAY_DEAD_EXPIRED;
    }
    if (token->not_before_s > now_s) {
        return ASSAY_DEAD_NOT_YET;
    }
    if (lookup->cut) {
        return ASSAY_DEAD_CUT;
    }
    if (lookup->client == NULL || lookup->client->disabled) {
        return ASSAY_DEAD_CLIENT;
    }
    return token->rotation.rotated_at_s != 0 ? ASSAY_DEAD_ROTATED : ASSAY_LIVE;
}

const char *assay_liveness_name(enum assay_liveness liveness)
{
    switch (liveness) {
    case ASSAY_LIVE:
        return "live";
    case ASSAY_DEAD_UNKNOWN:
        return "unknown";
    case ASSAY_DEAD_TEXT:
        return "wrong secret";
    case ASSAY_DEAD_EXPIRED:
        return "expired";
    case ASSAY_DEAD_NOT_YET:
        return "not yet valid";
    case ASSAY_DEAD_CUT:
        return "revoked";
    case ASSAY_DEAD_CLIENT:
        return "client removed or disabled";
    case ASSAY_DEAD_ROTATED:
        return "rotated";
    }
    return "unknown";
}
