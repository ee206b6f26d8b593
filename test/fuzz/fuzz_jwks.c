/* A key set: what it keeps verifies, is told apart by its kid, and reads back as it was written. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/limits.h"
#include "jose/jwks.h"

static uint8_t memory[ASSAY_JWKS_ARENA];
static uint8_t again_memory[ASSAY_JWKS_ARENA];

static void keys_are_told_apart(const struct assay_jwks *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct assay_jwk *key = &set->keys[i];
        must(key->is_for_verifying);
        for (unsigned id = 0; id <= ASSAY_ALG_HS512; id++) {
            const struct assay_alg *alg = assay_alg_row((enum assay_alg_id)id);
            struct assay_jwk *found = NULL;
            enum assay_jose_fault fault = assay_jwks_find(set, key->kid, alg, &found);
            must((fault == ASSAY_JOSE_OK) == (found != NULL));
            must(found == NULL || assay_jwk_fits(found, alg));
            must((ASSAY_ALG_BIT(id) & ASSAY_ALGS_SHARED) == 0 || found == NULL);
            if (key->kid.data != NULL && found != NULL) {
                must(assay_pkey_equal(found->pkey, key->pkey));
            }
            must(key->kid.data == NULL || !assay_jwk_fits(key, alg) || found != NULL);
        }
    }
}

static void reads_back(const struct assay_jwks *set)
{
    static uint8_t room[1 << 18];
    struct assay_arena arena;
    struct assay_buf out;
    struct assay_json_writer w;
    struct assay_jwks again;
    assay_buf_init(&out, room, sizeof(room));
    assay_json_init(&w, &out);
    assay_jwks_write(set->keys, set->count, &w);
    must(!out.spent);
    if (out.len > ASSAY_MAX_JWKS) {
        return;
    }
    assay_arena_init(&arena, again_memory, sizeof(again_memory));
    must(assay_jwks_read(assay_buf_slice(&out), &arena, &again, NULL) == ASSAY_OK);
    must(again.count == set->count && again.ignored == 0);
    for (size_t i = 0; i < set->count; i++) {
        must(assay_pkey_equal(set->keys[i].pkey, again.keys[i].pkey));
        must(assay_slice_equal(set->keys[i].kid, again.keys[i].kid));
    }
    assay_jwks_close(&again);
    assay_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_arena arena;
    struct assay_jwks set;
    struct assay_error error = {0};
    assay_arena_init(&arena, memory, sizeof(memory));
    enum assay_status status = assay_jwks_read(assay_slice_of(data, size), &arena, &set, &error);
    if (status == ASSAY_OK) {
        must(set.count > 0 && set.count + set.ignored <= ASSAY_MAX_JWKS_KEYS);
        must((set.ignored == 0) == (set.ignored_of == NULL));
        keys_are_told_apart(&set);
        reads_back(&set);
        assay_jwks_close(&set);
    } else {
        must(error.what != NULL);
        must(status == ASSAY_ERR_SYNTAX || status == ASSAY_ERR_ABSENT || status == ASSAY_ERR_LIMIT);
    }
    assay_arena_release(&arena);
    return 0;
}
