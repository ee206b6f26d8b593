#include "tool/args.h"

#include "support/check.h"

#include <stdio.h>

/* A table of this test's own; `assay_cmd_help` is the one the reading knows by address. */
static int nothing(struct assay_tool *tool)
{
    (void)tool;
    return 0;
}

static const struct assay_option add_options[] = {
    {"scope", "SCOPES", ASSAY_AS_WORDS, "scope", "words"},
    {"name", "TEXT", ASSAY_AS_TEXT, "name", "a name"},
    {"admin", NULL, ASSAY_AS_TRUE, "admin", "a flag"},
    {0},
};
static const struct assay_option issue_options[] = {
    {"client", "ID", ASSAY_AS_TEXT, "client_id", "whom"},
    {0},
};
static const struct assay_command add = {.name = "client add",
                                         .operand = "[NAME]",
                                         .operand_as = ASSAY_OPERAND_TEXT,
                                         .options = add_options,
                                         .run = nothing};
static const struct assay_command list = {.name = "client list", .run = nothing};
static const struct assay_command issue = {
    .name = "token issue", .needs = "client", .options = issue_options, .run = nothing};
static const struct assay_command revoke = {
    .name = "token revoke", .operand = "-|JTI", .operand_as = ASSAY_OPERAND_TOKEN, .run = nothing};
const struct assay_command *const assay_commands[] = {&add,    &list,           &issue,
                                                      &revoke, &assay_cmd_help, NULL};
const struct assay_option assay_global_options[] = {
    {"store", "DIR", ASSAY_AS_LOCAL, NULL, "the store"},
    {"client", "ID", ASSAY_AS_LOCAL, NULL, "who"},
    {"json", NULL, ASSAY_AS_LOCAL, NULL, "for programs"},
    {0},
};

#define MAX_WORDS 80

static struct assay_args args;
static char said[2048];

/* Reads the words of `line`, cut at spaces; what is complained is in `said`. */
static bool parse(const char *line)
{
    static char copy[2048];
    static char program[] = "assay";
    char *argv[MAX_WORDS] = {program};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    memset(said, 0, sizeof said);
    FILE *errors = fmemopen(said, sizeof said - 1, "w");
    bool ok = assay_args_parse(argc, argv, &args, errors);
    fclose(errors);
    return ok;
}

static void command_is_one_word_or_two(void **state)
{
    (void)state;
    assert_true(parse("client add robot"));
    assert_ptr_equal(args.command, &add);
    assert_string_equal(args.operand, "robot");
    assert_true(parse("client list"));
    assert_ptr_equal(args.command, &list);
    assert_true(parse("client"));
    assert_null(args.command);
    assert_string_equal(args.group, "client");
}

static void option_takes_its_value_apart_or_after_an_equals_sign(void **state)
{
    (void)state;
    assert_true(parse("client add --name=a=b --admin --scope read --scope write"));
    assert_string_equal(assay_args_value(&args, "name"), "a=b");
    assert_true(assay_args_has(&args, "admin"));
    assert_false(assay_args_has(&args, "json"));
    assert_int_equal(args.given_count, 4);
    assert_true(parse("client add --name x -- --admin"));
    assert_string_equal(args.operand, "--admin");
}

/* `--client` before the command is who asks, behind `token issue` whom the token is for. */
static void option_before_the_command_is_that_of_every_command(void **state)
{
    (void)state;
    assert_true(parse("--client ops token issue --client robot"));
    assert_string_equal(assay_args_global(&args, "client"), "ops");
    assert_string_equal(assay_args_value(&args, "client"), "robot");
    assert_true(parse("client list --client ops"));
    assert_string_equal(assay_args_global(&args, "client"), "ops");
}

