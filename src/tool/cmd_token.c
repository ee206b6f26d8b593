/* token issue, introspect, revoke; why. */
#include "tool/command.h"
#include "tool/verb.h"

#define TOKEN_OPERAND                                                                              \
    "JTI is the token's public name, which is no help in using it; '-' reads the token or its\n"   \
    "jti from stdin."

static const struct assay_option issue_options[] = {
    {"client", "ID", ASSAY_AS_TEXT, "client_id", "whom the token is for (needed)"},
    {"subject", "ID", ASSAY_AS_TEXT, "subject",
     "whose authorization it carries (the client's own)"},
    {"username", "NAME", ASSAY_AS_TEXT, "username", "the subject's name for people"},
    {"scope", "SCOPES", ASSAY_AS_WORDS, "scope", "what it allows (the client's default)"},
    {"audience", "URL", ASSAY_AS_LIST, "audience", "where it is good (the client's default)"},
    {"ttl", "TIME", ASSAY_AS_DURATION, "lifetime", "how long it lives (the client's, or 1h)"},
    {"not-before", "TIME", ASSAY_AS_DURATION, "not_before", "it is good only after this time"},
    {"session", "ID", ASSAY_AS_TEXT, "sid", "the login it belongs to"},
    {"refresh", NULL, ASSAY_AS_TRUE, "refresh", "with a refresh token"},
    {"refresh-ttl", "TIME", ASSAY_AS_DURATION, "refresh_lifetime", "how long that lives (30d)"},
    {0},
};

const struct assay_command assay_cmd_token_issue = {
    .name = "token issue",
    .needs = "client",
    .path = "/admin/token/issue",
    .summary = "Issue a token to a client",
    .details = "    assay token issue --client robot --subject alice --scope read\n"
               "    assay token issue --client app --subject alice --refresh --ttl 10m --json",
    .options = issue_options,
    .run = assay_verb_run,
};

static const struct assay_option introspect_options[] = {
    {"for", "ID", ASSAY_AS_TEXT, "for", "as that resource server would see it"},
    {0},
};

const struct assay_command assay_cmd_token_introspect = {
    .name = "token introspect",
    .operand = "JTI|-",
    .operand_as = ASSAY_OPERAND_TOKEN,
    .path = "/admin/token/introspect",
    .reads = true,
    .yes = "active",
    .summary = "Tell whether a token is live, and what it carries",
    .details = TOKEN_OPERAND "\nThe exit code is 1 when it is not active.",
    .options = introspect_options,
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_token_revoke = {
    .name = "token revoke",
    .operand = "JTI|-",
    .operand_as = ASSAY_OPERAND_TOKEN,
    .path = "/admin/token/revoke",
    .summary = "End a token; a refresh token's whole grant",
    .details = TOKEN_OPERAND "\nRevoking what is dead already is no error.",
    .run = assay_verb_run,
};

static const struct assay_option why_options[] = {
    {"for", "ID", ASSAY_AS_TEXT, "for", "also hold it against that resource server"},
    {0},
};

const struct assay_command assay_cmd_why = {
    .name = "why",
    .operand = "JTI|-",
    .operand_as = ASSAY_OPERAND_TOKEN,
    .path = "/admin/token/why",
    .reads = true,
    .summary = "Tell why a token is inactive",
    .details =
        "The wire never says; the operator may know: expired, revoked (what, when, by whom),\n"
        "rotated, its client removed or disabled, not yet valid, for another audience,\n"
        "unknown, malformed.\n" TOKEN_OPERAND,
    .options = why_options,
    .run = assay_verb_run,
};
