/* help, completion, version. */
#include "tool/command.h"
#include "tool/help.h"
#include "tool/tool.h"

#include <stdio.h>
#include <string.h>

static int run_help(struct assay_tool *tool)
{
    if (assay_args_has(&tool->args, "man")) {
        assay_help_man(stdout);
    } else {
        assay_help_overview(stdout);
    }
    return ASSAY_EXIT_OK;
}

static const struct assay_option help_options[] = {
    {"man", NULL, ASSAY_AS_LOCAL, NULL, "write the man page assay(1)"},
    {0},
};

const struct assay_command assay_cmd_help = {
    .name = "help",
    .operand = "[COMMAND]",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .summary = "Help, about everything or one command",
    .options = help_options,
    .run = run_help,
};

static int run_completion(struct assay_tool *tool)
{
    if (strcmp(tool->args.operand, "bash") != 0) {
        fputs("assay: completion is written for bash alone: assay completion bash\n", stderr);
        return ASSAY_EXIT_USAGE;
    }
    assay_help_bash(stdout);
    return ASSAY_EXIT_OK;
}

const struct assay_command assay_cmd_completion = {
    .name = "completion",
    .operand = "bash",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .summary = "Write a completion script for the shell",
    .details = "In ~/.bashrc:\n\n    source <(assay completion bash)",
    .run = run_completion,
};

static int run_version(struct assay_tool *tool)
{
    bool json = assay_args_has(&tool->args, "json");
    printf(json ? "{\"version\":\"%s\"}\n" : "assay %s\n", ASSAY_VERSION);
    return ASSAY_EXIT_OK;
}

const struct assay_command assay_cmd_version = {
    .name = "version",
    .summary = "Print the version",
    .run = run_version,
};
