#include "record/change.h"
#include "support/check.h"

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

/* A-SEC-03: no secret of a change outlives it. */
static void wiping_leaves_no_secret(void **state)
{
    (void)state;
    static const enum assay_change_verb verbs[] = {
        ASSAY_CHANGE_ISSUE,       ASSAY_CHANGE_ROTATE,        ASSAY_CHANGE_CUT,
        ASSAY_CHANGE_CLIENT_ADD,  ASSAY_CHANGE_CLIENT_UPDATE, ASSAY_CHANGE_CLIENT_REMOVE,
        ASSAY_CHANGE_SEAL_ROTATE, ASSAY_CHANGE_CONSUME_ONCE,  ASSAY_CHANGE_SWEEP};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct assay_change change;
        memset(&change, 0x5A, sizeof(change));
        change.verb = verbs[i];
        assay_change_wipe(&change);
        const struct assay_token_draft *drafts[2] = {NULL, NULL};
        if (verbs[i] == ASSAY_CHANGE_ISSUE) {
            drafts[0] = &change.u.issue.access;
            drafts[1] = &change.u.issue.refresh;
        }
        if (verbs[i] == ASSAY_CHANGE_ROTATE) {
            drafts[0] = &change.u.rotate.access;
            drafts[1] = &change.u.rotate.refresh;
            assert_true(is_zero(change.u.rotate.salt, sizeof(change.u.rotate.salt)));
        }
        for (size_t d = 0; d < 2 && drafts[d] != NULL; d++) {
            assert_true(is_zero(drafts[d]->secret, sizeof(drafts[d]->secret)));
            assert_true(is_zero(drafts[d]->text, sizeof(drafts[d]->text)));
            assert_int_equal(drafts[d]->text_len, 0);
        }
        if (verbs[i] == ASSAY_CHANGE_SEAL_ROTATE) {
            assert_true(is_zero(change.u.seal.key, sizeof(change.u.seal.key)));
        }
        assert_int_equal(change.verb, verbs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiping_leaves_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
