/* One JWK: what is read is written as the same key, with nothing private, and reads back. */
#include "fuzz.h"

#include "base/buf.h"
#include "jose/jwk.h"

#include <string.h>

static uint8_t memory[8192];

static void writes_and_reads_back(const struct assay_jwk *jwk, struct assay_arena *arena)
{
    static struct assay_digester *digester;
    uint8_t room[8192];
    uint8_t prints[2][ASSAY_SHA256_LEN];
    struct assay_buf out;
    struct assay_json_writer w;
    struct assay_json *json = NULL;
    struct assay_jwk again;
    if (digester == NULL) {
        must(assay_digester_open(&digester, NULL) == ASSAY_OK);
    }
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_jwk_write(jwk, &w);
    must(!out.spent);
    must(assay_json_open(assay_buf_slice(&out), 8, &json, NULL) == ASSAY_OK);
    must(assay_jwk_read(assay_json_root(json), arena, &again, NULL) == ASSAY_OK);
    must(assay_pkey_equal(jwk->pkey, again.pkey) && jwk->alg == again.alg);
    must(assay_slice_equal(jwk->kid, again.kid));
    must(assay_jwk_thumbprint(jwk, digester, prints[0], NULL) == ASSAY_OK);
    must(assay_jwk_thumbprint(&again, digester, prints[1], NULL) == ASSAY_OK);
    must(memcmp(prints[0], prints[1], sizeof(prints[0])) == 0);
    assay_jwk_close(&again);
    assay_json_close(json);
}

static void read_key(const struct assay_json *json, bool published)
{
    struct assay_arena arena;
    struct assay_jwk jwk;
    struct assay_error error = {0};
    assay_arena_init(&arena, memory, sizeof(memory));
    enum assay_status status =
        published ? assay_jwk_read(assay_json_root(json), &arena, &jwk, &error)
                  : assay_jwk_read_private(assay_json_root(json), &arena, &jwk, &error);
    must(status == ASSAY_OK || (status == ASSAY_ERR_SYNTAX && error.what != NULL));
    if (status == ASSAY_OK) {
        bool secret = assay_pkey_kind(jwk.pkey) == ASSAY_PKEY_SECRET;
        must(!published || (!secret && !assay_pkey_is_private(jwk.pkey) && !jwk.is_for_signing));
        if (!secret) {
            writes_and_reads_back(&jwk, &arena);
        }
        assay_jwk_close(&jwk);
    }
    assay_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_json *json = NULL;
    if (size > 16384 || assay_json_open(assay_slice_of(data, size), 8, &json, NULL) != ASSAY_OK) {
        return 0;
    }
    read_key(json, true);
    read_key(json, false);
    assay_json_close(json);
    return 0;
}
