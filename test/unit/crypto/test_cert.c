#include "crypto/cert.h"

#include "base/secret.h"
#include "support/check.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define NOW 1800000000

static uint8_t key_room[4096];
static uint8_t cert_room[4096];

static X509 *make(EVP_PKEY **ret_key)
{
    struct assay_buf key;
    struct assay_buf cert;
    struct assay_error error = {0};
    assay_buf_init(&key, key_room, sizeof key_room);
    assay_buf_init(&cert, cert_room, sizeof cert_room);
    assert_ok(assay_cert_make(NOW, &key, &cert, &error), &error);
    BIO *key_bio = BIO_new_mem_buf(key.data, (int)key.len);
    BIO *cert_bio = BIO_new_mem_buf(cert.data, (int)cert.len);
    *ret_key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    X509 *x509 = PEM_read_bio_X509(cert_bio, NULL, NULL, NULL);
    BIO_free(key_bio);
    BIO_free(cert_bio);
    assert_non_null(*ret_key);
    assert_non_null(x509);
    return x509;
}

static void certificate_names_this_machine_and_no_other(void **state)
{
    (void)state;
    EVP_PKEY *key = NULL;
    X509 *cert = make(&key);
    assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
    assert_int_equal(X509_check_host(cert, "example.com", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ca(cert), 0);
    assert_int_equal(X509_check_private_key(cert, key), 1);
    assert_int_equal(X509_verify(cert, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void certificate_is_good_now_and_for_ninety_days(void **state)
{
    (void)state;
    EVP_PKEY *key = NULL;
    X509 *cert = make(&key);
    time_t now = NOW;
    time_t last = NOW + (ASSAY_CERT_DAYS - 1) * 86400;
    time_t after = NOW + (ASSAY_CERT_DAYS + 1) * 86400;
    assert_int_equal(X509_cmp_time(X509_get0_notBefore(cert), &now), -1);
    assert_int_equal(X509_cmp_time(X509_get0_notAfter(cert), &last), 1);
    assert_int_equal(X509_cmp_time(X509_get0_notAfter(cert), &after), -1);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void two_certificates_share_no_key_and_no_serial_number(void **state)
{
    (void)state;
    EVP_PKEY *key_a = NULL;
    EVP_PKEY *key_b = NULL;
    X509 *a = make(&key_a);
    X509 *b = make(&key_b);
    assert_int_not_equal(EVP_PKEY_eq(key_a, key_b), 1);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)), 0);
    X509_free(a);
    X509_free(b);
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
}

static void room_too_small_is_an_error(void **state)
{
    (void)state;
    struct assay_buf key;
    struct assay_buf cert;
    struct assay_error error = {0};
    assay_buf_init(&key, key_room, 100);
    assay_buf_init(&cert, cert_room, sizeof cert_room);
    assert_int_equal(assay_cert_make(NOW, &key, &cert, &error), ASSAY_ERR_LIMIT);
}

/* A-SEC-04 */
static void only_the_key_of_the_certificate_can_be_served_with(void **state)
{
    (void)state;
    static uint8_t rooms[4][4096];
    struct assay_buf buf[4]; /* key and certificate of one, key and certificate of another */
    struct assay_error error = {0};
    for (size_t i = 0; i < 4; i++) {
        assay_buf_init(&buf[i], rooms[i], sizeof rooms[i]);
    }
    assert_ok(assay_cert_make(NOW, &buf[0], &buf[1], &error), &error);
    assert_ok(assay_cert_make(NOW, &buf[2], &buf[3], &error), &error);
    assert_ok(assay_cert_check(assay_buf_slice(&buf[1]), assay_buf_slice(&buf[0]), &error), &error);
    assert_int_equal(assay_cert_check(assay_buf_slice(&buf[1]), assay_buf_slice(&buf[2]), &error),
                     ASSAY_ERR_SYNTAX);
    assert_int_equal(assay_cert_check(assay_buf_slice(&buf[0]), assay_buf_slice(&buf[0]), &error),
                     ASSAY_ERR_SYNTAX);
    assert_int_equal(assay_cert_check(assay_buf_slice(&buf[1]), assay_buf_slice(&buf[1]), &error),
                     ASSAY_ERR_SYNTAX);
    for (size_t len = 0; len < buf[0].len - 30; len += 7) {
        assert_int_equal(assay_cert_check(assay_buf_slice(&buf[1]),
                                          assay_slice_head(assay_buf_slice(&buf[0]), len), &error),
                         ASSAY_ERR_SYNTAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_key_of_the_certificate_can_be_served_with),
        cmocka_unit_test(certificate_names_this_machine_and_no_other),
        cmocka_unit_test(certificate_is_good_now_and_for_ninety_days),
        cmocka_unit_test(two_certificates_share_no_key_and_no_serial_number),
        cmocka_unit_test(room_too_small_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
