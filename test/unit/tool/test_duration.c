#include "tool/duration.h"

#include "support/check.h"

static int64_t seconds(const char *text)
{
    int64_t span_s = -1;
    return assay_duration_parse(text, &span_s) ? span_s : -1;
}

static void duration_is_a_number_and_its_unit(void **state)
{
    (void)state;
    assert_int_equal(seconds("5s"), 5);
    assert_int_equal(seconds("10m"), 600);
    assert_int_equal(seconds("1h"), 3600);
    assert_int_equal(seconds("30d"), 2592000);
    assert_int_equal(seconds("2w"), 1209600);
    assert_int_equal(seconds("0s"), 0);
    assert_int_equal(seconds("0"), 0);
    assert_int_equal(seconds("3650d"), 315360000);
}

/* A-CLI-01 */
static void anything_else_is_no_duration(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "-1",
        "-1s",
        "+1s",
        "1e9",
        "1e9s",
        "0x10",
        "0x10s",
        " 5s",
        "5s ",
        "5 s",
        "s",
        "5",
        "1.5h",
        "5S",
        "5sec",
        "1h30m",
        "99999999999999s",
        "3651d",
        "5\ns",
        "\xD9\xA5s",
        "0000000000000000000000000001s",
        "9999999999w",
        "315360001s",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (seconds(wrong[i]) != -1) {
            fail_msg("'%s' was taken for a duration", wrong[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(duration_is_a_number_and_its_unit),
        cmocka_unit_test(anything_else_is_no_duration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
