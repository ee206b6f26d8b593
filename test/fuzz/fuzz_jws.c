/* Compact JWS: as a whole text, and as the bytes of a header. One token has one spelling, and the
 * caller's expectations hold whatever it says. */
#include "fuzz.h"

#include "base/base64url.h"
#include "base/limits.h"
#include "jose/jwks.h"
#include "jose/jws.h"

#include <string.h>

/* RFC 7515 appendices A.2 to A.4 and RFC 8037: their tokens are in the corpus. */
static const char keys_text[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
    "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";

static uint8_t memory[1 << 17];

static void encode_again(struct assay_slice bytes, struct assay_slice text)
{
    static uint8_t room[ASSAY_MAX_JWS + 4];
    must(ASSAY_BASE64URL_LEN(bytes.len) == text.len);
    assay_base64url_encode(bytes, room);
    must(assay_slice_equal(assay_slice_of(room, text.len), text));
}

static void one_spelling(struct assay_slice text, const struct assay_jws *jws)
{
    struct assay_slice rest = text;
    struct assay_slice header = assay_slice_cut(&rest, '.');
    struct assay_slice payload = assay_slice_cut(&rest, '.');
    must(header.len + 1 + payload.len == jws->input.len);
    must(assay_slice_equal(assay_slice_head(text, jws->input.len), jws->input));
    encode_again(jws->header.text, header);
    encode_again(jws->payload, payload);
    encode_again(jws->signature, rest);
}

static void parse(struct assay_slice text, uint32_t algs, struct assay_slice typ,
                  const struct assay_jwks *keys)
{
    struct assay_jws_expect expect = {.algs = algs, .typ = typ};
    struct assay_arena arena;
    struct assay_jws jws;
    enum assay_jose_fault fault;
    assay_arena_init(&arena, memory, sizeof(memory));
    must(assay_jws_parse(text, &expect, &arena, &jws, &fault, NULL) == ASSAY_OK);
    if (fault == ASSAY_JOSE_OK) {
        struct assay_jwk *key = NULL;
        must((algs & ASSAY_ALG_BIT(jws.alg->id)) != 0);
        must(assay_json_flat_type(&jws.header, ASSAY_SLICE("crit")) == ASSAY_JSON_ABSENT);
        one_spelling(text, &jws);
        if (assay_jwks_find(keys, (struct assay_slice){0}, jws.alg, &key) == ASSAY_JOSE_OK) {
            must(assay_jws_verify(&jws, key, &fault, NULL) == ASSAY_OK);
            must(fault == ASSAY_JOSE_OK || fault == ASSAY_JOSE_SIGNATURE);
        }
    }
    assay_jws_close(&jws);
    assay_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t set_memory[ASSAY_JWKS_ARENA];
    static struct assay_jwks keys;
    static uint8_t text[ASSAY_MAX_JWS * 2];
    struct assay_slice none = {0};
    struct assay_slice input = assay_slice_of(data, size);
    if (keys.count == 0) {
        struct assay_arena arena;
        assay_arena_init(&arena, set_memory, sizeof(set_memory));
        must(assay_jwks_read(assay_slice_of(keys_text, sizeof(keys_text) - 1), &arena, &keys,
                             NULL) == ASSAY_OK);
        must(keys.count == 3);
    }
    parse(input, ASSAY_ALGS_PUBLIC | ASSAY_ALGS_SHARED, none, &keys);
    parse(input, ASSAY_ALG_BIT(ASSAY_ALG_ES256), ASSAY_SLICE("at+jwt"), &keys);
    if (size <= ASSAY_MAX_JOSE_HEADER) {
        static const char tail[] = ".e30.AAAA";
        assay_base64url_encode(input, text);
        memcpy(text + ASSAY_BASE64URL_LEN(size), tail, sizeof(tail));
        parse(assay_slice_of(text, ASSAY_BASE64URL_LEN(size) + sizeof(tail) - 1), ASSAY_ALGS_PUBLIC,
              none, &keys);
    }
    return 0;
}
