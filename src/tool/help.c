#include "tool/help.h"

#include <stdbool.h>
#include <string.h>

#define COLUMN 30 /* where summaries start */

static void print_entry(FILE *out, const char *a, const char *b, const char *text)
{
    int width = fprintf(out, "  %s%s%s", a, b[0] == '\0' ? "" : " ", b);
    if (width > COLUMN - 2) {
        fprintf(out, "\n%*s", COLUMN, "");
    } else {
        fprintf(out, "%*s", COLUMN - width, "");
    }
    fprintf(out, "%s\n", text);
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void print_options(FILE *out, const struct assay_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        char name[64];
        int written = snprintf(name, sizeof name, "--%s", options->name);
        if (written > 0 && (size_t)written < sizeof name) {
            print_entry(out, name, or_empty(options->value), options->help);
        }
    }
}

static bool has_options(const struct assay_command *command)
{
    return command->options != NULL && command->options[0].name != NULL;
}

static void print_exit_codes(FILE *out)
{
    fputs("exit codes:\n"
          "  0   done; the answer is yes\n"
          "  1   the answer is no (inactive, not found, refused), or it could not be had or\n"
          "      printed; stderr says why\n"
          "  2   the command line is wrong; nothing was done, stdout is empty\n",
          out);
}

static bool in_group(const struct assay_command *command, const char *group)
{
    size_t len = strlen(group);
    return strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
}

void assay_help_overview(FILE *out)
{
    fputs("usage: assay [OPTIONS] COMMAND [ARGUMENT] [OPTIONS]\n"
          "\n"
          "Tells a live OAuth 2.0 token from a dead one: an authorization server that issues,\n"
          "introspects (RFC 7662) and revokes (RFC 7009) tokens, and the command to run it.\n"
          "\n"
          "commands:\n",
          out);
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        print_entry(out, assay_commands[i]->name, or_empty(assay_commands[i]->operand),
                    assay_commands[i]->summary);
    }
    fputs("\noptions of every command:\n", out);
    print_options(out, assay_global_options);
    fputs("  --help, -h                  help; behind a command: about that command\n"
          "  --version                   the version\n\n",
          out);
    print_exit_codes(out);
    fputs("\n'assay COMMAND --help' tells more about one of them.\n", out);
}

void assay_help_group(FILE *out, const char *group)
{
    fprintf(out, "usage: assay %s VERB [ARGUMENT] [OPTIONS]\n\nverbs:\n", group);
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const struct assay_command *command = assay_commands[i];
        if (in_group(command, group)) {
            print_entry(out, command->name + strlen(group) + 1, or_empty(command->operand),
                        command->summary);
        }
    }
}

static bool has_option(const struct assay_option *options, const char *name)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (strcmp(options->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The options of every command, or those of them that the command's own hide behind it. */
static void print_global_options(FILE *out, const struct assay_command *command, bool hidden)
{
    for (size_t i = 0; assay_global_options[i].name != NULL; i++) {
        const struct assay_option one[] = {assay_global_options[i], {0}};
        if (has_option(command->options, one[0].name) == hidden) {
            print_options(out, one);
        }
    }
}

static bool hides_options(const struct assay_command *command)
{
    for (size_t i = 0; assay_global_options[i].name != NULL; i++) {
        if (has_option(command->options, assay_global_options[i].name)) {
            return true;
        }
    }
    return false;
}

void assay_help_command(FILE *out, const struct assay_command *command)
{
    fprintf(out, "usage: assay %s%s%s%s\n\n%s.\n", command->name,
            command->operand == NULL ? "" : " ", or_empty(command->operand),
            has_options(command) ? " [OPTIONS]" : "", command->summary);
    if (command->details != NULL) {
        fprintf(out, "\n%s\n", command->details);
    }
    if (has_options(command)) {
        fputs("\noptions:\n", out);
        print_options(out, command->options);
    }
    fputs("\noptions of every command:\n", out);
    print_global_options(out, command, false);
    if (hides_options(command)) {
        fprintf(out, "before '%s' alone, where they are not its own:\n", command->name);
        print_global_options(out, command, true);
    }
    fputc('\n', out);
    print_exit_codes(out);
}

/* In man(7) a dash that is typed is \-, and a line must not start with a dot or quote. */
static void print_man(FILE *out, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else {
            fputc(*text, out);
        }
        line_start = *text == '\n';
    }
}

static void print_man_options(FILE *out, const struct assay_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        fputs(".TP\n.B \\-\\-", out);
        print_man(out, options->name);
        if (options->value != NULL) {
            fputs("\\fR \\fI", out);
            print_man(out, options->value);
            fputs("\\fR", out);
        }
        fputc('\n', out);
        print_man(out, options->help);
        fputc('\n', out);
    }
}

