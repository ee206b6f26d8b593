#include "jose/jws.h"

#include "base/base64url.h"
#include "base/limits.h"
#include "json/writer.h"

/* --- the text --- */

/* Header, payload and signature, still encoded. Base64url has no dot, so it is cut at dots, and
 * whatever else does not belong is found when the parts are decoded. */
struct parts {
    struct assay_slice header;
    struct assay_slice payload;
    struct assay_slice signature;
};

static enum assay_jose_fault count_more(struct assay_slice rest)
{
    size_t parts = 3;
    while (rest.data != NULL) {
        (void)assay_slice_cut(&rest, '.');
        parts++;
    }
    return parts == 5 ? ASSAY_JOSE_ENCRYPTED : ASSAY_JOSE_PARTS;
}

/* A payload may be empty as a JWS, and an empty one is no JWT: its claims are missing. */
static enum assay_jose_fault split(struct assay_slice text, struct parts *ret)
{
    struct assay_slice rest = text;
    if (text.len > ASSAY_MAX_JWS) {
        return ASSAY_JOSE_TOO_LONG;
    }
    ret->header = assay_slice_cut(&rest, '.');
    ret->payload = assay_slice_cut(&rest, '.');
    if (rest.data == NULL) {
        return ASSAY_JOSE_PARTS;
    }
    ret->signature = assay_slice_cut(&rest, '.');
    if (rest.data != NULL) {
        return count_more(rest);
    }
    if (ret->header.len > ASSAY_MAX_JOSE_HEADER ||
        ret->signature.len > ASSAY_BASE64URL_LEN(ASSAY_MAX_SIGNATURE)) {
        return ASSAY_JOSE_TOO_LONG;
    }
    return ret->header.len == 0 ? ASSAY_JOSE_PARTS : ASSAY_JOSE_OK;
}

static enum assay_status decode(struct assay_slice text, struct assay_arena *arena,
                                struct assay_slice *ret, enum assay_jose_fault *ret_fault,
                                struct assay_error *reterr)
{
    size_t room = text.len / 4 * 3 + 3;
    size_t len = 0;
    uint8_t *bytes = assay_arena_take(arena, room, 1);
    if (bytes == NULL) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for a token", reterr);
    }
    if (assay_base64url_decode(text, bytes, room, &len, NULL) != ASSAY_OK) {
        *ret_fault = ASSAY_JOSE_BASE64URL;
        return ASSAY_OK;
    }
    *ret = assay_slice_of(bytes, len);
    return ASSAY_OK;
}

/* --- the header --- */

static bool is_media_type(struct assay_slice value, struct assay_slice type)
{
    struct assay_slice prefix = ASSAY_SLICE("application/");
    if (value.len == type.len + prefix.len &&
        assay_slice_equal_nocase(assay_slice_head(value, prefix.len), prefix)) {
        value = assay_slice_from(value, prefix.len);
    }
    return assay_slice_equal_nocase(value, type);
}

/* A string, or absent. */
static bool take_text(const struct assay_json_flat *header, struct assay_slice name,
                      struct assay_slice *ret)
{
    return assay_json_flat_string(header, name, ret) ||
           assay_json_flat_type(header, name) == ASSAY_JSON_ABSENT;
}

static bool has(const struct assay_json_flat *header, struct assay_slice name)
{
    return assay_json_flat_type(header, name) != ASSAY_JSON_ABSENT;
}

/* What would change how the token is to be understood. */
static enum assay_jose_fault judge_extensions(const struct assay_json_flat *header)
{
    bool encoded = true;
    if (has(header, ASSAY_SLICE("crit"))) {
        return ASSAY_JOSE_CRIT;
    }
    if (has(header, ASSAY_SLICE("zip"))) {
        return ASSAY_JOSE_COMPRESSED;
    }
    if (has(header, ASSAY_SLICE("enc"))) {
        return ASSAY_JOSE_ENCRYPTED;
    }
    if (has(header, ASSAY_SLICE("b64")) &&
        !(assay_json_flat_bool(header, ASSAY_SLICE("b64"), &encoded) && encoded)) {
        return ASSAY_JOSE_UNENCODED;
    }
    return ASSAY_JOSE_OK;
}

static enum assay_jose_fault judge_alg(struct assay_slice name,
                                       const struct assay_jws_expect *expect, struct assay_jws *jws)
{
    jws->alg = assay_alg_find(name);
    if (jws->alg == NULL) {
        return ASSAY_JOSE_ALG_UNKNOWN;
    }
    return (expect->algs & ASSAY_ALG_BIT(jws->alg->id)) != 0 ? ASSAY_JOSE_OK
                                                             : ASSAY_JOSE_ALG_REFUSED;
}

/* The header as a whole, and what the caller takes of it. */
static enum assay_jose_fault judge_header(const struct assay_jws_expect *expect,
                                          struct assay_jws *jws)
{
    struct assay_slice alg = {0};
    struct assay_slice typ = {0};
    struct assay_slice cty = {0};
    const struct assay_json_flat *header = &jws->header;
    enum assay_jose_fault fault = judge_extensions(header);
    if (fault != ASSAY_JOSE_OK) {
        return fault;
    }
    if (!take_text(header, ASSAY_SLICE("alg"), &alg) ||
        !take_text(header, ASSAY_SLICE("typ"), &typ) ||
        !take_text(header, ASSAY_SLICE("cty"), &cty) ||
        !take_text(header, ASSAY_SLICE("kid"), &jws->kid)) {
        return ASSAY_JOSE_MEMBER;
    }
    if (is_media_type(cty, ASSAY_SLICE("JWT"))) {
        return ASSAY_JOSE_NESTED;
    }
    if (expect->typ.len != 0 && !is_media_type(typ, expect->typ)) {
        return ASSAY_JOSE_TYP;
    }
    return judge_alg(alg, expect, jws);
}

