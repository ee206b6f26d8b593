#include "tool/sender.h"

#include "base/limits.h"
#include "record/token_text.h"
#include "tool/local.h"
#include "tool/remote.h"

#include <stdio.h>

static bool refuse(int code, int *ret_exit)
{
    *ret_exit = code;
    return false;
}

static bool open_remote(const struct assay_tool *tool, const char *url, struct assay_sender *ret,
                        int *ret_exit)
{
    const char *client = assay_tool_setting(tool, "client", "ASSAY_CLIENT");
    const char *secret = assay_tool_setting(tool, "secret-file", "ASSAY_SECRET_FILE");
    if (client == NULL || secret == NULL) {
        fprintf(stderr,
                "assay: a server asks who you are: assay --server %s --client ID "
                "--secret-file FILE %s ...\n",
                "URL", tool->args.command->name);
        return refuse(ASSAY_EXIT_USAGE, ret_exit);
    }
    struct assay_error error = {0};
    if (assay_remote_open(url, client, secret, assay_tool_setting(tool, "cacert", "ASSAY_CACERT"),
                          &ret->remote, &error) != ASSAY_OK) {
        return refuse(assay_tool_failed("cannot reach a server", NULL, &error), ret_exit);
    }
    return true;
}

static bool open_local(const struct assay_tool *tool, bool read_only, struct assay_sender *ret,
                       int *ret_exit)
{
    char room[4096];
    const char *path = NULL;
    bool chosen = false;
    if (!assay_tool_store_path(tool, room, sizeof room, &path, &chosen)) {
        return refuse(ASSAY_EXIT_USAGE, ret_exit);
    }
    const char *prefix = assay_args_global(&tool->args, "token-prefix");
    if (prefix != NULL && !assay_token_prefix_valid(assay_slice_of_text(prefix))) {
        fputs("assay: --token-prefix: " ASSAY_TOKEN_PREFIX_RULE "\n", stderr);
        return refuse(ASSAY_EXIT_USAGE, ret_exit);
    }
    struct assay_error error = {0};
    if (assay_local_open(path, prefix != NULL ? prefix : ASSAY_DEFAULT_TOKEN_PREFIX, read_only,
                         &ret->local, &error) != ASSAY_OK) {
        return refuse(assay_tool_failed("cannot open the store", path, &error), ret_exit);
    }
    return true;
}

bool assay_sender_open(const struct assay_tool *tool, bool read_only, struct assay_sender *ret,
                       int *ret_exit)
{
    *ret = (struct assay_sender){0};
    bool store_named = assay_args_global(&tool->args, "store") != NULL;
    const char *url = assay_args_global(&tool->args, "server");
    if (url != NULL && store_named) {
        fputs("assay: --store and --server are two places: name one\n", stderr);
        return refuse(ASSAY_EXIT_USAGE, ret_exit);
    }
    if (url == NULL && !store_named) {
        url = assay_tool_setting(tool, "server", "ASSAY_SERVER");
    }
    return url != NULL ? open_remote(tool, url, ret, ret_exit)
                       : open_local(tool, read_only, ret, ret_exit);
}

void assay_sender_close(struct assay_sender *sender)
{
    assay_local_close(sender->local);
    assay_remote_close(sender->remote);
    *sender = (struct assay_sender){0};
}

enum assay_status assay_sender_send(struct assay_sender *sender, const char *path,
                                    struct assay_slice body, unsigned *ret_http_status,
                                    struct assay_slice *ret_body, struct assay_error *reterr)
{
    return sender->local != NULL
               ? assay_local_send(sender->local, path, body, ret_http_status, ret_body, reterr)
               : assay_remote_send(sender->remote, path, body, ret_http_status, ret_body, reterr);
}
