/* What an authorization server may call itself (RFC 8414 section 2). */
#include "oauth/issuer.h"
#include "support/check.h"

/* R8414-2-1: https, a host, no query, no fragment; http for this machine alone. */
static void an_issuer_is_an_https_url_without_query_and_fragment(void **state)
{
    static const char *const good[] = {
        "https://auth.example.com",    "https://auth.example.com/",
        "https://a.example:8443",      "https://192.0.2.1",
        "https://[2001:db8::1]:8443",  "https://a.example/tenant/one",
        "https://a.example/tenant/",   "https://my_host",
        "https://a.example/x.y~z-w_v", "http://localhost",
        "http://localhost:8080/t",     "http://127.0.0.1:1",
        "http://[::1]:65535",          "https://a.example/a:b@c;d,e=f"};
    static const char *const bad[] = {
        "",
        "https",
        "https:",
        "https:/a.example",
        "https://",
        "https:///path",
        "https://:443",
        "https://a.example:",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:123456",
        "https://a.example:12a",
        "https://user@a.example",
        "https://user:password@a.example",
        "https://a.example?",
        "https://a.example/x?y=z",
        "https://a.example#",
        "https://a.example/x#y",
        "https://a b.example",
        "https://a.example/a b",
        "https://a.example//",
        "https://a.example/a//b",
        "https://a.example/./a",
        "https://a.example/a/..",
        "https://a.example/%2e%2e",
        "https://a.example/\"x",
        "https://a.example/\\x",
        "https://a.example/\xc3\xa4",
        "https://[2001:db8::1",
        "https://2001:db8::1",
        "https://[::g]",
        "HTTPS://a.example",
        "http://a.example",
        "http://localhost.a.example",
        "http://127.0.0.10",
        "http://[::1]x",
        "ftp://a.example",
        "urn:example:issuer",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const char *fault = assay_issuer_fault(assay_slice_of_text(good[i]));
        if (fault != NULL) {
            fail_msg("%s: %s", good[i], fault);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (assay_issuer_fault(assay_slice_of_text(bad[i])) == NULL) {
            fail_msg("accepted: %s", bad[i]);
        }
    }
    assert_non_null(assay_issuer_fault(assay_slice_of("https://a.example\0b", 19)));
}

static void an_issuer_of_512_bytes_is_the_longest(void **state)
{
    char url[514];
    (void)state;
    memset(url, 'a', sizeof(url));
    memcpy(url, "https://a.example/", 18);
    assert_null(assay_issuer_fault(assay_slice_of(url, 512)));
    assert_non_null(assay_issuer_fault(assay_slice_of(url, 513)));
}

/* R8414-3-1: a terminating slash is dropped before the path is used. */
static void the_path_has_no_slash_at_its_end(void **state)
{
    static const struct {
        const char *issuer;
        const char *path;
    } rows[] = {
        {"https://a.example", ""},
        {"https://a.example/", ""},
        {"https://a.example/t", "/t"},
        {"https://a.example/t/", "/t"},
        {"https://a.example:1/t/u", "/t/u"},
        {"http://[::1]:1/t", "/t"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_true(assay_slice_equal(assay_issuer_path(assay_slice_of_text(rows[i].issuer)),
                                      assay_slice_of_text(rows[i].path)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_issuer_is_an_https_url_without_query_and_fragment),
        cmocka_unit_test(an_issuer_of_512_bytes_is_the_longest),
        cmocka_unit_test(the_path_has_no_slash_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
