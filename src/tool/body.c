#include "tool/body.h"

#include "base/limits.h"
#include "base/secret.h"
#include "json/writer.h"
#include "record/token_text.h"
#include "tool/duration.h"
#include "tool/secret_file.h"
#include "tool/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static bool refuse(int code, int *ret_exit)
{
    *ret_exit = code;
    return false;
}

bool assay_body_check(const struct assay_tool *tool, int *ret_exit)
{
    for (size_t i = 0; i < tool->args.given_count; i++) {
        const struct assay_given *given = &tool->args.given[i];
        int64_t span_s = 0;
        if (given->option->as == ASSAY_AS_DURATION &&
            !assay_duration_parse(given->value, &span_s)) {
            fprintf(stderr, "assay: --%s: '", given->option->name);
            assay_text_print(stderr, assay_slice_of_text(given->value));
            fputs("' is no duration: " ASSAY_DURATION_ALLOWED "\n", stderr);
            return refuse(ASSAY_EXIT_USAGE, ret_exit);
        }
    }
    return true;
}

static void write_duration(struct assay_json_writer *w, const struct assay_given *given)
{
    int64_t span_s = 0;
    bool ok = assay_duration_parse(given->value, &span_s);
    assert(ok); /* assay_body_check has looked */
    (void)ok;
    assay_json_i64(w, span_s);
}

static bool write_secret(struct assay_json_writer *w, const struct assay_given *given,
                         int *ret_exit)
{
    uint8_t room[ASSAY_MAX_CLIENT_SECRET + 3];
    struct assay_slice secret;
    const char *why = NULL;
    if (!assay_secret_file_read(given->value, room, sizeof room, &secret, &why)) {
        fprintf(stderr, "assay: the file of --%s: %s\n", given->option->name, why);
        return refuse(ASSAY_EXIT_NO, ret_exit);
    }
    assay_json_string(w, secret);
    assay_secret_wipe(room, sizeof room);
    return true;
}

/* All values of `option`, words apart: an array of strings. */
static void write_list(struct assay_json_writer *w, const struct assay_args *args,
                       const struct assay_option *option)
{
    assay_json_array_open(w);
    for (size_t i = 0; i < args->given_count; i++) {
        if (args->given[i].option != option) {
            continue;
        }
        struct assay_slice rest = assay_slice_of_text(args->given[i].value);
        while (rest.data != NULL) {
            struct assay_slice word = assay_slice_cut(&rest, ' ');
            if (word.len > 0) {
                assay_json_string(w, word);
            }
        }
    }
    assay_json_array_close(w);
}

static void write_words(struct assay_json_writer *w, const struct assay_args *args,
                        const struct assay_option *option)
{
    uint8_t room[ASSAY_MAX_BODY];
    struct assay_buf words;
    assay_buf_init(&words, room, sizeof room);
    for (size_t i = 0; i < args->given_count; i++) {
        if (args->given[i].option != option) {
            continue;
        }
        if (words.len > 0) {
            assay_buf_append_byte(&words, ' ');
        }
        assay_buf_append(&words, assay_slice_of_text(args->given[i].value));
    }
    w->out->spent = w->out->spent || words.spent;
    assay_json_string(w, assay_buf_slice(&words));
}

static bool write_member(struct assay_json_writer *w, const struct assay_args *args,
                         const struct assay_given *given, int *ret_exit)
{
    const struct assay_option *option = given->option;
    if (option->as == ASSAY_AS_LOCAL) {
        return true;
    }
    assay_json_name(w, assay_slice_of_text(option->member));
    switch (option->as) {
    case ASSAY_AS_LOCAL:
        return true;
    case ASSAY_AS_TEXT:
        assay_json_string(w, assay_slice_of_text(given->value));
        return true;
    case ASSAY_AS_WORDS:
        write_words(w, args, option);
        return true;
    case ASSAY_AS_LIST:
        write_list(w, args, option);
        return true;
    case ASSAY_AS_DURATION:
        write_duration(w, given);
        return true;
    case ASSAY_AS_TRUE:
    case ASSAY_AS_FALSE:
        assay_json_bool(w, option->as == ASSAY_AS_TRUE);
        return true;
    case ASSAY_AS_NO_AUTH:
        assay_json_string(w, ASSAY_SLICE("none"));
        return true;
    case ASSAY_AS_SECRET_FILE:
        return write_secret(w, given, ret_exit);
    }
    return true;
}

/* Two options may speak of one member (--admin, --no-admin): that is a contradiction. */
static bool is_new_member(const struct assay_args *args, size_t index, int *ret_exit)
{
    const struct assay_option *option = args->given[index].option;
    for (size_t i = 0; i < index; i++) {
        const struct assay_option *before = args->given[i].option;
        if (before == option) {
            return refuse(ASSAY_EXIT_OK, ret_exit); /* a repeated list, written already */
        }
        if (before->member != NULL && option->member != NULL &&
            strcmp(before->member, option->member) == 0) {
            fprintf(stderr, "assay: --%s and --%s contradict each other\n", before->name,
                    option->name);
            return refuse(ASSAY_EXIT_USAGE, ret_exit);
        }
    }
    return true;
}

static bool write_options(struct assay_json_writer *w, const struct assay_args *args, int *ret_exit)
{
    for (size_t i = 0; i < args->given_count; i++) {
        int code = ASSAY_EXIT_OK;
        if (is_new_member(args, i, &code)) {
            if (!write_member(w, args, &args->given[i], ret_exit)) {
                return false;
            }
        } else if (code != ASSAY_EXIT_OK) {
            return refuse(code, ret_exit);
        }
    }
    return true;
}

static void write_operand(struct assay_json_writer *w, const struct assay_args *args,
                          struct assay_slice token)
{
    switch (args->command->operand_as) {
    case ASSAY_OPERAND_NONE:
    case ASSAY_OPERAND_LOCAL:
        return;
    case ASSAY_OPERAND_TEXT:
        if (args->operand != NULL) {
            assay_json_member_string(w, assay_slice_of_text(args->command->operand_member),
                                     assay_slice_of_text(args->operand));
        }
        return;
    case ASSAY_OPERAND_TOKEN:
        if (token.len == ASSAY_JTI_LEN) {
            assay_json_member_string(w, ASSAY_SLICE("jti"), token);
        } else {
            assay_json_member_string(w, ASSAY_SLICE("token"), token);
        }
        return;
    }
}

bool assay_body_write(const struct assay_tool *tool, struct assay_slice token,
                      struct assay_slice after, struct assay_buf *body, int *ret_exit)
{
    struct assay_json_writer w;
    assay_json_init(&w, body);
    assay_json_object_open(&w);
    write_operand(&w, &tool->args, token);
    if (!write_options(&w, &tool->args, ret_exit)) {
        return false;
    }
    if (after.len > 0) {
        assay_json_member_string(&w, ASSAY_SLICE("after"), after);
    }
    assay_json_object_close(&w);
    if (body->spent) {
        fprintf(stderr, "assay: too much was given (at most %d bytes)\n", ASSAY_MAX_BODY);
        return refuse(ASSAY_EXIT_USAGE, ret_exit);
    }
    return true;
}
