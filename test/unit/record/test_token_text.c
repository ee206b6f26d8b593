#include "record/token_text.h"
#include "support/check.h"

struct fixture {
    struct assay_seal *seals[2];
    struct assay_seal_ring ring;
};

static int setup(void **state)
{
    static struct fixture fx;
    struct assay_error error = {0};
    for (size_t i = 0; i < 2; i++) {
        uint8_t key[ASSAY_SEAL_KEY_LEN] = {(uint8_t)(i + 1)};
        assert_ok(assay_seal_open(key, &fx.seals[i], &error), &error);
        fx.ring.seals[i] = fx.seals[i];
        fx.ring.generations[i] = (uint8_t)(2 - i);
    }
    fx.ring.count = 2;
    *state = &fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;
    assay_seal_close(fx->seals[0]);
    assay_seal_close(fx->seals[1]);
    return 0;
}

static struct assay_slice write_one(struct fixture *fx, enum assay_token_kind kind, uint8_t *out)
{
    struct assay_address address;
    uint8_t generation = 0;
    struct assay_error error = {0};
    struct assay_token_id id = {.lifetime_class = 77, .seq = 123456789};
    assert_ok(assay_address_seal(&fx->ring, id, &address, &generation, &error), &error);
    assert_int_equal(generation, 2);
    static const uint8_t secret[ASSAY_TOKEN_SECRET_LEN] = {9, 8, 7};
    return assay_token_text_write(ASSAY_SLICE("assay"), kind, &address, secret, out);
}

static void a_text_reads_back_and_its_address_opens(void **state)
{
    struct fixture *fx = *state;
    uint8_t out[ASSAY_MAX_TOKEN_TEXT];
    struct assay_slice text = write_one(fx, ASSAY_TOKEN_REFRESH, out);
    assert_int_equal(text.len, 5 + 4 + 56);

    struct assay_token_text parsed;
    assert_true(assay_token_text_parse(text, ASSAY_SLICE("assay"), &parsed));
    assert_int_equal(parsed.kind, ASSAY_TOKEN_REFRESH);
    struct assay_token_id id;
    assert_true(assay_address_open(&fx->ring, &parsed.address, &id));
    assert_int_equal(id.lifetime_class, 77);
    assert_int_equal(id.seq, 123456789);
}

/* A-TOK-01: every changed character, swapped pair, missing or added character is refused by the
 * checksum, without a key. */
static void a_mistyped_text_is_refused(void **state)
{
    uint8_t out[ASSAY_MAX_TOKEN_TEXT + 1];
    struct assay_slice text = write_one(*state, ASSAY_TOKEN_ACCESS, out);
    struct assay_token_text parsed;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t was = out[i];
        for (unsigned c = 0; c < 256; c++) {
            out[i] = (uint8_t)c;
            assert_int_equal(assay_token_text_parse(text, ASSAY_SLICE("assay"), &parsed), c == was);
        }
        out[i] = was;
        if (i + 1 < text.len && out[i] != out[i + 1]) {
            out[i] = out[i + 1];
            out[i + 1] = was;
            assert_false(assay_token_text_parse(text, ASSAY_SLICE("assay"), &parsed));
            out[i + 1] = out[i];
            out[i] = was;
        }
    }
    assert_false(assay_token_text_parse(assay_slice_head(text, text.len - 1), ASSAY_SLICE("assay"),
                                        &parsed));
    out[text.len] = 'A';
    text.len++;
    assert_false(assay_token_text_parse(text, ASSAY_SLICE("assay"), &parsed));
}

/* A-TOK-03 */
static void a_text_of_another_prefix_is_not_ours(void **state)
{
    uint8_t out[ASSAY_MAX_TOKEN_TEXT];
    struct assay_slice text = write_one(*state, ASSAY_TOKEN_ACCESS, out);
    struct assay_token_text parsed;
    assert_false(assay_token_text_parse(text, ASSAY_SLICE("assayx"), &parsed));
    assert_false(assay_token_text_parse(text, ASSAY_SLICE("assa"), &parsed));
    assert_false(assay_token_text_parse(text, ASSAY_SLICE("other"), &parsed));
}

