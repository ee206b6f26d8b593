#include "tool/nginx_conf.h"

#include "support/check.h"

static uint8_t room[16384];
static char text[sizeof room + 1];

static struct assay_nginx_conf plain(void)
{
    return (struct assay_nginx_conf){
        .module = "/usr/lib/nginx/modules/m.so",
        .run_dir = "/run/assay",
        .store = "/var/lib/assay",
        .listen = "127.0.0.1:8443",
        .issuer = "https://localhost:8443",
        .certificate = "/run/assay/localhost.crt",
        .key = "/run/assay/localhost.key",
    };
}

static enum assay_status write_conf(const struct assay_nginx_conf *conf, size_t size)
{
    struct assay_buf out;
    struct assay_error error = {0};
    assay_buf_init(&out, room, size);
    enum assay_status status = assay_nginx_conf_write(conf, &out, &error);
    memcpy(text, out.data, out.len);
    text[out.len] = '\0';
    return status;
}

static void configuration_serves_tls_12_and_13_alone(void **state)
{
    (void)state;
    struct assay_nginx_conf conf = plain();
    assert_int_equal(write_conf(&conf, sizeof room), ASSAY_OK);
    assert_non_null(strstr(text, "ssl_protocols TLSv1.2 TLSv1.3;"));
    assert_non_null(strstr(text, "listen 127.0.0.1:8443 ssl http2;"));
    assert_non_null(strstr(text, "assay_server \"issuer=https://localhost:8443\";"));
    assert_null(strstr(text, "allow_cleartext"));
    assert_null(strstr(text, "user "));
}

/* A-SEC-01, REL-18: no core file; the log line has neither query nor headers. */
static void configuration_keeps_secrets_out_of_logs_and_core_files(void **state)
{
    (void)state;
    struct assay_nginx_conf conf = plain();
    conf.access_log = "/dev/stderr";
    assert_int_equal(write_conf(&conf, sizeof room), ASSAY_OK);
    assert_non_null(strstr(text, "worker_rlimit_core 0;"));
    assert_non_null(strstr(text, "access_log /dev/stderr assay;"));
    assert_null(strstr(text, "$request_uri"));
    assert_null(strstr(text, "$request "));
    assert_null(strstr(text, "$request\""));
    assert_null(strstr(text, "$args"));
    assert_null(strstr(text, "$http_"));
    assert_null(strstr(text, "$remote_user"));
    conf.access_log = NULL;
    assert_int_equal(write_conf(&conf, sizeof room), ASSAY_OK);
    assert_non_null(strstr(text, "access_log off;"));
}

static void without_a_certificate_there_is_no_tls(void **state)
{
    (void)state;
    struct assay_nginx_conf conf = plain();
    conf.certificate = NULL;
    conf.key = NULL;
    conf.allow_cleartext = true;
    assert_int_equal(write_conf(&conf, sizeof room), ASSAY_OK);
    assert_null(strstr(text, "ssl"));
    assert_non_null(strstr(text, "allow_cleartext=yes"));
}

/* A value must stay a value: nothing in it may end its quotes or name a variable. */
static void value_that_nginx_would_read_as_more_is_refused(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "/tmp/a\"; load_module x",
        "/tmp/$host",
        "/tmp/a\nuser root;",
        "/tmp/a\\",
        "/tmp/a;b",
        "/tmp/{a}",
        "/tmp/'a'",
    };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct assay_nginx_conf conf = plain();
        conf.store = hostile[i];
        assert_int_equal(write_conf(&conf, sizeof room), ASSAY_ERR_SYNTAX);
        assert_int_equal(strlen(text), 0);
        conf = plain();
        conf.issuer = hostile[i];
        assert_int_equal(write_conf(&conf, sizeof room), ASSAY_ERR_SYNTAX);
        conf = plain();
        conf.run_dir = hostile[i];
        assert_int_equal(write_conf(&conf, sizeof room), ASSAY_ERR_SYNTAX);
        conf = plain();
        conf.access_log = hostile[i];
        assert_int_equal(write_conf(&conf, sizeof room), ASSAY_ERR_SYNTAX);
    }
}

static void configuration_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct assay_nginx_conf conf = plain();
    assert_int_equal(write_conf(&conf, 100), ASSAY_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_serves_tls_12_and_13_alone),
        cmocka_unit_test(configuration_keeps_secrets_out_of_logs_and_core_files),
        cmocka_unit_test(without_a_certificate_there_is_no_tls),
        cmocka_unit_test(value_that_nginx_would_read_as_more_is_refused),
        cmocka_unit_test(configuration_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
