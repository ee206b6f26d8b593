/* store create, stat, backup, compact, restore. */
#include "store/lmdb/lmdb_store.h"
#include "tool/command.h"
#include "tool/text.h"
#include "tool/tool.h"
#include "tool/verb.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATH_ROOM 4096

static bool choose_store(const struct assay_tool *tool, char *room, size_t size,
                         const char **ret_path)
{
    bool chosen = false;
    return assay_tool_store_path(tool, room, size, ret_path, &chosen);
}

/* One line, or one JSON object with the path in it. */
static int show_done(const struct assay_tool *tool, const char *said, const char *member,
                     const char *path)
{
    if (!assay_args_has(&tool->args, "json")) {
        printf("%s ", said);
        assay_text_print(stdout, assay_slice_of_text(path));
        fputc('\n', stdout);
        return ASSAY_EXIT_OK;
    }
    assay_tool_print_member(member, path);
    return ASSAY_EXIT_OK;
}

static int run_create(struct assay_tool *tool)
{
    char room[PATH_ROOM];
    const char *path = tool->args.operand;
    if (path != NULL && assay_args_global(&tool->args, "store") != NULL) {
        fputs("assay: the store is named twice: by DIR and by --store\n", stderr);
        return ASSAY_EXIT_USAGE;
    }
    if (path == NULL && !choose_store(tool, room, sizeof room, &path)) {
        return ASSAY_EXIT_USAGE;
    }
    struct assay_error error = {0};
    if (assay_lmdb_create(path, &error) != ASSAY_OK) {
        return assay_tool_failed("cannot make a store in", path, &error);
    }
    return show_done(tool, "made a store in", "store", path);
}

const struct assay_command assay_cmd_store_create = {
    .name = "store create",
    .here = true,
    .operand = "[DIR]",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .summary = "Make a store in a directory, which is made if missing",
    .details = "    assay store create /var/lib/assay",
    .run = run_create,
};

const struct assay_command assay_cmd_store_stat = {
    .name = "store stat",
    .path = "/admin/store/stat",
    .reads = true,
    .summary = "Show what is in the store, its size, and what ails it",
    .run = assay_verb_run,
};

static int copy(struct assay_tool *tool, bool compact)
{
    char room[PATH_ROOM];
    const char *path = NULL;
    if (!choose_store(tool, room, sizeof room, &path)) {
        return ASSAY_EXIT_USAGE;
    }
    struct assay_error error = {0};
    if (assay_lmdb_copy(path, tool->args.operand, compact, &error) != ASSAY_OK) {
        return assay_tool_failed("cannot copy the store to", tool->args.operand, &error);
    }
    return show_done(tool, "copied the store to", "copy", tool->args.operand);
}

static int run_backup(struct assay_tool *tool)
{
    return copy(tool, false);
}

static int run_compact(struct assay_tool *tool)
{
    return copy(tool, true);
}

const struct assay_command assay_cmd_store_backup = {
    .name = "store backup",
    .here = true,
    .operand = "FILE",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .summary = "Write a consistent copy to a new file, while the server runs",
    .run = run_backup,
};

const struct assay_command assay_cmd_store_compact = {
    .name = "store compact",
    .here = true,
    .operand = "FILE",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .summary = "Write a copy without free pages to a new file",
    .details = "The store itself stays as it is. To put the small copy in place, stop the server\n"
               "and restore it with --keep-tokens.",
    .run = run_compact,
};

static int run_restore(struct assay_tool *tool)
{
    char room[PATH_ROOM];
    const char *path = NULL;
    if (!choose_store(tool, room, sizeof room, &path)) {
        return ASSAY_EXIT_USAGE;
    }
    bool keep = assay_args_has(&tool->args, "keep-tokens");
    struct assay_error error = {0};
    if (assay_lmdb_restore(path, tool->args.operand, keep, (int64_t)time(NULL), &error) !=
        ASSAY_OK) {
        return assay_tool_failed("cannot restore the store in", path, &error);
    }
    if (keep) {
        fputs("assay: warning: tokens revoked since the copy was made are alive again\n", stderr);
    }
    return show_done(
        tool, keep ? "restored, tokens kept:" : "restored, every token ended:", "store", path);
}

static const struct assay_option restore_options[] = {
    {"keep-tokens", NULL, ASSAY_AS_LOCAL, NULL,
     "do not end the tokens in it: what was revoked since comes back to life"},
    {0},
};

const struct assay_command assay_cmd_store_restore = {
    .name = "store restore",
    .here = true,
    .operand = "FILE",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .summary = "Put a copy in place of the store, and end every token in it",
    .details =
        "The server must be stopped. The copy is checked whole before the store is touched.\n"
        "It does not know of revocations made after it: so every token is ended, unless\n"
        "--keep-tokens says otherwise.",
    .options = restore_options,
    .run = run_restore,
};
