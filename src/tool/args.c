#include "tool/args.h"

#include "record/token_text.h"
#include "tool/suggest.h"

#include <string.h>

/* Where the reading stands. */
struct reading {
    int argc;
    char *const *argv;
    int next;
    bool options_over; /* behind "--" */
    struct assay_args *args;
    FILE *errors;
};

/* Words of the table are lower-case letters and dashes: what else was typed is not repeated, since
 * it may be a token or a secret in the wrong place. */
static bool looks_like_word(const char *text)
{
    size_t len = strlen(text);
    return len <= ASSAY_SUGGEST_MAX && strspn(text, "abcdefghijklmnopqrstuvwxyz-") == len;
}

/* `group` is that of the verb that was typed; NULL: it was a first word. */
static bool refuse_word(struct reading *r, const char *group, const char *typed,
                        const struct assay_suggestion *suggestion)
{
    fprintf(r->errors, "assay: unknown %s", group == NULL ? "command" : "verb");
    if (looks_like_word(typed)) {
        fprintf(r->errors, " '%s'", typed);
    }
    if (suggestion->word != NULL) {
        fprintf(r->errors, "; did you mean '%s'?", suggestion->word);
    }
    fprintf(r->errors, " (assay %s%s--help lists them)\n", group == NULL ? "" : group,
            group == NULL ? "" : " ");
    return false;
}

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

static bool is_group(const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const char *name = assay_commands[i]->name;
        if (name[first_word(name)] != '\0' && first_word(name) == len &&
            strncmp(name, word, len) == 0) {
            return true;
        }
    }
    return false;
}

static const struct assay_command *find_command(const char *group, const char *word)
{
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const char *name = assay_commands[i]->name;
        if (group != NULL) {
            size_t len = strlen(group);
            if (strncmp(name, group, len) != 0 || name[len] != ' ') {
                continue;
            }
            name += len + 1;
        }
        if (strcmp(name, word) == 0) {
            return assay_commands[i];
        }
    }
    return NULL;
}

/* Offers the words that may stand where `typed` does: verbs of `group`, or first words. */
static void offer_commands(struct assay_suggestion *suggestion, const char *group, char *room,
                           size_t size)
{
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const char *name = assay_commands[i]->name;
        if (group != NULL) {
            size_t len = strlen(group);
            if (strncmp(name, group, len) == 0 && name[len] == ' ') {
                assay_suggest_offer(suggestion, name + len + 1);
            }
            continue;
        }
        const char *before = suggestion->word;
        size_t len = first_word(name);
        char word[ASSAY_SUGGEST_MAX + 1] = {0};
        if (len < sizeof word && len < size) {
            memcpy(word, name, len);
            assay_suggest_offer(suggestion, word);
        }
        if (suggestion->word != before) {
            memcpy(room, word, len + 1);
            suggestion->word = room;
        }
    }
}

static bool refuse_command(struct reading *r, const char *typed)
{
    char room[ASSAY_SUGGEST_MAX + 1];
    struct assay_suggestion suggestion = {.typed = typed};
    offer_commands(&suggestion, r->args->group, room, sizeof room);
    return refuse_word(r, r->args->group, typed, &suggestion);
}

static const struct assay_option *find_option(const struct assay_option *options, const char *name,
                                              size_t len)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (strlen(options->name) == len && strncmp(options->name, name, len) == 0) {
            return options;
        }
    }
    return NULL;
}

static bool refuse_option(struct reading *r, const char *typed, size_t len)
{
    char name[ASSAY_SUGGEST_MAX + 1] = {0};
    if (len < sizeof name) {
        memcpy(name, typed, len);
    }
    if (strstr(name, "secret") != NULL || strstr(name, "password") != NULL) {
        fprintf(r->errors, "assay: a secret is never an argument, where every user of this machine "
                           "can read it: use --secret-file FILE, or '-' for stdin\n");
        return false;
    }

    struct assay_suggestion suggestion = {.typed = name};
    const struct assay_option *own = r->args->command != NULL ? r->args->command->options : NULL;
    for (; own != NULL && own->name != NULL; own++) {
        assay_suggest_offer(&suggestion, own->name);
    }
    for (own = assay_global_options; own->name != NULL; own++) {
        assay_suggest_offer(&suggestion, own->name);
    }
    fprintf(r->errors, "assay: unknown option");
    if (looks_like_word(name)) {
        fprintf(r->errors, " '--%s'", name);
    }
    if (suggestion.word != NULL) {
        fprintf(r->errors, "; did you mean '--%s'?", suggestion.word);
    }
    fprintf(r->errors,
            r->args->command != NULL ? " (assay %s --help lists them)\n"
                                     : " (assay --help lists them)\n",
            r->args->command != NULL ? r->args->command->name : "");
    return false;
}

