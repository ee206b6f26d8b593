#include "tool/serving_report.h"

#include "base/secret.h"
#include "json/writer.h"

#include <stdio.h>

/* --- for people --- */

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

static void print_post(const struct assay_serving *s, const char *path, const char *form,
                       const char *token, const char *client, const char *secret)
{
    printf("curl%s%s -X POST \"%s%s\" \\\n"
           "  -H \"Content-Type: application/x-www-form-urlencoded\" \\\n"
           "  -d \"%s%s\" -u \"%s:%s\"\n\n",
           s->development_certificate ? " --cacert " : "",
           s->development_certificate ? s->certificate : "", s->issuer, path, form, token, client,
           secret);
}

static void print_call(const struct assay_serving *s, const char *token)
{
    printf("curl%s%s \"%s/api/hello\" -H \"Authorization: Bearer %s\"\n\n",
           s->development_certificate ? " --cacert " : "",
           s->development_certificate ? s->certificate : "", s->issuer, token);
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
    print_post(s, "/oauth2/introspect", "token=", "ACCESS_TOKEN", "client_id", "client_secret");
}

static void print_demo(const struct assay_serving *s, const struct assay_demo *demo)
{
    printf("Is this token of alice@example.com live? Ask as the resource server "
           "'" ASSAY_DEMO_GATEWAY "':\n\n");
    print_post(s, "/oauth2/introspect", "token=", demo->access_token, ASSAY_DEMO_GATEWAY,
               demo->gateway_secret);
    printf("Call an API that the guard stands in front of:\n\n");
    print_call(s, demo->access_token);
    printf("Revoke it as its client '" ASSAY_DEMO_ROBOT
           "'; then ask again: {\"active\":false}, and call again: refused\n\n");
    print_post(s, "/oauth2/revoke", "token=", demo->access_token, ASSAY_DEMO_ROBOT,
               demo->robot_secret);
    printf("Get a token by client_credentials:\n\n");
    print_post(s, "/oauth2/token", "grant_type=client_credentials&scope=read", "", ASSAY_DEMO_ROBOT,
               demo->robot_secret);
}

void assay_serving_tell(const struct assay_serving *serving, const struct assay_demo *demo,
                        const char *program)
{
    print_summary(serving);
    if (demo != NULL) {
        print_demo(serving, demo);
    } else {
        print_first_steps(serving, program);
    }
    printf("Stop it with Ctrl-C.\n");
}

/* --- for programs --- */

static void member(struct assay_json_writer *w, const char *name, const char *text)
{
    assay_json_member_text(w, assay_slice_of_text(name), assay_slice_of_text(text));
}

static void client(struct assay_json_writer *w, const char *id, const char *secret)
{
    assay_json_name(w, assay_slice_of_text(id));
    assay_json_object_open(w);
    member(w, "client_id", id);
    member(w, "client_secret", secret);
    assay_json_object_close(w);
}

void assay_serving_tell_json(const struct assay_serving *serving, const struct assay_demo *demo)
{
    uint8_t room[6 * sizeof(struct assay_serving) + sizeof(struct assay_demo)];
    struct assay_buf out;
    struct assay_json_writer w;
    assay_buf_init(&out, room, sizeof room);
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    member(&w, "issuer", serving->issuer);
    member(&w, "listen", serving->listen);
    member(&w, "store", serving->store);
    assay_json_member_bool(&w, ASSAY_SLICE("store_made"), serving->store_made);
    member(&w, "certificate", serving->certificate);
    member(&w, "directory", serving->run_dir);
    if (demo != NULL) {
        client(&w, ASSAY_DEMO_GATEWAY, demo->gateway_secret);
        client(&w, ASSAY_DEMO_ROBOT, demo->robot_secret);
        member(&w, "access_token", demo->access_token);
    }
    assay_json_object_close(&w);
    fwrite(out.data, 1, out.len, stdout);
    fputc('\n', stdout);
    assay_secret_wipe(room, sizeof room);
}