/* A-TOK-02: an address that no key sealed opens under none. */
static void a_forged_address_does_not_open(void **state)
{
    struct fixture *fx = *state;
    struct assay_address address = {{0}};
    struct assay_token_id id;
    for (unsigned i = 0; i < 10000; i++) {
        address.bytes[0] = (uint8_t)i;
        address.bytes[1] = (uint8_t)(i >> 8);
        assert_false(assay_address_open(&fx->ring, &address, &id));
    }
}

static void an_older_key_still_opens_its_addresses(void **state)
{
    struct fixture *fx = *state;
    struct assay_address address;
    struct assay_error error = {0};
    struct assay_token_id id = {.lifetime_class = 3, .seq = ASSAY_SEQ_MAX};
    struct assay_token_id opened;
    assert_ok(assay_address_seal_as(&fx->ring, 1, id, &address, &error), &error);
    assert_true(assay_address_open(&fx->ring, &address, &opened));
    assert_true(assay_token_id_equal(id, opened));
    assert_int_equal(assay_address_seal_as(&fx->ring, 9, id, &address, &error), ASSAY_ERR_ABSENT);
}

static void a_jti_has_one_spelling(void **state)
{
    (void)state;
    struct assay_address address = {{0xFF, 1, 2}};
    struct assay_address parsed;
    struct assay_error error = {0};
    uint8_t jti[ASSAY_JTI_LEN];
    assay_jti_write(&address, jti);
    assert_ok(assay_jti_parse(assay_slice_of(jti, sizeof(jti)), &parsed, &error), &error);
    assert_memory_equal(&address, &parsed, sizeof(address));
    jti[ASSAY_JTI_LEN - 1] = 'B'; /* spare bits */
    assert_int_equal(assay_jti_parse(assay_slice_of(jti, sizeof(jti)), &parsed, &error),
                     ASSAY_ERR_SYNTAX);
    assert_int_equal(assay_jti_parse(ASSAY_SLICE("short"), &parsed, &error), ASSAY_ERR_SYNTAX);
}

static void a_successor_needs_the_text_the_salt_and_the_address(void **state)
{
    (void)state;
    struct assay_error error = {0};
    struct assay_address address = {{1}};
    uint8_t a[ASSAY_TOKEN_SECRET_LEN];
    uint8_t b[ASSAY_TOKEN_SECRET_LEN];
    assert_ok(assay_successor_secret(ASSAY_SLICE("text"), ASSAY_SLICE("salt"), &address, a, &error),
              &error);
    assert_ok(assay_successor_secret(ASSAY_SLICE("text"), ASSAY_SLICE("salt"), &address, b, &error),
              &error);
    assert_memory_equal(a, b, sizeof(a));
    assert_ok(assay_successor_secret(ASSAY_SLICE("Text"), ASSAY_SLICE("salt"), &address, b, &error),
              &error);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_ok(assay_successor_secret(ASSAY_SLICE("text"), ASSAY_SLICE("Salt"), &address, b, &error),
              &error);
    assert_memory_not_equal(a, b, sizeof(a));
    address.bytes[15] = 1;
    assert_ok(assay_successor_secret(ASSAY_SLICE("text"), ASSAY_SLICE("salt"), &address, b, &error),
              &error);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void lifetime_classes_rise_with_the_lifetime_and_fit(void **state)
{
    (void)state;
    uint8_t before = 0;
    for (int64_t lifetime = 1; lifetime <= ASSAY_MAX_LIFETIME_S; lifetime += 1 + lifetime / 97) {
        uint8_t now = assay_lifetime_class(lifetime);
        assert_true(now >= before && now < ASSAY_LIFETIME_CLASSES);
        before = now;
    }
    assert_true(assay_lifetime_class(ASSAY_MAX_LIFETIME_S) < ASSAY_LIFETIME_CLASSES);
    assert_int_not_equal(assay_lifetime_class(3600), assay_lifetime_class(7200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_reads_back_and_its_address_opens),
        cmocka_unit_test(a_mistyped_text_is_refused),
        cmocka_unit_test(a_text_of_another_prefix_is_not_ours),
        cmocka_unit_test(a_forged_address_does_not_open),
        cmocka_unit_test(an_older_key_still_opens_its_addresses),
        cmocka_unit_test(a_jti_has_one_spelling),
        cmocka_unit_test(a_successor_needs_the_text_the_salt_and_the_address),
        cmocka_unit_test(lifetime_classes_rise_with_the_lifetime_and_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