static bool may_repeat(const struct assay_option *option)
{
    return option->as == ASSAY_AS_LIST || option->as == ASSAY_AS_WORDS;
}

static bool note_option(struct reading *r, const struct assay_option *option, const char *value)
{
    struct assay_args *args = r->args;
    for (size_t i = 0; i < args->given_count && !may_repeat(option); i++) {
        if (args->given[i].option == option) {
            fprintf(r->errors, "assay: --%s is given twice\n", option->name);
            return false;
        }
    }
    if (args->given_count == ASSAY_MAX_GIVEN) {
        fprintf(r->errors, "assay: too many options (at most %d)\n", ASSAY_MAX_GIVEN);
        return false;
    }
    args->given[args->given_count++] = (struct assay_given){.option = option, .value = value};
    return true;
}

/* `text` is what stands behind the two dashes. */
static bool read_option(struct reading *r, const char *text)
{
    size_t len = strcspn(text, "=");
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    if (value == NULL && strcmp(text, "help") == 0) {
        r->args->help = true;
        return true;
    }
    if (value == NULL && strcmp(text, "version") == 0) {
        r->args->version = true;
        return true;
    }

    const struct assay_command *command = r->args->command;
    const struct assay_option *option =
        command != NULL ? find_option(command->options, text, len) : NULL;
    if (option == NULL) {
        option = find_option(assay_global_options, text, len);
    }
    if (option == NULL) {
        return refuse_option(r, text, len);
    }
    if (option->value == NULL && value != NULL) {
        fprintf(r->errors, "assay: --%s takes no value\n", option->name);
        return false;
    }
    if (option->value != NULL && value == NULL) {
        if (r->next == r->argc || strncmp(r->argv[r->next], "--", 2) == 0) {
            fprintf(r->errors, "assay: --%s needs a value: --%s %s\n", option->name, option->name,
                    option->value);
            return false;
        }
        value = r->argv[r->next++];
    }
    return note_option(r, option, value);
}

static bool read_operand(struct reading *r, const char *text)
{
    struct assay_args *args = r->args;
    if (args->command->operand_as == ASSAY_OPERAND_NONE || args->operand != NULL) {
        fprintf(r->errors, "assay: '%s' takes no further argument (assay %s --help)\n",
                args->command->name, args->command->name);
        return false;
    }
    args->operand = text;
    return true;
}

static bool read_word(struct reading *r, const char *text)
{
    struct assay_args *args = r->args;
    if (args->command != NULL) {
        return read_operand(r, text);
    }
    args->command = find_command(args->group, text);
    if (args->command != NULL) {
        args->group = NULL;
        return true;
    }
    if (args->group == NULL && is_group(text)) {
        args->group = text;
        return true;
    }
    return refuse_command(r, text);
}

/* `help client add` names a command behind a command: its words are one operand. */
static bool read_help_words(struct reading *r, char *const *words, int count)
{
    struct assay_args *args = r->args;
    const struct assay_command *help = args->command;
    args->command = NULL;
    for (int i = 0; i < count; i++) {
        if (args->command != NULL) {
            fprintf(r->errors, "assay: help takes the words of one command: assay help %s\n",
                    args->command->name);
            return false;
        }
        if (!read_word(r, words[i])) {
            return false;
        }
    }
    args->help = true;
    if (args->command == NULL && args->group == NULL) {
        args->command = help;
    }
    return true;
}