static enum assay_status read_header(struct assay_slice text, const struct assay_jws_expect *expect,
                                     struct assay_arena *arena, struct assay_jws *jws,
                                     enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    struct assay_slice json = {0};
    enum assay_status status = decode(text, arena, &json, ret_fault, reterr);
    if (status != ASSAY_OK || *ret_fault != ASSAY_JOSE_OK) {
        return status;
    }
    status = assay_json_flat_open(json, ASSAY_MAX_JOSE_DEPTH, &jws->header, reterr);
    if (status == ASSAY_ERR_SYSTEM) {
        return status;
    }
    *ret_fault = status == ASSAY_OK ? judge_header(expect, jws) : ASSAY_JOSE_HEADER;
    return ASSAY_OK;
}

/* --- parsing --- */

static enum assay_status parse(const struct parts *parts, const struct assay_jws_expect *expect,
                               struct assay_arena *arena, struct assay_jws *jws,
                               enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    enum assay_status status = read_header(parts->header, expect, arena, jws, ret_fault, reterr);
    if (status == ASSAY_OK && *ret_fault == ASSAY_JOSE_OK) {
        status = decode(parts->signature, arena, &jws->signature, ret_fault, reterr);
    }
    if (status == ASSAY_OK && *ret_fault == ASSAY_JOSE_OK) {
        status = decode(parts->payload, arena, &jws->payload, ret_fault, reterr);
    }
    return status;
}

enum assay_status assay_jws_parse(struct assay_slice text, const struct assay_jws_expect *expect,
                                  struct assay_arena *arena, struct assay_jws *ret,
                                  enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    struct parts parts = {0};
    *ret = (struct assay_jws){0};
    *ret_fault = split(text, &parts);
    if (*ret_fault != ASSAY_JOSE_OK) {
        return ASSAY_OK;
    }
    ret->input = assay_slice_head(text, parts.header.len + 1 + parts.payload.len);
    enum assay_status status = parse(&parts, expect, arena, ret, ret_fault, reterr);
    if (status != ASSAY_OK || *ret_fault != ASSAY_JOSE_OK) {
        assay_jws_close(ret);
    }
    return status;
}

void assay_jws_close(struct assay_jws *jws)
{
    assay_json_flat_close(&jws->header);
    *jws = (struct assay_jws){0};
}

/* --- verifying --- */

enum assay_status assay_jws_verify(const struct assay_jws *jws, struct assay_jwk *key,
                                   enum assay_jose_fault *ret_fault, struct assay_error *reterr)
{
    bool good = false;
    if (!assay_jwk_fits(key, jws->alg)) {
        *ret_fault = ASSAY_JOSE_KEY_UNFIT;
        return ASSAY_OK;
    }
    enum assay_status status =
        assay_jwk_verify(key, jws->alg, jws->input, jws->signature, &good, reterr);
    *ret_fault = good ? ASSAY_JOSE_OK : ASSAY_JOSE_SIGNATURE;
    return status;
}

/* --- signing --- */

/* Appends `bytes` as base64url. */
static void append_encoded(struct assay_slice bytes, struct assay_buf *out)
{
    size_t len = ASSAY_BASE64URL_LEN(bytes.len);
    if (out->spent || len > out->size - out->len) {
        out->spent = true;
        return;
    }
    assay_base64url_encode(bytes, out->data + out->len);
    out->len += len;
}

#define MAX_WRITTEN_HEADER 2048

static void append_header(const struct assay_alg *alg, struct assay_slice kid,
                          struct assay_slice typ, struct assay_buf *out)
{
    uint8_t room[MAX_WRITTEN_HEADER];
    struct assay_buf header;
    struct assay_json_writer w;
    assay_buf_init(&header, room, sizeof(room));
    assay_json_init(&w, &header);
    assay_json_object_open(&w);
    assay_json_member_string(&w, ASSAY_SLICE("alg"), alg->name);
    assay_json_member_text(&w, ASSAY_SLICE("typ"), typ);
    assay_json_member_text(&w, ASSAY_SLICE("kid"), kid);
    assay_json_object_close(&w);
    out->spent |= header.spent;
    append_encoded(assay_buf_slice(&header), out);
}

enum assay_status assay_jws_sign(struct assay_signer *signer, const struct assay_alg *alg,
                                 struct assay_slice kid, struct assay_slice typ,
                                 struct assay_slice payload, struct assay_buf *out,
                                 struct assay_error *reterr)
{
    uint8_t signature[ASSAY_MAX_SIGNATURE];
    size_t len = 0;
    size_t start = out->len;
    append_header(alg, kid, typ, out);
    assay_buf_append_byte(out, '.');
    append_encoded(payload, out);
    if (out->spent) {
        return assay_fail(ASSAY_ERR_LIMIT, "no room for a signed token", reterr);
    }
    struct assay_slice input = assay_slice_from(assay_buf_slice(out), start);
    enum assay_status status = assay_signer_sign(signer, input, signature, &len, reterr);
    if (status != ASSAY_OK) {
        return status;
    }
    assay_buf_append_byte(out, '.');
    append_encoded(assay_slice_of(signature, len), out);
    return out->spent ? assay_fail(ASSAY_ERR_LIMIT, "no room for a signed token", reterr)
                      : ASSAY_OK;
}