static void mistyped_word_suggests_the_right_one(void **state)
{
    (void)state;
    assert_false(parse("clinet add"));
    assert_non_null(strstr(said, "did you mean 'client'?"));
    assert_false(parse("client ad"));
    assert_non_null(strstr(said, "did you mean 'add'?"));
    assert_false(parse("client add --sope x"));
    assert_non_null(strstr(said, "did you mean '--scope'?"));
    assert_false(parse("client list --sotre x"));
    assert_non_null(strstr(said, "did you mean '--store'?"));
    assert_false(parse("zzzzzz"));
    assert_null(strstr(said, "did you mean"));
}

/* A-CLI-04: what stands where a secret may have been meant is not repeated. */
static void secret_as_an_argument_is_refused_and_not_repeated(void **state)
{
    (void)state;
    assert_false(parse("client add --secret=hunter2hunter2"));
    assert_non_null(strstr(said, "a secret is never an argument"));
    assert_null(strstr(said, "hunter2"));
    assert_false(parse("client add --client-secret hunter2hunter2"));
    assert_null(strstr(said, "hunter2"));
    assert_false(parse("client add robot Hunter2Hunter2"));
    assert_null(strstr(said, "Hunter2"));
    assert_false(parse("assay_at_XYZ123"));
    assert_null(strstr(said, "XYZ123"));
}

static void wrong_command_lines_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "client add --name",      "client add --name --admin",
        "client add --admin=yes", "client add --name a --name b",
        "client add a b",         "client list x",
        "token revoke",           "token issue",
        "client add -x",          "--nosuch",
        "--=x client list",       "-- --json",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (parse(wrong[i])) {
            fail_msg("'%s' was taken", wrong[i]);
        }
        assert_non_null(strchr(said, '\n'));
        assert_ptr_equal(strchr(said, '\n') + 1, said + strlen(said)); /* one line */
    }
}

static void too_many_options_are_refused(void **state)
{
    (void)state;
    char line[2048] = "client add";
    for (int i = 0; i <= ASSAY_MAX_GIVEN; i++) {
        strcat(line, " --scope=a");
    }
    assert_false(parse(line));
}

static void help_needs_no_operand_and_no_option(void **state)
{
    (void)state;
    assert_true(parse("token revoke --help"));
    assert_true(args.help);
    assert_ptr_equal(args.command, &revoke);
    assert_true(parse("token issue -h"));
    assert_true(args.help);
    assert_true(parse("help client add"));
    assert_true(args.help);
    assert_ptr_equal(args.command, &add);
    assert_true(parse("help client"));
    assert_string_equal(args.group, "client");
    assert_false(parse("help client add more"));
    assert_false(parse("help nosuch"));
}

static void dash_alone_is_an_operand(void **state)
{
    (void)state;
    assert_true(parse("token revoke -"));
    assert_string_equal(args.operand, "-");
}

static void jti_may_start_with_dashes(void **state)
{
    (void)state;
    assert_true(parse("token revoke -_abcdefghijklmnopqrst"));
    assert_string_equal(args.operand, "-_abcdefghijklmnopqrst");
    assert_true(parse("token revoke --abcdefghijklmnopqrst --json"));
    assert_string_equal(args.operand, "--abcdefghijklmnopqrst");
    assert_false(parse("token revoke --abcdefghijklmnopqrs"));
    assert_false(parse("client add --abcdefghijklmnopqrst"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_is_one_word_or_two),
        cmocka_unit_test(option_takes_its_value_apart_or_after_an_equals_sign),
        cmocka_unit_test(option_before_the_command_is_that_of_every_command),
        cmocka_unit_test(mistyped_word_suggests_the_right_one),
        cmocka_unit_test(secret_as_an_argument_is_refused_and_not_repeated),
        cmocka_unit_test(wrong_command_lines_are_refused),
        cmocka_unit_test(too_many_options_are_refused),
        cmocka_unit_test(help_needs_no_operand_and_no_option),
        cmocka_unit_test(dash_alone_is_an_operand),
        cmocka_unit_test(jti_may_start_with_dashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
