/* What the steps of one introspection cost by themselves: one line each, nanoseconds of this
 * thread's processor time, the best of several rounds. */
#include "base/arena.h"
#include "base/base64url.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "http/authorization.h"
#include "http/form.h"
#include "json/writer.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 9
#define CALLS 200000

static const struct assay_slice body = {
    (const uint8_t *)"token=assay_at_"
                     "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFy"
                     "&token_type_hint=access_token",
    100};
static const struct assay_slice escaped = {
    (const uint8_t *)"resource=https%3A%2F%2Fapi.example.com%2F&scope=read+write", 58};
static const struct assay_slice basic = {
    (const uint8_t *)"Basic Z2F0ZXdheTowMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=",
    74};

/* What the steps work on. */
struct bench {
    struct assay_digester *digester;
    struct assay_seal *seal;
    struct assay_arena arena;
    EVP_MD_CTX *raw;
    uint8_t memory[4096];
    uint8_t bytes[100];
    uint8_t block[ASSAY_SEAL_BLOCK_LEN];
    uint8_t digest[ASSAY_SHA256_LEN];
};

static void must(bool truth)
{
    if (!truth) {
        fputs("micro_core: a step failed\n", stderr);
        exit(1);
    }
}

static void sha256(struct bench *b)
{
    must(assay_sha256(b->digester, assay_slice_of(b->bytes, sizeof(b->bytes)), b->digest, NULL) ==
         ASSAY_OK);
}

/* The least that EVP asks for, to be compared with: what ours takes more is ours. */
static void sha256_raw(struct bench *b)
{
    must(EVP_DigestInit_ex2(b->raw, NULL, NULL) == 1 &&
         EVP_DigestUpdate(b->raw, b->bytes, sizeof(b->bytes)) == 1 &&
         EVP_DigestFinal_ex(b->raw, b->digest, NULL) == 1);
}

static void unseal(struct bench *b)
{
    must(assay_seal_decrypt(b->seal, b->block, b->block, NULL) == ASSAY_OK);
}

static void crc(struct bench *b)
{
    b->bytes[0] = (uint8_t)assay_crc32c(0, assay_slice_of(b->bytes, 48));
}

static void form(struct bench *b)
{
    struct assay_form parsed;
    struct assay_slice token;
    b->arena.used = 0;
    must(assay_form_parse(body, &b->arena, &parsed, NULL) == ASSAY_OK &&
         assay_form_find(&parsed, ASSAY_SLICE("token"), &token) == 1);
}

static void form_escaped(struct bench *b)
{
    struct assay_form parsed;
    b->arena.used = 0;
    must(assay_form_parse(escaped, &b->arena, &parsed, NULL) == ASSAY_OK && parsed.count == 2);
}

static void authorization(struct bench *b)
{
    struct assay_slice rest;
    struct assay_slice user;
    struct assay_slice password;
    b->arena.used = 0;
    must(assay_authorization_scheme(basic, &rest) == ASSAY_SCHEME_BASIC &&
         assay_basic_parse(rest, &b->arena, &user, &password, NULL) == ASSAY_OK);
}

static void base64url(struct bench *b)
{
    uint8_t out[48];
    size_t len = 0;
    must(assay_base64url_decode(assay_slice_of(body.data + 15, 56), out, sizeof(out), &len, NULL) ==
             ASSAY_OK &&
         len == 42);
    b->bytes[0] = out[0];
}

static void utf8(struct bench *b)
{
    b->bytes[0] = assay_utf8_valid(body);
}

static void secret(struct bench *b)
{
    b->bytes[0] = assay_secret_equal(assay_slice_of(b->digest, 32), assay_slice_of(b->bytes, 32));
}

static void json(struct bench *b)
{
    struct assay_buf out;
    struct assay_json_writer w;
    assay_buf_init(&out, b->memory, sizeof(b->memory));
    assay_json_init(&w, &out);
    assay_json_object_open(&w);
    assay_json_member_bool(&w, ASSAY_SLICE("active"), true);
    assay_json_member_string(&w, ASSAY_SLICE("scope"), ASSAY_SLICE("read write"));
    assay_json_member_string(&w, ASSAY_SLICE("client_id"), ASSAY_SLICE("client123"));
    assay_json_member_string(&w, ASSAY_SLICE("username"), ASSAY_SLICE("alice@example.com"));
    assay_json_member_string(&w, ASSAY_SLICE("token_type"), ASSAY_SLICE("Bearer"));
    assay_json_member_i64(&w, ASSAY_SLICE("exp"), 1900000000);
    assay_json_member_i64(&w, ASSAY_SLICE("iat"), 1899996400);
    assay_json_member_list(&w, ASSAY_SLICE("aud"), ASSAY_SLICE("https://api.example.com"));
    assay_json_member_string(&w, ASSAY_SLICE("jti"), ASSAY_SLICE("0123456789abcdefABCDEF"));
    assay_json_object_close(&w);
    must(!out.spent);
}

static double now_ns(void)
{
    struct timespec now;
    must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double best_ns(struct bench *b, void (*step)(struct bench *))
{
    double best = 1e18;
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (int i = 0; i < CALLS; i++) {
            step(b);
        }
        double each = (now_ns() - start) / CALLS;
        best = each < best ? each : best;
    }
    return best;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*step)(struct bench *);
    } steps[] = {
        {"form_parse", form},
        {"form_parse_escaped", form_escaped},
        {"utf8_valid_100", utf8},
        {"authorization_basic", authorization},
        {"base64url_decode_56", base64url},
        {"crc32c_48", crc},
        {"seal_decrypt", unseal},
        {"sha256_100", sha256},
        {"sha256_100_raw_evp", sha256_raw},
        {"secret_equal_32", secret},
        {"json_write_response", json},
    };
    static const uint8_t key[ASSAY_SEAL_KEY_LEN] = {1};
    struct bench b = {.bytes = {1}};
    EVP_MD *md = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    b.raw = EVP_MD_CTX_new();
    must(md != NULL && b.raw != NULL && EVP_DigestInit_ex2(b.raw, md, NULL) == 1);
    must(assay_digester_open(&b.digester, NULL) == ASSAY_OK);
    must(assay_seal_open(key, &b.seal, NULL) == ASSAY_OK);
    assay_arena_init(&b.arena, b.memory, sizeof(b.memory));
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        printf("%-22s %8.1f ns\n", steps[i].name, best_ns(&b, steps[i].step));
    }
    assay_arena_release(&b.arena);
    assay_seal_close(b.seal);
    assay_digester_close(b.digester);
    EVP_MD_CTX_free(b.raw);
    EVP_MD_free(md);
    return 0;
}
