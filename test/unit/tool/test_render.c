#include "tool/render.h"

#include "support/check.h"

#include <stdio.h>

static char shown[8192];

static struct assay_json *open_json(const char *text)
{
    struct assay_json *json = NULL;
    struct assay_error error = {0};
    assert_ok(assay_json_open(assay_slice_of_text(text), 8, &json, &error), &error);
    return json;
}

static const char *object(const char *text)
{
    struct assay_json *json = open_json(text);
    memset(shown, 0, sizeof shown);
    FILE *out = fmemopen(shown, sizeof shown - 1, "w");
    assay_render_object(out, json);
    fclose(out);
    assay_json_close(json);
    return shown;
}

static const char *rows(const char *text, const char *const *columns)
{
    struct assay_json *json = open_json(text);
    memset(shown, 0, sizeof shown);
    FILE *out = fmemopen(shown, sizeof shown - 1, "w");
    assay_render_rows(out, json, "rows", columns, true);
    fclose(out);
    assay_json_close(json);
    return shown;
}

static void object_is_a_line_per_member(void **state)
{
    (void)state;
    assert_string_equal(object("{\"client_id\":\"robot\",\"admin\":false,\"aud\":[\"a\",\"b\"]}"),
                        "client_id  robot\nadmin      no\naud        a b\n");
    assert_string_equal(object("{\"n\":null,\"e\":\"\",\"l\":[]}"), "n  -\ne  -\nl  -\n");
}

static void times_and_spans_are_shown_as_such(void **state)
{
    (void)state;
    assert_string_equal(object("{\"exp\":1700000000}"), "exp  2023-11-14 22:13:20 UTC\n");
    assert_string_equal(object("{\"created_at\":0}"), "created_at  0\n");
    assert_string_equal(object("{\"expires_in\":3600,\"access_lifetime\":90}"),
                        "expires_in       1h\naccess_lifetime  90s\n");
    assert_string_equal(object("{\"bytes_used\":2097152}"), "bytes_used  2 MiB\n");
    assert_string_equal(object("{\"exp\":9223372036854775807}"), "exp  9223372036854775807\n");
}

static void table_has_a_line_per_row_and_aligned_columns(void **state)
{
    (void)state;
    static const char *const columns[] = {"id", "name", NULL};
    assert_string_equal(
        rows("{\"rows\":[{\"id\":\"J\xC3\xBC\",\"name\":\"x\"},{\"id\":\"long one\"}]}", columns),
        "id        name\nJ\xC3\xBC        x\nlong one  -\n");
    assert_string_equal(rows("{\"rows\":[]}", columns), "id  name\n");
}

/* A-CLI-02 */
static void values_cannot_move_the_cursor_or_make_a_line(void **state)
{
    (void)state;
    static const char *const columns[] = {"id", NULL};
    const char *text = rows("{\"rows\":[{\"id\":\"a\\nb\\u001b[2J\\u202e\\u009b\"}]}", columns);
    assert_string_equal(text, "id\na\\nb\\x1B[2J\\u202E\\x9B\n");
    assert_string_equal(object("{\"a\\nb\":\"%n%s\"}"), "a\\nb  %n%s\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(object_is_a_line_per_member),
        cmocka_unit_test(times_and_spans_are_shown_as_such),
        cmocka_unit_test(table_has_a_line_per_row_and_aligned_columns),
        cmocka_unit_test(values_cannot_move_the_cursor_or_make_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
