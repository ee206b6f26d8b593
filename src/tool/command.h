/* What a command of `assay` is, as plain data: dispatch, help, shell completion and the man page
 * all read the one table of these in main.c. */
#ifndef ASSAY_TOOL_COMMAND_H
#define ASSAY_TOOL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

struct assay_tool;

/* What becomes of an option's value in the JSON body of an administrative request. */
enum assay_option_as {
    ASSAY_AS_LOCAL = 0,   /* nothing: the command reads it itself */
    ASSAY_AS_TEXT,        /* a string */
    ASSAY_AS_WORDS,       /* a string; given again, joined by a space */
    ASSAY_AS_LIST,        /* an array of strings, split at spaces; may be given again */
    ASSAY_AS_DURATION,    /* whole seconds */
    ASSAY_AS_TRUE,        /* true, a flag */
    ASSAY_AS_FALSE,       /* false, a flag */
    ASSAY_AS_NO_AUTH,     /* the string "none", a flag */
    ASSAY_AS_SECRET_FILE, /* a string read from that file, or from stdin for "-" */
};

/* One option. `value` is how help calls what stands behind it, NULL for a flag. */
struct assay_option {
    const char *name; /* without the dashes */
    const char *value;
    enum assay_option_as as;
    const char *member; /* of the body; NULL when as is ASSAY_AS_LOCAL */
    const char *help;   /* one line, no full stop */
};

/* What the operand of a command is. */
enum assay_operand_as {
    ASSAY_OPERAND_NONE = 0,
    ASSAY_OPERAND_TEXT,  /* sent as the member `operand_member` */
    ASSAY_OPERAND_TOKEN, /* a jti, or '-': a token or jti from stdin; sent as `jti` or `token` */
    ASSAY_OPERAND_LOCAL, /* the command reads it itself */
};

/* One command. Those with a `path` are administrative requests, which assay_verb_run (verb.h)
 * carries out from this description alone, on a store or at a server. */
struct assay_command {
    const char *name;    /* "client add" */
    const char *operand; /* "NAME", "[NAME]" when it may be left out; NULL: none */
    enum assay_operand_as operand_as;
    const char *operand_member;
    const char *needs; /* option that must be given; NULL: none */
    const char *path;  /* "/admin/client/add"; NULL: no administrative request */
    bool reads;        /* the request changes nothing: the store is opened read-only */
    bool here;         /* acts on files of this machine: the options about a server make no sense */
    const char *rows;  /* member of the answer that holds rows; NULL: one object */
    const char *const *columns; /* members of a row shown to people; ends in NULL */
    const char *yes;            /* boolean member that must be true for exit code 0; NULL: none */
    const char *note; /* a line for people behind an answer that has `note_member`; NULL: none */
    const char *note_member;
    const char *summary;                 /* one line, no full stop */
    const char *details;                 /* paragraphs; NULL: none */
    const struct assay_option *options;  /* ends with an option without a name */
    int (*run)(struct assay_tool *tool); /* exit code */
};

/* Exit codes. */
#define ASSAY_EXIT_OK 0
#define ASSAY_EXIT_NO 1    /* the answer is no, or it could not be had */
#define ASSAY_EXIT_USAGE 2 /* the command line is wrong; stdout is empty */

/* The options every command takes. */
extern const struct assay_option assay_global_options[];

/* Ends in NULL; main.c. */
extern const struct assay_command *const assay_commands[];

extern const struct assay_command assay_cmd_serve;
extern const struct assay_command assay_cmd_guard_flush;
extern const struct assay_command assay_cmd_guard_stat;
extern const struct assay_command assay_cmd_client_add;
extern const struct assay_command assay_cmd_client_list;
extern const struct assay_command assay_cmd_client_show;
extern const struct assay_command assay_cmd_client_update;
extern const struct assay_command assay_cmd_client_disable;
extern const struct assay_command assay_cmd_client_enable;
extern const struct assay_command assay_cmd_client_remove;
extern const struct assay_command assay_cmd_client_rotate_secret;
extern const struct assay_command assay_cmd_token_issue;
extern const struct assay_command assay_cmd_token_introspect;
extern const struct assay_command assay_cmd_token_revoke;
extern const struct assay_command assay_cmd_grant_list;
extern const struct assay_command assay_cmd_grant_end;
extern const struct assay_command assay_cmd_subject_end;
extern const struct assay_command assay_cmd_why;
extern const struct assay_command assay_cmd_key_rotate;
extern const struct assay_command assay_cmd_store_create;
extern const struct assay_command assay_cmd_store_stat;
extern const struct assay_command assay_cmd_store_backup;
extern const struct assay_command assay_cmd_store_compact;
extern const struct assay_command assay_cmd_store_restore;
extern const struct assay_command assay_cmd_completion;
extern const struct assay_command assay_cmd_version;
extern const struct assay_command assay_cmd_help;

#endif
