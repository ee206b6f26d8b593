/* guard flush, stat: a guard's own endpoint for its administrator (assay_guard_control). */
#include "base/limits.h"
#include "base/secret.h"
#include "http/form.h"
#include "json/reader.h"
#include "tool/command.h"
#include "tool/http.h"
#include "tool/render.h"
#include "tool/secret_file.h"
#include "tool/tool.h"

#include <stdio.h>
#include <string.h>

#define FORM_ROOM (3 * ASSAY_MAX_TOKEN_PARAM + 64)
#define ANSWER_ROOM 4096

/* What one run needs; holds secrets, and is wiped. */
struct visit {
    uint8_t secret[ASSAY_MAX_CLIENT_SECRET + 3];
    char authorization[ASSAY_MAX_CLIENT_SECRET + 16];
    uint8_t token[ASSAY_MAX_TOKEN_PARAM + 3];
    uint8_t form_room[FORM_ROOM];
    struct assay_buf form;
    uint8_t answer_room[ANSWER_ROOM];
    struct assay_buf answer;
};

static int complain(const char *what)
{
    fprintf(stderr, "assay: %s\n", what);
    return ASSAY_EXIT_USAGE;
}

static bool read_secret(const struct assay_tool *tool, struct visit *visit)
{
    const char *why = "say whose: --secret-file FILE, the one that assay_guard_control names";
    const char *file = assay_tool_setting(tool, "secret-file", "ASSAY_SECRET_FILE");
    struct assay_slice secret;
    if (file == NULL ||
        !assay_secret_file_read(file, visit->secret, sizeof visit->secret - 1, &secret, &why)) {
        fprintf(stderr, "assay: the guard's secret: %s\n", why);
        return false;
    }
    visit->secret[secret.len] = '\0';
    int written = snprintf(visit->authorization, sizeof visit->authorization, "Bearer %s",
                           (const char *)visit->secret);
    return written > 0 && (size_t)written < sizeof visit->authorization;
}

/* Says what came back instead of an answer. */
static int explain(unsigned http_status)
{
    switch (http_status) {
    case 401:
        fputs("assay: the guard does not know that secret\n", stderr);
        break;
    case 404:
        fputs("assay: there is no assay_guard_control at that URL\n", stderr);
        break;
    default:
        fprintf(stderr, "assay: the guard answered with status %u\n", http_status);
    }
    return ASSAY_EXIT_NO;
}

static int show(const struct assay_tool *tool, struct assay_slice answer)
{
    struct assay_json *json = NULL;
    struct assay_error error = {0};
    if (assay_json_open(answer, ASSAY_MAX_JSON_DEPTH, &json, &error) != ASSAY_OK) {
        return assay_tool_failed("the guard's answer is no answer", NULL, &error);
    }
    if (assay_args_has(&tool->args, "json")) {
        fwrite(answer.data, 1, answer.len, stdout);
        fputc('\n', stdout);
    } else {
        assay_render_object(stdout, json);
    }
    assay_json_close(json);
    return ASSAY_EXIT_OK;
}

static int visit_guard(const struct assay_tool *tool, struct visit *visit, bool post)
{
    unsigned http_status = 0;
    struct assay_error error = {0};
    struct assay_http http = {
        .url = assay_args_value(&tool->args, "url"),
        .authorization = visit->authorization,
        .ca_file = assay_tool_setting(tool, "cacert", "ASSAY_CACERT"),
        .content_type = post ? "application/x-www-form-urlencoded" : NULL,
        .body = assay_buf_slice(&visit->form),
    };
    assay_buf_init(&visit->answer, visit->answer_room, sizeof visit->answer_room);
    if (assay_http_run(&http, &visit->answer, &http_status, &error) != ASSAY_OK) {
        return assay_tool_failed("cannot reach the guard", http.url, &error);
    }
    if (http_status != 200) {
        return explain(http_status);
    }
    return show(tool, assay_buf_slice(&visit->answer));
}

/* --- flush --- */

