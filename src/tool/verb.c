#include "tool/verb.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/secret.h"
#include "json/reader.h"
#include "record/token_text.h"
#include "tool/body.h"
#include "tool/render.h"
#include "tool/secret_file.h"
#include "tool/sender.h"
#include "tool/text.h"

#include <stdio.h>
#include <string.h>

#define TOKEN_ROOM (ASSAY_MAX_TOKEN_PARAM + 3) /* a line end behind it, and one byte too many */
#define NEXT_ROOM ASSAY_MAX_CLIENT_ID          /* where the next page starts */
#define ANSWER_DEPTH 16

static bool refuse(int code, int *ret_exit)
{
    *ret_exit = code;
    return false;
}

/* A refusal starts with the member that is wrong: which option did that come from, and what did it
 * say? (Values of options are no secrets; those come by file.) */
static void show_option(const struct assay_args *args, struct assay_slice text)
{
    struct assay_slice rest = text;
    struct assay_slice member = assay_slice_cut(&rest, ' ');
    for (size_t i = 0; i < args->given_count; i++) {
        const struct assay_given *given = &args->given[i];
        if (given->option->member == NULL ||
            !assay_slice_equal(member, assay_slice_of_text(given->option->member))) {
            continue;
        }
        fprintf(stderr, "--%s", given->option->name);
        if (given->value != NULL) {
            fputc(' ', stderr);
            assay_text_print(stderr, assay_slice_of_text(given->value));
        }
        fputs(": ", stderr);
    }
}

static int show_refusal(const struct assay_args *args, unsigned http_status,
                        const struct assay_json *answer)
{
    struct assay_slice text;
    fputs("assay: ", stderr);
    if (assay_json_get_string(answer, ASSAY_SLICE("error_description"), &text)) {
        show_option(args, text);
    }
    if (assay_json_get_string(answer, ASSAY_SLICE("error_description"), &text) ||
        assay_json_get_string(answer, ASSAY_SLICE("error"), &text)) {
        assay_text_print(stderr, text);
        fputc('\n', stderr);
    } else {
        fprintf(stderr, "refused, status %u\n", http_status);
    }
    return ASSAY_EXIT_NO;
}

static int show_object(const struct assay_tool *tool, struct assay_slice body,
                       const struct assay_json *answer)
{
    const struct assay_command *command = tool->args.command;
    if (assay_args_has(&tool->args, "json")) {
        fwrite(body.data, 1, body.len, stdout);
        fputc('\n', stdout);
    } else {
        assay_render_object(stdout, answer);
        if (command->note != NULL &&
            assay_json_type(answer, assay_slice_of_text(command->note_member)) !=
                ASSAY_JSON_ABSENT) {
            fprintf(stderr, "%s\n", command->note);
        }
    }
    bool yes = true;
    if (command->yes != NULL) {
        yes = assay_json_get_bool(answer, assay_slice_of_text(command->yes), &yes) && yes;
    }
    return yes ? ASSAY_EXIT_OK : ASSAY_EXIT_NO;
}

/* A listing in hand: its pages become one answer. */
struct listing {
    const struct assay_tool *tool;
    size_t pages;
    bool rows_shown; /* as JSON, so that a comma is due */
    uint8_t next_room[NEXT_ROOM];
    struct assay_slice next; /* where the next page starts; empty: this was the last */
};

/* `rows` is a JSON array: what stands between its brackets. */
static void show_json_rows(struct listing *listing, struct assay_slice rows)
{
    if (rows.len <= 2) {
        return;
    }
    if (listing->rows_shown) {
        fputc(',', stdout);
    }
    fwrite(rows.data + 1, 1, rows.len - 2, stdout);
    listing->rows_shown = true;
}

static void show_json_page(struct listing *listing, const struct assay_json *answer)
{
    const char *name = listing->tool->args.command->rows;
    if (listing->pages == 0) {
        printf("{\"%s\":[", name);
    }
    uint8_t room[ASSAY_MAX_REPLY];
    struct assay_arena arena;
    struct assay_slice rows;
    assay_arena_init(&arena, room, sizeof room);
    if (assay_json_get_raw(answer, assay_slice_of_text(name), &arena, &rows)) {
        show_json_rows(listing, rows);
    }
    assay_arena_release(&arena);
}

/* Where the next page starts, if there is one. A server that sends us to where we were would send
 * us there for ever. */
static int take_next(struct listing *listing, const struct assay_json *answer)
{
    struct assay_slice next = {0};
    if (!assay_json_get_string(answer, ASSAY_SLICE("next"), &next)) {
        listing->next = (struct assay_slice){0};
        return ASSAY_EXIT_OK;
    }
    if (next.len == 0 || next.len > NEXT_ROOM || assay_slice_equal(next, listing->next)) {
        fputs("assay: the server's listing does not go on\n", stderr);
        return ASSAY_EXIT_NO;
    }
    memcpy(listing->next_room, next.data, next.len);
    listing->next = assay_slice_of(listing->next_room, next.len);
    return ASSAY_EXIT_OK;
}