static void print_man_command(FILE *out, const struct assay_command *command)
{
    fputs(".SS assay ", out);
    print_man(out, command->name);
    if (command->operand != NULL) {
        fputc(' ', out);
        print_man(out, command->operand);
    }
    fputc('\n', out);
    print_man(out, command->summary);
    fputs(".\n", out);
    if (command->details != NULL) {
        fputs(".PP\n.nf\n", out);
        print_man(out, command->details);
        fputs("\n.fi\n", out);
    }
    print_man_options(out, command->options);
}

void assay_help_man(FILE *out)
{
    fputs(".\\\" Written by 'assay help --man' from the table of commands.\n"
          ".TH ASSAY 1 \"\" \"assay\" \"User Commands\"\n"
          ".SH NAME\nassay \\- issue, introspect and revoke OAuth 2.0 tokens\n"
          ".SH SYNOPSIS\n.B assay\n[\\fIOPTIONS\\fR] \\fICOMMAND\\fR [\\fIARGUMENT\\fR] "
          "[\\fIOPTIONS\\fR]\n"
          ".SH DESCRIPTION\n"
          "An authorization server that answers token introspection (RFC 7662) and revocation\n"
          "(RFC 7009), and the command that runs and administers it. Administrative commands act\n"
          "on a store of this machine, or with \\-\\-server on a server.\n"
          ".PP\nSecrets and tokens come by file or stdin. Times have a unit: 30s, 10m, 1h, 30d.\n"
          ".SH OPTIONS\nThese stand before or behind every command; where a command has an option\n"
          "of the same name, before it.\n",
          out);
    print_man_options(out, assay_global_options);
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        print_man_command(out, assay_commands[i]);
    }
    fputs(".SH EXIT STATUS\n"
          ".TP\n.B 0\nDone; the answer is yes.\n"
          ".TP\n.B 1\nThe answer is no (inactive, not found, refused), or it could not be had or\n"
          "printed; stderr says why.\n"
          ".TP\n.B 2\nThe command line is wrong; nothing was done, stdout is empty.\n"
          ".SH ENVIRONMENT\n"
          "ASSAY_STORE, ASSAY_SERVER, ASSAY_CLIENT, ASSAY_SECRET_FILE, ASSAY_CACERT stand for the\n"
          "options of those names.\n"
          ".SH SEE ALSO\n.BR nginx (8)\n",
          out);
}

static void print_bash_options(FILE *out, const struct assay_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        fprintf(out, " --%s", options->name);
    }
}

/* First words, each once: the table keeps the commands of a group together. */
static void print_bash_first_words(FILE *out)
{
    size_t last_len = 0;
    const char *last = "";
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const char *name = assay_commands[i]->name;
        size_t len = strcspn(name, " ");
        if (len != last_len || strncmp(name, last, len) != 0) {
            fprintf(out, " %.*s", (int)len, name);
        }
        last = name;
        last_len = len;
    }
}

static void print_bash_verbs(FILE *out)
{
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const char *name = assay_commands[i]->name;
        const char *verb = strchr(name, ' ');
        if (verb != NULL) {
            fprintf(out, "        %.*s) verbs=\"$verbs %s\" ;;&\n", (int)(verb - name), name,
                    verb + 1);
        }
    }
}

void assay_help_bash(FILE *out)
{
    fputs("# bash completion for assay, written by 'assay completion bash'\n"
          "_assay() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} first= second= verbs= options= word i\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        word=${COMP_WORDS[i]}\n"
          "        case $word in\n"
          "        -*) ;;\n"
          "        *) if [ -z \"$first\" ]; then first=$word; elif [ -z \"$second\" ]; then "
          "second=$word; fi ;;\n"
          "        esac\n"
          "    done\n"
          "    case $first in\n",
          out);
    print_bash_verbs(out);
    fputs("    esac\n    case \"$first $second\" in\n", out);
    for (size_t i = 0; assay_commands[i] != NULL; i++) {
        const struct assay_command *command = assay_commands[i];
        fprintf(out, "        \"%s%s) options=\"", command->name,
                strchr(command->name, ' ') == NULL ? " \"*" : "\"");
        print_bash_options(out, command->options);
        fputs("\" ;;\n", out);
    }
    fputs("    esac\n    options=\"$options --help", out);
    print_bash_options(out, assay_global_options);
    fputs("\"\n"
          "    case $cur in\n"
          "    -*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\") ;;\n"
          "    *)\n"
          "        if [ -z \"$first\" ]; then\n"
          "            mapfile -t COMPREPLY < <(compgen -W \"",
          out);
    print_bash_first_words(out);
    fputs("\" -- \"$cur\")\n"
          "        elif [ -n \"$verbs\" ] && [ -z \"$second\" ]; then\n"
          "            mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$cur\")\n"
          "        else\n"
          "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
          "        fi\n"
          "        ;;\n"
          "    esac\n"
          "}\n"
          "complete -F _assay assay\n",
          out);
}
