#include "tool/secret_file.h"

#include "support/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    char path[128];
    uint8_t room[1026];
    struct assay_slice secret;
    const char *why;
};

static int set_up(void **state)
{
    static struct fixture fx;
    memset(&fx, 0, sizeof fx);
    strcpy(fx.dir, "/tmp/assay-secret-XXXXXX");
    if (mkdtemp(fx.dir) == NULL) {
        return -1;
    }
    snprintf(fx.path, sizeof fx.path, "%s/secret", fx.dir);
    *state = &fx;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fx = *state;
    unlink(fx->path);
    rmdir(fx->path);
    return rmdir(fx->dir);
}

static void put(struct fixture *fx, const void *bytes, size_t len, mode_t mode)
{
    int fd = open(fx->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static bool take(struct fixture *fx)
{
    fx->why = NULL;
    return assay_secret_file_read(fx->path, fx->room, sizeof fx->room, &fx->secret, &fx->why);
}

/* A-CLI-05 */
static void one_line_end_is_cut(void **state)
{
    struct fixture *fx = *state;
    static const char *const texts[] = {"hunter2", "hunter2\n", "hunter2\r\n"};
    for (size_t i = 0; i < 3; i++) {
        put(fx, texts[i], strlen(texts[i]), 0600);
        assert_true(take(fx));
        assert_slice_equal(fx->secret, ASSAY_SLICE("hunter2"));
    }
    put(fx, " a b ", 5, 0400);
    assert_true(take(fx));
    assert_slice_equal(fx->secret, ASSAY_SLICE(" a b "));
}

/* A-CLI-05 */
static void file_open_to_others_is_refused(void **state)
{
    struct fixture *fx = *state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0660, 0666, 0644, 0610};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        put(fx, "hunter2", 7, modes[i]);
        assert_false(take(fx));
        assert_non_null(strstr(fx->why, "chmod 600"));
    }
}

/* A-CLI-05 */
static void file_that_holds_no_single_line_of_text_is_refused(void **state)
{
    struct fixture *fx = *state;
    put(fx, "", 0, 0600);
    assert_false(take(fx));
    put(fx, "\n", 1, 0600);
    assert_false(take(fx));
    put(fx, "\r\n", 2, 0600);
    assert_false(take(fx));
    put(fx, "a\nb", 3, 0600);
    assert_false(take(fx));
    put(fx, "a\n\n", 3, 0600);
    assert_false(take(fx));
    put(fx, "a\0b", 3, 0600);
    assert_false(take(fx));
}

/* A-CLI-05 */
static void long_file_is_refused_and_leaves_nothing_behind(void **state)
{
    struct fixture *fx = *state;
    static char bytes[70000];
    memset(bytes, 'x', sizeof bytes);
    put(fx, bytes, sizeof bytes, 0600);
    assert_false(take(fx));
    put(fx, bytes, sizeof fx->room, 0600);
    assert_false(take(fx));
    for (size_t i = 0; i < sizeof fx->room; i++) {
        assert_int_equal(fx->room[i], 0);
    }
    put(fx, bytes, sizeof fx->room - 1, 0600);
    assert_true(take(fx));
}

/* A-CLI-03, A-CLI-05 */
static void what_is_no_regular_file_is_refused(void **state)
{
    struct fixture *fx = *state;
    assert_false(take(fx)); /* absent */
    assert_int_equal(mkdir(fx->path, 0700), 0);
    assert_false(take(fx));
    assert_int_equal(rmdir(fx->path), 0);
    assert_int_equal(mkfifo(fx->path, 0600), 0);
    assert_false(take(fx)); /* and does not wait for a writer */
    assert_int_equal(unlink(fx->path), 0);
    assert_int_equal(symlink("/etc/hostname", fx->path), 0);
    assert_false(take(fx));
    assert_non_null(strstr(fx->why, "symbolic link"));
    assert_int_equal(unlink(fx->path), 0);
    assert_int_equal(symlink("/dev/zero", fx->path), 0);
    assert_false(take(fx));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_line_end_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_open_to_others_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(file_that_holds_no_single_line_of_text_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(long_file_is_refused_and_leaves_nothing_behind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
