/* What the store says of its own size. */
#include "fixture.h"
#include "support/check.h"

#include <stdio.h>
#include <unistd.h>

static struct assay_store_stat full_stat(struct fixture *fx)
{
    struct assay_query query = {.verb = ASSAY_QUERY_STAT, .want_resident = true};
    struct assay_store_list list = {.query = &query, .done = fx_ignore_list};
    fx->store->ops->list(fx->store, &list);
    assert_int_equal(list.status, ASSAY_OK);
    return query.stat;
}

/* DESIGN section 4: stat tells how much of the data is in memory; what was just written is. */
static void what_is_in_memory_is_told(void **state)
{
    struct fixture *fx = *state;
    fx_add_client(fx, "robot");
    struct assay_store_stat stat = full_stat(fx);
    assert_true(stat.bytes_resident > 0);
    assert_true(stat.bytes_resident <= stat.bytes_file);
    assert_int_equal(fx_stat(fx).bytes_resident, 0); /* who does not ask does not pay */
}

/* Of a large file a part is looked at: holes at its end are in no memory. */
static void a_large_file_is_estimated(void **state)
{
    struct fixture *fx = *state;
    char data[128];
    snprintf(data, sizeof(data), "%s/data", fx->place.path);
    fx_add_client(fx, "robot");
    assert_int_equal(truncate(data, (off_t)3 << 30), 0);
    struct assay_store_stat stat = full_stat(fx);
    assert_true(stat.bytes_file == (uint64_t)3 << 30);
    assert_true(stat.bytes_resident > 0); /* the first stretch holds everything */
    assert_true(stat.bytes_resident < (uint64_t)64 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FX_TEST(what_is_in_memory_is_told),
        FX_TEST(a_large_file_is_estimated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
