#include "crypto/cert.h"

#include "crypto/crypto_priv.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define HOUR_S INT64_C(3600)
#define DAY_S INT64_C(86400)
#define SERIAL_BITS 127
#define LEAST_STRENGTH 112 /* bits: NIST SP 800-57 */

static bool set_serial(X509 *cert)
{
    BIGNUM *serial = BN_new();
    bool ok = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;
    BN_free(serial);
    return ok;
}

/* An hour early, since the clocks of two programs on one machine may be read in either order. */
static bool set_times(X509 *cert, int64_t now_s)
{
    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - HOUR_S)) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + ASSAY_CERT_DAYS * DAY_S)) !=
               NULL;
}

static bool set_names(X509 *cert)
{
    static const unsigned char subject[] = "localhost";
    X509_NAME *name = X509_get_subject_name(cert);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, subject, -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1;
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool fill(X509 *cert, EVP_PKEY *key, int64_t now_s)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           set_times(cert, now_s) && set_names(cert) && X509_set_pubkey(cert, key) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static void take(BIO *bio, struct assay_buf *out)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    assay_buf_append(out, assay_slice_of(data, len > 0 ? (size_t)len : 0));
}

/* The key goes through memory that OpenSSL wipes. */
static bool write_pem(X509 *cert, EVP_PKEY *key, struct assay_buf *key_pem,
                      struct assay_buf *cert_pem)
{
    BIO *secret = BIO_new(BIO_s_secmem());
    BIO *open = BIO_new(BIO_s_mem());
    bool ok = secret != NULL && open != NULL &&
              PEM_write_bio_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              PEM_write_bio_X509(open, cert) == 1;
    if (ok) {
        take(secret, key_pem);
        take(open, cert_pem);
    }
    BIO_free(secret);
    BIO_free(open);
    return ok;
}

enum assay_status assay_cert_make(int64_t now_s, struct assay_buf *key_pem,
                                  struct assay_buf *cert_pem, struct assay_error *reterr)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool ok = key != NULL && cert != NULL && fill(cert, key, now_s) &&
              write_pem(cert, key, key_pem, cert_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    if (!ok) {
        return assay_crypto_fail("the certificate could not be made", reterr);
    }
    if (key_pem->spent || cert_pem->spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for the certificate", reterr);
    }
    return ASSAY_OK;
}

/* Nobody is there to be asked. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
static int note_passphrase(char *room, int size, int writing, void *context)
{
    (void)room;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static BIO *reader_of(struct assay_slice pem)
{
    return pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
}

static EVP_PKEY *read_key(struct assay_slice pem, bool *ret_asked)
{
    BIO *bio = reader_of(pem);
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, note_passphrase, ret_asked);
    BIO_free(bio);
    return key;
}

static X509 *read_cert(struct assay_slice pem)
{
    BIO *bio = reader_of(pem);
    bool asked = false;
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, note_passphrase, &asked);
    BIO_free(bio);
    return cert;
}

enum assay_status assay_cert_check(struct assay_slice cert_pem, struct assay_slice key_pem,
                                   struct assay_error *reterr)
{
    bool asked = false;
    EVP_PKEY *key = read_key(key_pem, &asked);
    X509 *cert = read_cert(cert_pem);
    const char *wrong = NULL;
    if (cert == NULL) {
        wrong = "the certificate is no PEM certificate";
    } else if (asked) {
        wrong = "the key has a passphrase, and nobody is there to be asked for it";
    } else if (key == NULL) {
        wrong = "the key is no PEM private key";
    } else if (EVP_PKEY_get_security_bits(key) < LEAST_STRENGTH) {
        wrong = "the key is too short: RSA wants 2048 bits and more";
    } else if (X509_check_private_key(cert, key) != 1) {
        wrong = "the key is not that of the certificate";
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return wrong == NULL ? ASSAY_OK : assay_fail(ASSAY_ERR_SYNTAX, wrong, reterr);
}