/* A jti may start with dashes; no option is as long and of those characters alone. */
static bool is_jti(const struct reading *r, const char *text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const struct assay_command *command = r->args->command;
    return command != NULL && command->operand_as == ASSAY_OPERAND_TOKEN &&
           strlen(text) == ASSAY_JTI_LEN && strspn(text, alphabet) == ASSAY_JTI_LEN;
}

static bool read_one(struct reading *r)
{
    const char *text = r->argv[r->next++];
    if (is_jti(r, text)) {
        return read_operand(r, text);
    }
    if (!r->options_over && strcmp(text, "--") == 0) {
        r->options_over = true;
        return true;
    }
    if (!r->options_over && strcmp(text, "-h") == 0) {
        r->args->help = true;
        return true;
    }
    if (!r->options_over && strncmp(text, "--", 2) == 0) {
        return read_option(r, text + 2);
    }
    if (!r->options_over && text[0] == '-' && text[1] != '\0') {
        fprintf(r->errors, "assay: unknown option (options are written out: --help; an argument "
                           "that starts with a dash stands behind '--')\n");
        return false;
    }
    if (r->args->command == &assay_cmd_help) {
        int count = r->argc - (r->next - 1);
        r->next = r->argc;
        return read_help_words(r, r->argv + (r->argc - count), count);
    }
    return read_word(r, text);
}

static bool is_global(const struct assay_option *option)
{
    for (const struct assay_option *o = assay_global_options; o->name != NULL; o++) {
        if (o == option) {
            return true;
        }
    }
    return false;
}

static const struct assay_given *find_given(const struct assay_args *args, const char *name,
                                            bool global)
{
    for (size_t i = 0; i < args->given_count; i++) {
        const struct assay_given *given = &args->given[i];
        if (strcmp(given->option->name, name) == 0 && is_global(given->option) == global) {
            return given;
        }
    }
    return NULL;
}

/* What acts on files of this machine and was told of a server was meant otherwise. */
static bool stays_here(const struct reading *r)
{
    static const char *const remote[] = {"server", "client", "secret-file", "cacert"};
    const struct assay_args *args = r->args;
    for (size_t i = 0; args->command->here && i < sizeof remote / sizeof remote[0]; i++) {
        if (find_given(args, remote[i], true) != NULL) {
            fprintf(r->errors,
                    "assay: '%s' acts on this machine: --%s is about a server elsewhere\n",
                    args->command->name, remote[i]);
            return false;
        }
    }
    return true;
}

static bool is_complete(const struct reading *r)
{
    const struct assay_args *args = r->args;
    if (args->help || args->version || args->command == NULL) {
        return true;
    }
    if (!stays_here(r)) {
        return false;
    }
    const char *operand = args->command->operand;
    if (operand != NULL && operand[0] != '[' && args->operand == NULL) {
        fprintf(r->errors, "assay: '%s' needs %s: assay %s %s\n", args->command->name, operand,
                args->command->name, operand);
        return false;
    }
    const char *needs = args->command->needs;
    if (needs != NULL && find_given(args, needs, false) == NULL) {
        fprintf(r->errors, "assay: '%s' needs --%s (assay %s --help)\n", args->command->name, needs,
                args->command->name);
        return false;
    }
    return true;
}

bool assay_args_parse(int argc, char *const *argv, struct assay_args *ret, FILE *errors)
{
    struct reading r = {.argc = argc, .argv = argv, .next = 1, .args = ret, .errors = errors};
    memset(ret, 0, sizeof *ret);
    while (r.next < argc) {
        if (!read_one(&r)) {
            return false;
        }
    }
    return is_complete(&r);
}

const char *assay_args_global(const struct assay_args *args, const char *name)
{
    const struct assay_given *given = find_given(args, name, true);
    return given == NULL ? NULL : given->value;
}

const char *assay_args_value(const struct assay_args *args, const char *name)
{
    const struct assay_given *own = find_given(args, name, false);
    return own == NULL ? assay_args_global(args, name) : own->value;
}

bool assay_args_has(const struct assay_args *args, const char *name)
{
    return find_given(args, name, false) != NULL || find_given(args, name, true) != NULL;
}
