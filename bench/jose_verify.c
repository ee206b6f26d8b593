/* guard_jwt_vs_evp: a token seen for the first time, from its text to judged claims, over
 * EVP_DigestVerify alone with the same key and signed bytes. A line per algorithm: name, median
 * ratio of alternated rounds, and the medians of both in microseconds of this thread's processor
 * time. What it is measured against is the fastest use of EVP_DigestVerify that OpenSSL 3.0 has: a
 * context made ready once and copied; a key set up each time is slower, so flatters us. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/base64url.h"
#include "jose/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 15
#define ROUND_NS 20000000.0
#define NOW_S 1700000000

/* What RFC 9068 asks for; and with members inside members, as some servers write them, which is
 * read in another way. */
static const struct assay_slice plain = {
    (const uint8_t
         *)"{\"iss\":\"https://as.example.com\",\"sub\":\"5ba552d67\",\"aud\":\"https://"
           "api.example.com/\","
           "\"exp\":1700000300,\"iat\":1699999990,\"jti\":\"dbe39bf3a3ba4238a513f51d6e1691c4\","
           "\"client_id\":\"s6BhdRkqt3\",\"scope\":\"read write\"}",
    204};

#define NESTED                                                                                     \
    "{\"iss\":\"https://as.example.com\",\"sub\":\"5ba552d67\",\"aud\":[\"https://"                \
    "api.example.com/\",\"account\"],"                                                             \
    "\"exp\":1700000300,\"iat\":1699999990,\"auth_time\":1699999900,\"jti\":"                      \
    "\"dbe39bf3a3ba4238a513f51d6e1691c4\","                                                        \
    "\"client_id\":\"s6BhdRkqt3\",\"azp\":\"s6BhdRkqt3\",\"sid\":\"4c1b8f7e-96c5-4d4b-9d7c-"       \
    "5f5d2f3c9b1a\",\"acr\":\"1\","                                                                \
    "\"allowed-origins\":[\"https://"                                                              \
    "app.example.com\"],\"realm_access\":{\"roles\":[\"offline_access\",\"user\"]},"               \
    "\"resource_access\":{\"account\":{\"roles\":[\"manage-account\",\"view-profile\"]}},"         \
    "\"scope\":\"read write\","                                                                    \
    "\"email_verified\":true,\"name\":\"Alice "                                                    \
    "Doe\",\"preferred_username\":\"alice\",\"email\":\"alice@example.com\"}"
static const struct assay_slice nested = {(const uint8_t *)NESTED, sizeof(NESTED) - 1};

struct bench {
    const struct assay_alg *alg;
    const struct assay_slice *claims;
    const char *label;
    struct assay_jwk key;
    struct assay_jwks keys;
    uint8_t memory[32768];
    uint8_t text[4096];
    struct assay_slice token;
    uint8_t signature[ASSAY_PKEY_MAX_RSA_LEN];
    size_t signature_len;
    struct assay_slice input;
    EVP_PKEY *evp;
    EVP_MD_CTX *ready;
    EVP_MD_CTX *copy;
};

static void must(bool truth)
{
    if (!truth) {
        fputs("jose_verify: a step failed\n", stderr);
        exit(1);
    }
}

/* --- what is measured --- */

static void ours(struct bench *b)
{
    struct assay_arena arena;
    struct assay_jwt jwt;
    enum assay_jose_fault fault;
    struct assay_jwt_expect expect = {
        .jws = {.algs = ASSAY_ALG_BIT(b->alg->id), .typ = ASSAY_SLICE("at+jwt")},
        .required = ASSAY_JWT_ACCESS_TOKEN,
        .issuer = ASSAY_SLICE("https://as.example.com"),
        .audience = ASSAY_SLICE("https://api.example.com/"),
        .skew_s = 60,
    };
    assay_arena_init(&arena, b->memory, sizeof(b->memory));
    must(assay_jwt_verify(b->token, &b->keys, &expect, NOW_S, &arena, &jwt, &fault, NULL) ==
             ASSAY_OK &&
         fault == ASSAY_JOSE_OK);
    assay_jwt_close(&jwt);
    assay_arena_release(&arena);
}

static void raw(struct bench *b)
{
    must(EVP_MD_CTX_copy_ex(b->copy, b->ready) == 1 &&
         EVP_DigestVerify(b->copy, b->signature, b->signature_len, b->input.data, b->input.len) ==
             1);
}

/* --- what it is measured with --- */