static int show_page(struct listing *listing, const struct assay_json *answer)
{
    const struct assay_command *command = listing->tool->args.command;
    bool json = assay_args_has(&listing->tool->args, "json");
    if (json) {
        show_json_page(listing, answer);
    } else {
        assay_render_rows(stdout, answer, command->rows, command->columns, listing->pages == 0);
    }
    listing->pages++;
    int code = take_next(listing, answer);
    if (json && code == ASSAY_EXIT_OK && listing->next.len == 0) {
        fputs("]}\n", stdout);
    }
    return code;
}

static int show_answer(struct listing *listing, unsigned http_status, struct assay_slice body)
{
    const struct assay_tool *tool = listing->tool;
    struct assay_json *answer = NULL;
    struct assay_error error = {0};
    if (assay_json_open(body, ANSWER_DEPTH, &answer, &error) != ASSAY_OK) {
        fprintf(stderr, "assay: the answer is no JSON (status %u): is this the right server?\n",
                http_status);
        return ASSAY_EXIT_NO;
    }
    int code = ASSAY_EXIT_OK;
    if (http_status != 200) {
        code = show_refusal(&tool->args, http_status, answer);
    } else if (tool->args.command->rows != NULL) {
        code = show_page(listing, answer);
    } else {
        code = show_object(tool, body, answer);
    }
    assay_json_close(answer);
    return code;
}

static int send_once(struct assay_sender *sender, struct listing *listing,
                     const struct assay_buf *body)
{
    unsigned http_status = 0;
    struct assay_slice answer;
    struct assay_error error = {0};
    if (assay_sender_send(sender, listing->tool->args.command->path, assay_buf_slice(body),
                          &http_status, &answer, &error) != ASSAY_OK) {
        return assay_tool_failed("no answer", NULL, &error);
    }
    return show_answer(listing, http_status, answer);
}

/* Sends `body`, and for a listing one more body for each further page. */
static int send_all(const struct assay_tool *tool, struct assay_slice token, struct assay_buf *body)
{
    struct assay_sender sender;
    struct listing listing = {.tool = tool};
    int code = ASSAY_EXIT_OK;
    if (!assay_sender_open(tool, tool->args.command->reads, &sender, &code)) {
        return code;
    }
    code = send_once(&sender, &listing, body);
    while (code == ASSAY_EXIT_OK && listing.next.len > 0) {
        assay_buf_init(body, body->data, body->size);
        if (!assay_body_write(tool, token, listing.next, body, &code)) {
            break;
        }
        code = send_once(&sender, &listing, body);
    }
    assay_sender_close(&sender);
    return code;
}

static bool read_token(const struct assay_tool *tool, uint8_t *room, struct assay_slice *ret,
                       int *ret_exit)
{
    const char *operand = tool->args.operand;
    if (strcmp(operand, "-") == 0) {
        const char *why = NULL;
        if (!assay_stdin_line_read(room, TOKEN_ROOM, ret, &why)) {
            fprintf(stderr, "assay: a token or jti was to come on stdin: %s\n", why);
            return refuse(ASSAY_EXIT_NO, ret_exit);
        }
        return true;
    }
    *ret = assay_slice_of_text(operand);
    if (ret->len > ASSAY_JTI_LEN) {
        fputs("assay: warning: a token as an argument can be read by every user of this machine "
              "and stays in the shell's history; give its jti, or '-' and the token on stdin\n",
              stderr);
    }
    return true;
}

/* The body comes first: what is wrong with it, or with a file it needs, is said before a store or
 * server is touched. */
static int run_with_token(const struct assay_tool *tool, struct assay_slice token)
{
    uint8_t room[ASSAY_MAX_BODY];
    struct assay_buf body;
    assay_buf_init(&body, room, sizeof room);
    int code = ASSAY_EXIT_OK;
    if (assay_body_write(tool, token, (struct assay_slice){0}, &body, &code)) {
        code = send_all(tool, token, &body);
    }
    assay_secret_wipe(room, sizeof room);
    return code;
}

int assay_verb_run(struct assay_tool *tool)
{
    int code = ASSAY_EXIT_OK;
    if (!assay_body_check(tool, &code)) {
        return code;
    }
    uint8_t room[TOKEN_ROOM];
    struct assay_slice token = {0};
    if (tool->args.command->operand_as == ASSAY_OPERAND_TOKEN &&
        !read_token(tool, room, &token, &code)) {
        return code;
    }
    code = run_with_token(tool, token);
    assay_secret_wipe(room, sizeof room);
    return code;
}
