/* grant list, end; subject end; key rotate. */
#include "tool/command.h"
#include "tool/verb.h"

static const struct assay_option list_options[] = {
    {"subject", "ID", ASSAY_AS_TEXT, "subject", "of this subject only"},
    {0},
};

static const char *const list_columns[] = {"grant",      "client_id",  "subject", "scope",
                                           "created_at", "expires_at", "ended",   NULL};

const struct assay_command assay_cmd_grant_list = {
    .name = "grant list",
    .path = "/admin/grant/list",
    .reads = true,
    .rows = "grants",
    .columns = list_columns,
    .summary = "List grants: acts of authorization with a refresh token",
    .options = list_options,
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_grant_end = {
    .name = "grant end",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "grant",
    .path = "/admin/grant/end",
    .summary = "End a grant: its refresh token and every access token from it",
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_subject_end = {
    .name = "subject end",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "subject",
    .path = "/admin/subject/end",
    .summary = "End every token of a subject, everywhere",
    .details = "One write, however many tokens there are. Tokens issued afterwards are good.",
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_key_rotate = {
    .name = "key rotate",
    .path = "/admin/key/rotate",
    .summary = "Make a new sealing key for the addresses of tokens",
    .details =
        "Tokens issued before go on working: up to four keys are tried. The fifth oldest goes,\n"
        "and tokens sealed under it are unknown from then on.",
    .run = assay_verb_run,
};
