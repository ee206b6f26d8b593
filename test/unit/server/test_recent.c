#include "server/recent.h"

#include "support/check.h"

static struct assay_recent recent;

static int forget(void **state)
{
    (void)state;
    memset(&recent, 0, sizeof(recent));
    return 0;
}

static void digest_of(uint8_t first, uint8_t last, uint8_t out[ASSAY_SHA256_LEN])
{
    memset(out, 0, ASSAY_SHA256_LEN);
    out[0] = first;
    out[ASSAY_SHA256_LEN - 1] = last;
}

static void an_empty_memory_knows_nobody(void **state)
{
    (void)state;
    uint8_t zeros[ASSAY_SHA256_LEN] = {0};
    assert_null(assay_recent_find(&recent, zeros));
}

static const uint8_t secret[ASSAY_SHA256_LEN] = {1, 2, 3};

static void a_header_is_known_by_all_of_its_digest(void **state)
{
    (void)state;
    uint8_t digest[ASSAY_SHA256_LEN];
    uint8_t other[ASSAY_SHA256_LEN];
    digest_of(7, 1, digest);
    digest_of(7, 2, other);
    assay_recent_note(&recent, digest, ASSAY_SLICE("gateway"), secret);
    const struct assay_recent_entry *entry = assay_recent_find(&recent, digest);
    assert_non_null(entry);
    assert_memory_equal(entry->secret_sha256, secret, sizeof(secret));
    assert_slice_equal(assay_slice_of(entry->client_id, entry->client_id_len),
                       ASSAY_SLICE("gateway"));
    assert_null(assay_recent_find(&recent, other));
}

static void two_that_meet_take_turns(void **state)
{
    (void)state;
    uint8_t one[ASSAY_SHA256_LEN];
    uint8_t two[ASSAY_SHA256_LEN];
    digest_of(7, 1, one);
    digest_of(7, 2, two);
    assay_recent_note(&recent, one, ASSAY_SLICE("a"), secret);
    assay_recent_note(&recent, two, ASSAY_SLICE("b"), secret);
    assert_null(assay_recent_find(&recent, one));
    assert_non_null(assay_recent_find(&recent, two));
}

static void an_id_over_its_limit_is_not_noted(void **state)
{
    (void)state;
    static uint8_t id[ASSAY_MAX_CLIENT_ID + 1];
    uint8_t digest[ASSAY_SHA256_LEN];
    digest_of(9, 9, digest);
    assay_recent_note(&recent, digest, assay_slice_of(id, sizeof(id)), secret);
    assay_recent_note(&recent, digest, (struct assay_slice){0}, secret);
    assert_null(assay_recent_find(&recent, digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_memory_knows_nobody, forget),
        cmocka_unit_test_setup(a_header_is_known_by_all_of_its_digest, forget),
        cmocka_unit_test_setup(two_that_meet_take_turns, forget),
        cmocka_unit_test_setup(an_id_over_its_limit_is_not_noted, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
