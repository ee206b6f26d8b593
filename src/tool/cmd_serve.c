/* serve: a server with everything embedded. */
#include "base/secret.h"
#include "tool/command.h"
#include "tool/serving_report.h"
#include "tool/tool.h"

#include <stdio.h>

/* Makes what is missing, lets nginx read it all, and only then says that it serves. */
static int serve(const struct assay_tool *tool, struct assay_serving *serving,
                 struct assay_demo *demo)
{
    if (!assay_serving_prepare(serving) || (demo != NULL && !assay_demo_make(serving, demo)) ||
        !assay_serving_give_away(serving) || !assay_serving_test(serving)) {
        return ASSAY_EXIT_NO;
    }
    if (assay_args_has(&tool->args, "json")) {
        assay_serving_tell_json(serving, demo);
    } else {
        assay_serving_tell(serving, demo, tool->program);
    }
    return fflush(stdout) == 0 ? ASSAY_EXIT_OK : ASSAY_EXIT_NO;
}

static int run_serve(struct assay_tool *tool)
{
    struct assay_serving serving;
    int code = ASSAY_EXIT_NO;
    if (!assay_serving_plan(tool, &serving, &code)) {
        return code;
    }
    if (assay_args_has(&tool->args, "print-config")) {
        return assay_serving_print_config(&serving, stdout) ? ASSAY_EXIT_OK : ASSAY_EXIT_NO;
    }
    struct assay_demo demo;
    bool wanted = assay_args_has(&tool->args, "demo");
    code = serve(tool, &serving, wanted ? &demo : NULL);
    assay_secret_wipe(&demo, sizeof demo);
    return code == ASSAY_EXIT_OK ? assay_serving_run(&serving) : code;
}

static const struct assay_option serve_options[] = {
    {"listen", "ADDR:PORT", ASSAY_AS_LOCAL, NULL, "where to listen (127.0.0.1:8443)"},
    {"cert", "FILE", ASSAY_AS_LOCAL, NULL, "certificate, PEM (one for localhost is made)"},
    {"key", "FILE", ASSAY_AS_LOCAL, NULL, "its private key, PEM"},
    {"issuer", "URL", ASSAY_AS_LOCAL, NULL,
     "what the server calls itself (https://localhost:PORT)"},
    {"allow-cleartext", NULL, ASSAY_AS_LOCAL, NULL,
     "no TLS: somebody else in front of it takes care of that"},
    {"print-config", NULL, ASSAY_AS_LOCAL, NULL,
     "print the nginx.conf it would run, and do nothing"},
    {"demo", NULL, ASSAY_AS_LOCAL, NULL, "with clients and a token to try, in a store of its own"},
    {0},
};

const struct assay_command assay_cmd_serve = {
    .name = "serve",
    .here = true,
    .summary = "Run the server: nginx with everything embedded, in the foreground",
    .details =
        "Endpoints: /oauth2/introspect, /oauth2/revoke, /oauth2/token,\n"
        "/.well-known/oauth-authorization-server, /healthz, /readyz, /metrics, /admin.\n"
        "Without --store the store is ~/.local/share/assay/store (root: /var/lib/assay), and is\n"
        "made when missing. As root, nginx's workers run as www-data, and the store is given to\n"
        "that user.",
    .options = serve_options,
    .run = run_serve,
};
