/* The command `assay`. The table below is the only list of its commands: dispatch, help, the man
 * page and shell completion read it. */
#include "tool/args.h"
#include "tool/help.h"
#include "tool/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const struct assay_command *const assay_commands[] = {
    &assay_cmd_serve,
    &assay_cmd_client_add,
    &assay_cmd_client_list,
    &assay_cmd_client_show,
    &assay_cmd_client_update,
    &assay_cmd_client_disable,
    &assay_cmd_client_enable,
    &assay_cmd_client_remove,
    &assay_cmd_client_rotate_secret,
    &assay_cmd_token_issue,
    &assay_cmd_token_introspect,
    &assay_cmd_token_revoke,
    &assay_cmd_why,
    &assay_cmd_grant_list,
    &assay_cmd_grant_end,
    &assay_cmd_subject_end,
    &assay_cmd_key_rotate,
    &assay_cmd_guard_flush,
    &assay_cmd_guard_stat,
    &assay_cmd_store_create,
    &assay_cmd_store_stat,
    &assay_cmd_store_backup,
    &assay_cmd_store_compact,
    &assay_cmd_store_restore,
    &assay_cmd_completion,
    &assay_cmd_version,
    &assay_cmd_help,
    NULL,
};

const struct assay_option assay_global_options[] = {
    {"store", "DIR", ASSAY_AS_LOCAL, NULL, "the store of this machine to act on"},
    {"server", "URL", ASSAY_AS_LOCAL, NULL, "act on the server at URL instead"},
    {"client", "ID", ASSAY_AS_LOCAL, NULL, "who you are at the server: an administrator"},
    {"secret-file", "FILE", ASSAY_AS_LOCAL, NULL, "file that holds that client's secret"},
    {"cacert", "FILE", ASSAY_AS_LOCAL, NULL, "certificate authorities the server is held against"},
    {"token-prefix", "TEXT", ASSAY_AS_LOCAL, NULL, "first word of the server's tokens (assay)"},
    {"json", NULL, ASSAY_AS_LOCAL, NULL, "answer in JSON, for programs"},
    {0},
};

/* A descriptor 0, 1 or 2 that is closed would become the next file opened: the store, say. Closed
 * ones are filled so that reading finds nothing and writing fails. */
static bool fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) {
            continue;
        }
        int filled = open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY);
        if (filled != fd) {
            return false;
        }
    }
    return true;
}

/* No core file may hold a token or secret, and a reader that went away is an error of write(). */
static bool prepare_process(void)
{
    struct rlimit none = {0, 0};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    return fill_standard_descriptors() && setrlimit(RLIMIT_CORE, &none) == 0 &&
           sigaction(SIGPIPE, &ignore, NULL) == 0 && sigaction(SIGXFSZ, &ignore, NULL) == 0;
}

static int run(struct assay_tool *tool)
{
    const struct assay_args *args = &tool->args;
    if (args->help) {
        if (args->command != NULL) {
            assay_help_command(stdout, args->command);
        } else if (args->group != NULL) {
            assay_help_group(stdout, args->group);
        } else {
            assay_help_overview(stdout);
        }
        return ASSAY_EXIT_OK;
    }
    if (args->version) {
        return assay_cmd_version.run(tool);
    }
    if (args->command == NULL) {
        if (args->group != NULL) {
            assay_help_group(stderr, args->group);
        } else {
            assay_help_overview(stderr);
        }
        return ASSAY_EXIT_USAGE;
    }
    return args->command->run(tool);
}

/* What was printed has arrived, or the exit code says that it has not: quietly when the reader of a
 * pipe left. */
static int finish(const struct assay_tool *tool, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return code;
    }
    if (errno != EPIPE) {
        const struct assay_command *command = tool->args.command;
        bool secret = command != NULL && command->note != NULL && code == ASSAY_EXIT_OK;
        fprintf(stderr, "assay: the answer could not be printed%s\n",
                secret ? ", and its secret with it: 'assay client rotate-secret' makes another"
                       : "");
    }
    return code == ASSAY_EXIT_OK ? ASSAY_EXIT_NO : code;
}

int main(int argc, char **argv)
{
    if (!prepare_process()) {
        return ASSAY_EXIT_NO;
    }
    struct assay_tool tool = {.program = argc > 0 ? argv[0] : "assay"};
    if (!assay_args_parse(argc, argv, &tool.args, stderr)) {
        return ASSAY_EXIT_USAGE;
    }
    return finish(&tool, run(&tool));
}