static void put_field(struct visit *visit, const char *name, struct assay_slice value)
{
    assay_buf_append(&visit->form, assay_slice_of_text(name));
    assay_buf_append_byte(&visit->form, '=');
    assay_form_encode(value, &visit->form);
}

static bool put_token(struct visit *visit)
{
    const char *why = NULL;
    struct assay_slice token;
    if (!assay_stdin_line_read(visit->token, sizeof visit->token, &token, &why)) {
        fprintf(stderr, "assay: the token: %s\n", why);
        return false;
    }
    put_field(visit, "token", token);
    return true;
}

/* Exactly one thing is named. */
static bool write_form(const struct assay_tool *tool, struct visit *visit)
{
    const char *subject = assay_args_value(&tool->args, "subject");
    const char *client = assay_args_value(&tool->args, "client");
    bool everything = assay_args_has(&tool->args, "everything");
    bool token = tool->args.operand != NULL;
    if ((subject != NULL) + (client != NULL) + everything + token != 1) {
        (void)complain("one is wanted of --subject ID, --client ID, --everything, and '-' for a "
                       "token on stdin");
        return false;
    }
    if (token && strcmp(tool->args.operand, "-") != 0) {
        (void)complain("a token comes on stdin, not as an argument: assay guard flush -");
        return false;
    }
    if (subject != NULL) {
        put_field(visit, "subject", assay_slice_of_text(subject));
    } else if (client != NULL) {
        put_field(visit, "client", assay_slice_of_text(client));
    } else if (everything) {
        put_field(visit, "everything", ASSAY_SLICE("1"));
    }
    return !token || put_token(visit);
}

static int run_flush(struct assay_tool *tool)
{
    struct visit visit;
    memset(&visit, 0, sizeof visit);
    assay_buf_init(&visit.form, visit.form_room, sizeof visit.form_room);
    int code = ASSAY_EXIT_USAGE;
    if (write_form(tool, &visit) && read_secret(tool, &visit)) {
        code = visit.form.spent ? complain("what is named is too long")
                                : visit_guard(tool, &visit, true);
    }
    assay_secret_wipe(&visit, sizeof visit);
    return code;
}

static const struct assay_option flush_options[] = {
    {"url", "URL", ASSAY_AS_LOCAL, NULL, "where the guard has its assay_guard_control (needed)"},
    {"subject", "ID", ASSAY_AS_LOCAL, NULL, "what is cached about tokens of this subject"},
    {"client", "ID", ASSAY_AS_LOCAL, NULL, "what is cached about tokens of this client"},
    {"everything", NULL, ASSAY_AS_LOCAL, NULL, "all that is cached"},
    {0},
};

const struct assay_command assay_cmd_guard_flush = {
    .name = "guard flush",
    .operand = "[-]",
    .operand_as = ASSAY_OPERAND_LOCAL,
    .needs = "url",
    .summary = "Make a guard forget what it has cached, and ask again",
    .details = "    assay guard flush --url https://gw.example.com/control --subject alice \\\n"
               "        --secret-file FILE\n"
               "'-' reads a token from stdin. What the guard is asking about right then is asked\n"
               "again, too. FILE is the one that assay_guard_control names.",
    .options = flush_options,
    .run = run_flush,
};

/* --- stat --- */

static int run_stat(struct assay_tool *tool)
{
    struct visit visit;
    memset(&visit, 0, sizeof visit);
    int code = read_secret(tool, &visit) ? visit_guard(tool, &visit, false) : ASSAY_EXIT_USAGE;
    assay_secret_wipe(&visit, sizeof visit);
    return code;
}

static const struct assay_option stat_options[] = {
    {"url", "URL", ASSAY_AS_LOCAL, NULL, "where the guard has its assay_guard_control (needed)"},
    {0},
};

const struct assay_command assay_cmd_guard_stat = {
    .name = "guard stat",
    .needs = "url",
    .summary = "Show the counters of a guard's cache",
    .options = stat_options,
    .run = run_stat,
};
