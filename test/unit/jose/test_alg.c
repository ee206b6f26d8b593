#include "jose/alg.h"
#include "jose/fault.h"

#include "support/check.h"

/* R7518-3.1-1, R8037-3.1-1, RFC 9864. */
static void each_algorithm_is_found_by_its_name_and_its_id(void **state)
{
    (void)state;
    static const char *const names[] = {"RS256",   "RS384", "RS512", "PS256", "PS384",
                                        "PS512",   "ES256", "ES384", "ES512", "EdDSA",
                                        "Ed25519", "Ed448", "HS256", "HS384", "HS512"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct assay_alg *alg = assay_alg_find(assay_slice_of_text(names[i]));
        assert_non_null(alg);
        assert_int_equal(alg->id, i);
        assert_ptr_equal(alg, assay_alg_row((enum assay_alg_id)i));
        assert_true(alg->slot < ASSAY_ALG_SLOTS);
    }
}

/* R7515-4.1.1-1, R8725-3.1-2, A-JWT-01: a list of what is allowed, compared as bytes. */
static void what_is_no_algorithm_is_not_found(void **state)
{
    (void)state;
    static const char *const names[] = {"none",
                                        "None",
                                        "NONE",
                                        "nOnE",
                                        "",
                                        "rs256",
                                        "RS256 ",
                                        "RS25",
                                        "RS2566",
                                        "RSA-OAEP",
                                        "RSA1_5",
                                        "dir",
                                        "ES256K",
                                        "HS1",
                                        "A128KW",
                                        "EDDSA",
                                        "PBES2-HS256+A128KW"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_null(assay_alg_find(assay_slice_of_text(names[i])));
    }
    assert_null(assay_alg_find(ASSAY_SLICE("RS256\0")));
}

/* A-JWT-02, R8725-3.1-1: what a public key is for never is what a secret is for. */
static void a_kind_of_key_has_its_own_algorithms(void **state)
{
    (void)state;
    static const unsigned counts[] = {6, 1, 1, 1, 2, 2, 3};
    for (unsigned kind = 0; kind < 7; kind++) {
        unsigned count = 0;
        unsigned slots = 0;
        for (unsigned id = 0; id <= ASSAY_ALG_HS512; id++) {
            const struct assay_alg *alg = assay_alg_row((enum assay_alg_id)id);
            bool takes = assay_alg_takes(alg, (enum assay_pkey_kind)kind);
            bool shared = (ASSAY_ALG_BIT(id) & ASSAY_ALGS_SHARED) != 0;
            assert_true(!takes || shared == (kind == ASSAY_PKEY_SECRET));
            assert_true(!takes || alg->scheme.kind == ASSAY_SIGNING_EDDSA ||
                        (slots & 1U << alg->slot) == 0);
            slots |= takes ? 1U << alg->slot : 0;
            count += takes;
        }
        assert_int_equal(count, counts[kind]);
    }
    assert_int_equal(ASSAY_ALGS_PUBLIC & ASSAY_ALGS_SHARED, 0);
}

static void a_key_with_an_algorithm_is_for_that_alone(void **state)
{
    (void)state;
    for (unsigned a = 0; a <= ASSAY_ALG_HS512; a++) {
        const struct assay_alg *alg = assay_alg_row((enum assay_alg_id)a);
        assert_true(assay_alg_agrees(alg, NULL));
        for (unsigned b = 0; b <= ASSAY_ALG_HS512; b++) {
            bool alias =
                (a == ASSAY_ALG_EDDSA && (b == ASSAY_ALG_ED25519 || b == ASSAY_ALG_ED448)) ||
                (b == ASSAY_ALG_EDDSA && (a == ASSAY_ALG_ED25519 || a == ASSAY_ALG_ED448));
            assert_int_equal(assay_alg_agrees(alg, assay_alg_row((enum assay_alg_id)b)),
                             a == b || alias);
        }
    }
}

static void a_list_of_names_is_a_set(void **state)
{
    (void)state;
    uint32_t set = 7;
    assert_true(assay_alg_set_read(ASSAY_SLICE("ES256 RS256 ES256"), &set));
    assert_int_equal(set, ASSAY_ALG_BIT(ASSAY_ALG_ES256) | ASSAY_ALG_BIT(ASSAY_ALG_RS256));
    assert_false(assay_alg_set_read(ASSAY_SLICE("ES256 none"), &set));
    assert_false(assay_alg_set_read(ASSAY_SLICE("ES256  RS256"), &set));
    assert_false(assay_alg_set_read(ASSAY_SLICE(""), &set));
    assert_false(assay_alg_set_read((struct assay_slice){0}, &set));
    assert_int_equal(set, ASSAY_ALG_BIT(ASSAY_ALG_ES256) | ASSAY_ALG_BIT(ASSAY_ALG_RS256));
}

static void each_fault_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a <= ASSAY_JOSE_LIFETIME; a++) {
        const char *name = assay_jose_fault_name((enum assay_jose_fault)a);
        assert_string_not_equal(name, "unknown");
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(name, assay_jose_fault_name((enum assay_jose_fault)b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_is_found_by_its_name_and_its_id),
        cmocka_unit_test(what_is_no_algorithm_is_not_found),
        cmocka_unit_test(a_kind_of_key_has_its_own_algorithms),
        cmocka_unit_test(a_key_with_an_algorithm_is_for_that_alone),
        cmocka_unit_test(a_list_of_names_is_a_set),
        cmocka_unit_test(each_fault_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