static const char *digest_of(const struct assay_alg *alg)
{
    static const char *const names[] = {NULL, "SHA256", "SHA384", "SHA512"};
    return names[alg->scheme.hash];
}

static EVP_PKEY *make_key(enum assay_pkey_kind kind)
{
    switch (kind) {
    case ASSAY_PKEY_RSA:
        return EVP_RSA_gen(2048);
    case ASSAY_PKEY_P256:
        return EVP_EC_gen("P-256");
    case ASSAY_PKEY_P384:
        return EVP_EC_gen("P-384");
    case ASSAY_PKEY_P521:
        return EVP_EC_gen("P-521");
    case ASSAY_PKEY_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    case ASSAY_PKEY_ED448:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    case ASSAY_PKEY_SECRET:
        return NULL;
    }
    return NULL;
}

static struct assay_slice number_of(const EVP_PKEY *evp, const char *name, size_t width,
                                    uint8_t *room)
{
    BIGNUM *value = NULL;
    must(EVP_PKEY_get_bn_param(evp, name, &value) == 1);
    int len = width == 0 ? BN_num_bytes(value) : (int)width;
    must(BN_bn2binpad(value, room, len) == len);
    BN_free(value);
    return assay_slice_of(room, (size_t)len);
}

static struct assay_pkey *open_public(const EVP_PKEY *evp, enum assay_pkey_kind kind)
{
    uint8_t rooms[2][ASSAY_PKEY_MAX_RSA_LEN];
    struct assay_pkey_parts parts = {.kind = kind};
    struct assay_pkey *pkey = NULL;
    size_t width = assay_pkey_width(kind);
    if (kind == ASSAY_PKEY_RSA) {
        parts.n = number_of(evp, OSSL_PKEY_PARAM_RSA_N, 0, rooms[0]);
        parts.e = number_of(evp, OSSL_PKEY_PARAM_RSA_E, 0, rooms[1]);
    } else if (kind == ASSAY_PKEY_ED25519 || kind == ASSAY_PKEY_ED448) {
        must(EVP_PKEY_get_raw_public_key(evp, rooms[0], &width) == 1);
        parts.x = assay_slice_of(rooms[0], width);
    } else {
        parts.x = number_of(evp, OSSL_PKEY_PARAM_EC_PUB_X, width, rooms[0]);
        parts.y = number_of(evp, OSSL_PKEY_PARAM_EC_PUB_Y, width, rooms[1]);
    }
    must(assay_pkey_open(&parts, &pkey, NULL) == ASSAY_OK);
    return pkey;
}

static void append_encoded(struct assay_slice bytes, struct assay_buf *out)
{
    uint8_t text[ASSAY_BASE64URL_LEN(ASSAY_PKEY_MAX_RSA_LEN)];
    assay_base64url_encode(bytes, text);
    assay_buf_append(out, assay_slice_of(text, ASSAY_BASE64URL_LEN(bytes.len)));
}

static void set_padding(const struct bench *b, EVP_PKEY_CTX *context)
{
    if (b->alg->scheme.kind == ASSAY_SIGNING_RSA_PSS) {
        must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
    }
}

/* OpenSSL signs; what it calls an ECDSA signature is DER, for itself. */
static void sign(struct bench *b)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = NULL;
    b->signature_len = sizeof(b->signature);
    must(EVP_DigestSignInit_ex(md, &context, digest_of(b->alg), NULL, NULL, b->evp, NULL) == 1);
    set_padding(b, context);
    must(EVP_DigestSign(md, b->signature, &b->signature_len, b->input.data, b->input.len) == 1);
    EVP_MD_CTX_free(md);
}

static struct assay_slice signature_of(const struct bench *b, enum assay_pkey_kind kind,
                                       uint8_t *room)
{
    int width = (int)assay_pkey_width(kind);
    const uint8_t *der = b->signature;
    if (b->alg->scheme.kind != ASSAY_SIGNING_ECDSA) {
        return assay_slice_of(b->signature, b->signature_len);
    }
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)b->signature_len);
    must(pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), room, width) == width &&
         BN_bn2binpad(ECDSA_SIG_get0_s(pair), room + width, width) == width);
    ECDSA_SIG_free(pair);
    return assay_slice_of(room, 2 * (size_t)width);
}

