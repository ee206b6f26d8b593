/* client add, list, show, update, disable, enable, remove, rotate-secret. */
#include "tool/command.h"
#include "tool/verb.h"

#define SECRET_NOTE                                                                                \
    "The secret is shown this once and kept nowhere; 'assay client rotate-secret' makes another."

static const struct assay_option add_options[] = {
    {"name", "TEXT", ASSAY_AS_TEXT, "name", "name for people"},
    {"resource-server", NULL, ASSAY_AS_TRUE, "resource_server",
     "may introspect (an API, a gateway)"},
    {"audience", "URL", ASSAY_AS_LIST, "audience",
     "resource server: what it answers to; client: what its tokens may be for"},
    {"default-audience", "URL", ASSAY_AS_LIST, "default_audience",
     "audience of a token when a request names none (all of --audience)"},
    {"grant", "TYPE", ASSAY_AS_LIST, "grant_types", "client_credentials, refresh_token, or both"},
    {"scope", "SCOPES", ASSAY_AS_WORDS, "scope",
     "client: what it may ask for; resource server: what it understands (none: all)"},
    {"default-scope", "SCOPES", ASSAY_AS_WORDS, "default_scope",
     "scope of a token when a request names none (all of --scope)"},
    {"admin", NULL, ASSAY_AS_TRUE, "admin", "may administer the server"},
    {"public", NULL, ASSAY_AS_NO_AUTH, "token_endpoint_auth_method", "has no secret"},
    {"auth-method", "METHOD", ASSAY_AS_TEXT, "token_endpoint_auth_method",
     "client_secret_basic (default) or client_secret_post"},
    {"show", "MEMBERS", ASSAY_AS_LIST, "introspection_members",
     "resource server: members of an answer it is shown"},
    {"introspect-refresh", NULL, ASSAY_AS_TRUE, "introspects_refresh",
     "resource server: is told of refresh tokens too"},
    {"access-lifetime", "TIME", ASSAY_AS_DURATION, "access_lifetime", "of its access tokens"},
    {"refresh-lifetime", "TIME", ASSAY_AS_DURATION, "refresh_lifetime", "of its refresh tokens"},
    {"secret-file", "FILE", ASSAY_AS_SECRET_FILE, "client_secret",
     "a secret of your own, from a file or '-' (stdin)"},
    {0},
};

const struct assay_command assay_cmd_client_add = {
    .name = "client add",
    .operand = "[NAME]",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/add",
    .note = SECRET_NOTE,
    .note_member = "client_secret",
    .summary = "Register a client or resource server; prints its id and secret",
    .details =
        "NAME becomes the client id (letters, digits, '-', '.', '_'); without it one is made.\n"
        "A client without --audience gets that of the resource server, if there is just one.\n"
        "\n"
        "    assay client add gateway --resource-server --audience https://api.example.com\n"
        "    assay client add robot --grant client_credentials --scope \"read write\"\n"
        "    assay client add ops --admin",
    .options = add_options,
    .run = assay_verb_run,
};

static const char *const list_columns[] = {
    "client_id",   "name",  "disabled", "admin", "resource_server",
    "grant_types", "scope", "audience", NULL};

const struct assay_command assay_cmd_client_list = {
    .name = "client list",
    .path = "/admin/client/list",
    .reads = true,
    .rows = "clients",
    .columns = list_columns,
    .summary = "List the clients and resource servers",
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_client_show = {
    .name = "client show",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/show",
    .reads = true,
    .summary = "Show one client",
    .run = assay_verb_run,
};

static const struct assay_option update_options[] = {
    {"name", "TEXT", ASSAY_AS_TEXT, "name", "name for people"},
    {"resource-server", NULL, ASSAY_AS_TRUE, "resource_server", "may introspect"},
    {"no-resource-server", NULL, ASSAY_AS_FALSE, "resource_server", "may not introspect"},
    {"audience", "URL", ASSAY_AS_LIST, "audience", "replaces its audiences"},
    {"default-audience", "URL", ASSAY_AS_LIST, "default_audience", "replaces the default"},
    {"grant", "TYPE", ASSAY_AS_LIST, "grant_types", "replaces what it may use"},
    {"scope", "SCOPES", ASSAY_AS_WORDS, "scope", "replaces its scopes"},
    {"default-scope", "SCOPES", ASSAY_AS_WORDS, "default_scope", "replaces the default"},
    {"admin", NULL, ASSAY_AS_TRUE, "admin", "may administer the server"},
    {"no-admin", NULL, ASSAY_AS_FALSE, "admin", "may not"},
    {"auth-method", "METHOD", ASSAY_AS_TEXT, "token_endpoint_auth_method",
     "client_secret_basic or client_secret_post"},
    {"show", "MEMBERS", ASSAY_AS_LIST, "introspection_members", "replaces what it is shown"},
    {"introspect-refresh", NULL, ASSAY_AS_TRUE, "introspects_refresh", "told of refresh tokens"},
    {"no-introspect-refresh", NULL, ASSAY_AS_FALSE, "introspects_refresh", "not told of them"},
    {"access-lifetime", "TIME", ASSAY_AS_DURATION, "access_lifetime", "of its access tokens"},
    {"refresh-lifetime", "TIME", ASSAY_AS_DURATION, "refresh_lifetime", "of its refresh tokens"},
    {0},
};

const struct assay_command assay_cmd_client_update = {
    .name = "client update",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/update",
    .summary = "Change what is registered of a client",
    .details = "What is not named stays as it is. Tokens issued before keep what they carry.",
    .options = update_options,
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_client_disable = {
    .name = "client disable",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/disable",
    .summary = "Shut a client out and end its tokens, in one change",
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_client_enable = {
    .name = "client enable",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/enable",
    .summary = "Let a disabled client in again; its old tokens stay dead",
    .run = assay_verb_run,
};

const struct assay_command assay_cmd_client_remove = {
    .name = "client remove",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/remove",
    .summary = "Remove a client and end its tokens, in one change",
    .details = "Adding a client of the same id again revives none of them.",
    .run = assay_verb_run,
};

static const struct assay_option rotate_options[] = {
    {"overlap", "TIME", ASSAY_AS_DURATION, "overlap",
     "how long the old secret goes on working (24h); 0: not at all"},
    {"secret-file", "FILE", ASSAY_AS_SECRET_FILE, "client_secret",
     "a secret of your own, from a file or '-' (stdin)"},
    {0},
};

const struct assay_command assay_cmd_client_rotate_secret = {
    .name = "client rotate-secret",
    .operand = "ID",
    .operand_as = ASSAY_OPERAND_TEXT,
    .operand_member = "client_id",
    .path = "/admin/client/rotate-secret",
    .note = SECRET_NOTE,
    .note_member = "client_secret",
    .summary = "Give a client a new secret; the old one works for a while",
    .options = rotate_options,
    .run = assay_verb_run,
};
