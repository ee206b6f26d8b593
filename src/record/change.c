#include "record/change.h"

#include "base/secret.h"

static void wipe_draft(struct assay_token_draft *draft)
{
    assay_secret_wipe(draft->secret, sizeof(draft->secret));
    assay_secret_wipe(draft->text, sizeof(draft->text));
    draft->text_len = 0;
}

void assay_change_wipe(struct assay_change *change)
{
    switch (change->verb) {
    case ASSAY_CHANGE_ISSUE:
        wipe_draft(&change->u.issue.access);
        wipe_draft(&change->u.issue.refresh);
        break;
    case ASSAY_CHANGE_ROTATE:
        wipe_draft(&change->u.rotate.access);
        wipe_draft(&change->u.rotate.refresh);
        assay_secret_wipe(change->u.rotate.salt, sizeof(change->u.rotate.salt));
        break;
    case ASSAY_CHANGE_SEAL_ROTATE:
        assay_secret_wipe(change->u.seal.key, sizeof(change->u.seal.key));
        break;
    case ASSAY_CHANGE_CUT:
    case ASSAY_CHANGE_CLIENT_ADD:
    case ASSAY_CHANGE_CLIENT_UPDATE:
    case ASSAY_CHANGE_CLIENT_REMOVE:
    case ASSAY_CHANGE_CONSUME_ONCE:
    case ASSAY_CHANGE_SWEEP:
        break;
    }
}

void assay_change_cut_token(const struct assay_token_record *token, bool access_ends_grant,
                            uint8_t room[8], struct assay_change_cut *ret)
{
    bool grant = token->grant != 0 && (token->kind == ASSAY_TOKEN_REFRESH || access_ends_grant);
    *ret = (struct assay_change_cut){
        .kind = grant ? ASSAY_CUTOFF_GRANT : ASSAY_CUTOFF_TOKEN,
        .id = assay_cutoff_number_id(grant ? token->grant : token->id.seq, room),
        .token_expires_at_s = token->expires_at_s,
    };
}
