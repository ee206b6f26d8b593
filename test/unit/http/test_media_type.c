/* Media types: the whole name counts, parameters do not. */
#include "http/media_type.h"
#include "support/check.h"

/* A-HTTP-06, A-HTTP-07: a prefix of the name is another type; case and parameters are dress. */
static void the_whole_name_counts_and_parameters_do_not(void **state)
{
    static const char *const same[] = {"application/json", "APPLICATION/Json",
                                       "application/json;charset=utf-8",
                                       "application/json \t; charset=utf-8", "application/json;"};
    static const char *const other[] = {
        "",     "application",       "application/jso",   "application/jsonp", "text/json",
        ";",    " application/json", "application/ json", "application/json,", "application/json x",
        "a;b=c"};
    struct assay_slice json = ASSAY_SLICE("application/json");
    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_true(assay_media_type_is(assay_slice_of_text(same[i]), json));
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_false(assay_media_type_is(assay_slice_of_text(other[i]), json));
    }
    assert_false(assay_media_type_is(assay_slice_of("application/json\0", 17), json));
    assert_false(assay_media_type_is((struct assay_slice){0}, json));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_name_counts_and_parameters_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