static void make_token(struct bench *b, enum assay_pkey_kind kind)
{
    struct assay_buf out;
    char header[128];
    uint8_t room[2 * ASSAY_PKEY_MAX_WIDTH];
    int len = snprintf(header, sizeof(header),
                       "{\"alg\":\"%.*s\",\"typ\":\"at+jwt\",\"kid\":\"2026-11\"}",
                       (int)b->alg->name.len, (const char *)b->alg->name.data);
    assay_buf_init(&out, b->text, sizeof(b->text));
    append_encoded(assay_slice_of(header, (size_t)len), &out);
    assay_buf_append_byte(&out, '.');
    append_encoded(*b->claims, &out);
    b->input = assay_buf_slice(&out);
    sign(b);
    assay_buf_append_byte(&out, '.');
    append_encoded(signature_of(b, kind, room), &out);
    b->token = assay_buf_slice(&out);
}

static void set_up(struct bench *b, enum assay_alg_id id, enum assay_pkey_kind kind)
{
    EVP_PKEY_CTX *context = NULL;
    b->alg = assay_alg_row(id);
    b->evp = make_key(kind);
    b->key = (struct assay_jwk){.pkey = open_public(b->evp, kind),
                                .kid = ASSAY_SLICE("2026-11"),
                                .alg = b->alg,
                                .is_for_verifying = true};
    b->keys = (struct assay_jwks){.keys = &b->key, .count = 1};
    make_token(b, kind);
    b->ready = EVP_MD_CTX_new();
    b->copy = EVP_MD_CTX_new();
    must(EVP_DigestVerifyInit_ex(b->ready, &context, digest_of(b->alg), NULL, NULL, b->evp, NULL) ==
         1);
    set_padding(b, context);
}

static void take_down(struct bench *b)
{
    EVP_MD_CTX_free(b->ready);
    EVP_MD_CTX_free(b->copy);
    EVP_PKEY_free(b->evp);
    assay_jwk_close(&b->key);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds per call, over `calls` of them. */
static double time_of(struct bench *b, void (*step)(struct bench *), int calls)
{
    double start = now_ns();
    for (int i = 0; i < calls; i++) {
        step(b);
    }
    return (now_ns() - start) / calls;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof(*values), compare);
    return values[ROUNDS / 2];
}

static void measure(struct bench *b)
{
    double ratios[ROUNDS];
    double of_ours[ROUNDS];
    double of_raw[ROUNDS];
    (void)time_of(b, ours, 20);
    int calls = 1 + (int)(ROUND_NS / time_of(b, raw, 20));
    for (int i = 0; i < ROUNDS; i++) {
        of_raw[i] = time_of(b, raw, calls);
        of_ours[i] = time_of(b, ours, calls);
        ratios[i] = of_raw[i] / of_ours[i];
    }
    printf("guard_jwt_vs_evp %-7.*s %-6s %.2f  (%.2f us over %.2f us)\n", (int)b->alg->name.len,
           (const char *)b->alg->name.data, b->label, median(ratios), median(of_ours) / 1000,
           median(of_raw) / 1000);
}

int main(void)
{
    static struct bench b;
    static const struct {
        enum assay_alg_id id;
        enum assay_pkey_kind kind;
        const char *label;
        const struct assay_slice *claims;
    } rows[] = {
        {ASSAY_ALG_RS256, ASSAY_PKEY_RSA, "nested", &nested},
        {ASSAY_ALG_RS256, ASSAY_PKEY_RSA, "", &plain},
        {ASSAY_ALG_RS384, ASSAY_PKEY_RSA, "", &plain},
        {ASSAY_ALG_RS512, ASSAY_PKEY_RSA, "", &plain},
        {ASSAY_ALG_PS256, ASSAY_PKEY_RSA, "", &plain},
        {ASSAY_ALG_PS384, ASSAY_PKEY_RSA, "", &plain},
        {ASSAY_ALG_PS512, ASSAY_PKEY_RSA, "", &plain},
        {ASSAY_ALG_ES256, ASSAY_PKEY_P256, "", &plain},
        {ASSAY_ALG_ES384, ASSAY_PKEY_P384, "", &plain},
        {ASSAY_ALG_ES512, ASSAY_PKEY_P521, "", &plain},
        {ASSAY_ALG_EDDSA, ASSAY_PKEY_ED25519, "", &plain},
        {ASSAY_ALG_ED448, ASSAY_PKEY_ED448, "", &plain},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        b = (struct bench){.claims = rows[i].claims, .label = rows[i].label};
        set_up(&b, rows[i].id, rows[i].kind);
        measure(&b);
        take_down(&b);
    }
    return 0;
}
