/* serve: a server with everything embedded. */
#include "tool/command.h"
#include "tool/demo.h"
#include "tool/serving.h"
#include "tool/tool.h"

#include <stdio.h>

static void print_summary(const struct assay_serving *s)
{
    printf("assay serves %s (listening on %s)\n", s->issuer, s->listen);
    printf("  store        %s%s\n", s->store, s->store_made ? " (made now, for development)" : "");
    if (s->user != NULL) {
        printf("               given to the user '%s', whom nginx's workers run as\n", s->user);
    }
    if (s->certificate[0] == '\0') {
        printf("  certificate  none: tokens and secrets travel in the clear, as you asked\n");
    } else {
        printf("  certificate  %s%s\n", s->certificate,
               s->development_certificate ? " (for localhost, development only)" : "");
    }
    printf("  nginx.conf   %s/nginx.conf\n\n", s->run_dir);
}

static void print_first_steps(const struct assay_serving *s, const char *program)
{
    static const char *const steps[] = {
        "client add gateway --resource-server --audience https://api.example.com",
        "client add robot --grant client_credentials --scope \"read write\"",
        "token issue --client robot --subject alice --scope read",
    };
    printf("In another terminal:\n\n");
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        printf("%s --store %s %s\n", program, s->store, steps[i]);
    }
    printf("curl%s%s -X POST \"%s/oauth2/introspect\" \\\n"
           "  -H \"Content-Type: application/x-www-form-urlencoded\" \\\n"
           "  -d \"token=ACCESS_TOKEN\" -u \"client_id:client_secret\"\n\n",
           s->development_certificate ? " --cacert " : "",
           s->development_certificate ? s->certificate : "", s->issuer);
}

static int serve(const struct assay_tool *tool, struct assay_serving *serving)
{
    bool demo = assay_args_has(&tool->args, "demo");
    if (!assay_serving_prepare(serving)) {
        return ASSAY_EXIT_NO;
    }
    print_summary(serving);
    if (!demo) {
        print_first_steps(serving, tool->program);
    } else if (!assay_demo_prepare(serving)) {
        return ASSAY_EXIT_NO;
    }
    if (!assay_serving_give_away(serving)) {
        return ASSAY_EXIT_NO;
    }
    printf("Stop it with Ctrl-C.\n");
    if (fflush(stdout) != 0) {
        return ASSAY_EXIT_NO;
    }
    return assay_serving_run(serving);
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
    return serve(tool, &serving);
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
