#include "tool/tool.h"

#include "json/writer.h"
#include "tool/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *variable_value(const char *name)
{
    /* The command has one thread, and nothing of it changes the environment. */
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return value != NULL && value[0] != '\0' ? value : NULL;
}

const char *assay_tool_setting(const struct assay_tool *tool, const char *option,
                               const char *variable)
{
    const char *value = assay_args_global(&tool->args, option);
    return value != NULL ? value : variable_value(variable);
}

/* Root's store is the machine's; everybody else's lies where their data does. */
static bool write_default(char *room, size_t size)
{
    if (geteuid() == 0) {
        int written = snprintf(room, size, "/var/lib/assay");
        return written > 0 && (size_t)written < size;
    }
    const char *data = variable_value("XDG_DATA_HOME");
    const char *home = variable_value("HOME");
    if (data == NULL && home == NULL) {
        return false;
    }
    int written = data != NULL ? snprintf(room, size, "%s/assay/store", data)
                               : snprintf(room, size, "%s/.local/share/assay/store", home);
    return written > 0 && (size_t)written < size;
}

bool assay_tool_store_path(const struct assay_tool *tool, char *room, size_t size,
                           const char **ret_path, bool *ret_chosen)
{
    const char *named = assay_tool_setting(tool, "store", "ASSAY_STORE");
    *ret_chosen = named != NULL;
    if (named != NULL) {
        *ret_path = named;
        return true;
    }
    if (!write_default(room, size)) {
        fputs("assay: which store? name it with --store DIR\n", stderr);
        return false;
    }
    *ret_path = room;
    return true;
}

int assay_tool_failed(const char *doing, const char *path, const struct assay_error *error)
{
    fprintf(stderr, "assay: %s", doing);
    if (path != NULL) {
        fputc(' ', stderr);
        assay_text_print(stderr, assay_slice_of_text(path));
    }
    fprintf(stderr, ": %s", error->what != NULL ? error->what : "no reason given");
    if (error->wanted != 0) {
        fprintf(stderr, " (%llu bytes of at least %llu)", error->found, error->wanted);
    }
    fputc('\n', stderr);
    return ASSAY_EXIT_NO;
}

void assay_tool_print_member(const char *member, const char *text)
{
    uint8_t room[6 * PATH_MAX + 256];
    struct assay_buf buf;
    struct assay_json_writer w;
    assay_buf_init(&buf, room, sizeof room);
    assay_json_init(&w, &buf);
    assay_json_object_open(&w);
    assay_json_member_string(&w, assay_slice_of_text(member), assay_slice_of_text(text));
    assay_json_object_close(&w);
    fwrite(buf.data, 1, buf.len, stdout);
    fputc('\n', stdout);
}
