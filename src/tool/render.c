#include "tool/render.h"

#include "base/arena.h"
#include "base/buf.h"
#include "tool/text.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

#define CELL_MAX 8192
#define COLUMNS_MAX 12

static bool ends_with(struct assay_slice s, struct assay_slice end)
{
    return s.len >= end.len && assay_slice_equal(assay_slice_from(s, s.len - end.len), end);
}

static bool is_one_of(struct assay_slice name, const struct assay_slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (assay_slice_equal(name, names[i])) {
            return true;
        }
    }
    return false;
}

static bool is_time(struct assay_slice name)
{
    const struct assay_slice names[] = {ASSAY_SLICE("exp"), ASSAY_SLICE("iat"), ASSAY_SLICE("nbf"),
                                        ASSAY_SLICE("auth_time"), ASSAY_SLICE("horizon")};
    return ends_with(name, ASSAY_SLICE("_at")) ||
           is_one_of(name, names, sizeof names / sizeof names[0]);
}

static bool is_span(struct assay_slice name)
{
    return ends_with(name, ASSAY_SLICE("_lifetime")) ||
           assay_slice_equal(name, ASSAY_SLICE("expires_in"));
}

static bool is_bytes(struct assay_slice name)
{
    return assay_slice_starts_with(name, ASSAY_SLICE("bytes_"));
}

static void append_text(struct assay_buf *out, const char *text)
{
    assay_buf_append(out, assay_slice_of_text(text));
}

static void append_time(struct assay_buf *out, int64_t at_s)
{
    time_t t = (time_t)at_s;
    struct tm tm;
    char text[64];
    if (at_s == 0 || gmtime_r(&t, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        assay_buf_append_i64(out, at_s);
        return;
    }
    append_text(out, text);
}

struct unit {
    int64_t size;
    const char *name;
};

/* In the largest unit that divides `value`, so that what is shown can be typed again. */
static void append_in_units(struct assay_buf *out, int64_t value, const struct unit *units)
{
    while (units->size > 1 && (value == 0 || value % units->size != 0)) {
        units++;
    }
    assay_buf_append_i64(out, value / units->size);
    append_text(out, units->name);
}

static void append_integer(struct assay_buf *out, struct assay_slice name, int64_t value)
{
    static const struct unit spans[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    static const struct unit sizes[] = {{INT64_C(1) << 30, " GiB"},
                                        {INT64_C(1) << 20, " MiB"},
                                        {INT64_C(1) << 10, " KiB"},
                                        {1, ""}};
    if (is_time(name)) {
        append_time(out, value);
    } else if (is_span(name)) {
        append_in_units(out, value, spans);
    } else if (is_bytes(name)) {
        append_in_units(out, value, sizes);
    } else {
        assay_buf_append_i64(out, value);
    }
}

static void append_scalar(struct assay_buf *out, const struct assay_json *json,
                          struct assay_slice name)
{
    struct assay_slice text;
    int64_t number = 0;
    bool yes = false;
    if (assay_json_get_bool(json, name, &yes)) {
        append_text(out, yes ? "yes" : "no");
    } else if (assay_json_get_i64(json, name, &number)) {
        append_integer(out, name, number);
    } else if (assay_json_get_string(json, name, &text)) {
        assay_text_escape(out, text);
    }
}

/* The objects of a list on their way into one cell. */
struct inner {
    struct assay_buf *out;
    const struct assay_json *object;
    size_t objects;
    size_t members;
};

static bool append_member(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct inner *inner = context;
    if (type == ASSAY_JSON_ARRAY || type == ASSAY_JSON_OBJECT) {
        return false; /* one level is enough for people */
    }
    append_text(inner->out, inner->members++ == 0 ? "" : ", ");
    assay_text_escape(inner->out, name);
    append_text(inner->out, " ");
    append_scalar(inner->out, inner->object, name);
    return true;
}

static bool append_object(void *context, const struct assay_json *object)
{
    struct inner *inner = context;
    append_text(inner->out, inner->objects++ == 0 ? "" : "; ");
    inner->object = object;
    inner->members = 0;
    return assay_json_each(object, append_member, inner);
}

/* A list of flat objects: `a 1, b 2; a 3`. False, with nothing appended, when it is none. */
static bool append_objects(struct assay_buf *out, const struct assay_json *json,
                           struct assay_slice name)
{
    struct inner inner = {.out = out};
    size_t before = out->len;
    if (assay_json_each_item(json, name, append_object, &inner) && inner.objects > 0) {
        return true;
    }
    out->len = before;
    return false;
}

/* An array of strings as words, one of flat objects as a list; anything else as the JSON it is. */
static void append_compound(struct assay_buf *out, const struct assay_json *json,
                            struct assay_slice name)
{
    uint8_t room[CELL_MAX];
    struct assay_arena arena;
    if (append_objects(out, json, name)) {
        return;
    }
    assay_arena_init(&arena, room, sizeof room);
    struct assay_slice text;
    if (assay_json_get_list(json, name, &arena, &text) ||
        assay_json_get_raw(json, name, &arena, &text)) {
        assay_text_escape(out, text);
    } else {
        append_text(out, "(too long to show; see --json)");
    }
    assay_arena_release(&arena);
}

static void append_value(struct assay_buf *out, const struct assay_json *json,
                         struct assay_slice name)
{
    switch (assay_json_type(json, name)) {
    case ASSAY_JSON_ABSENT:
    case ASSAY_JSON_NULL:
        return;
    case ASSAY_JSON_BOOL:
    case ASSAY_JSON_INTEGER:
    case ASSAY_JSON_STRING:
        append_scalar(out, json, name);
        return;
    case ASSAY_JSON_REAL:
    case ASSAY_JSON_ARRAY:
    case ASSAY_JSON_OBJECT:
        append_compound(out, json, name);
        return;
    }
}

/* One value as text; the slice borrows from `room` (CELL_MAX bytes). Nothing is "-", so that
 * columns can be cut apart by programs too. */
static struct assay_slice cell(const struct assay_json *json, struct assay_slice name,
                               uint8_t *room)
{
    struct assay_buf buf;
    assay_buf_init(&buf, room, CELL_MAX);
    append_value(&buf, json, name);
    if (buf.len == 0) {
        append_text(&buf, "-");
    }
    return assay_buf_slice(&buf);
}

static void print_padded(FILE *out, struct assay_slice text, size_t width)
{
    fwrite(text.data, 1, text.len, out);
    for (size_t done = assay_text_width(text); done < width; done++) {
        fputc(' ', out);
    }
}

static struct assay_slice escaped_name(struct assay_slice name, uint8_t *room)
{
    struct assay_buf buf;
    assay_buf_init(&buf, room, CELL_MAX);
    assay_text_escape(&buf, name);
    return assay_buf_slice(&buf);
}

struct lines {
    FILE *out;
    const struct assay_json *object;
    size_t width;
};

static bool widen_lines(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct lines *lines = context;
    (void)type;
    uint8_t room[CELL_MAX];
    size_t width = assay_text_width(escaped_name(name, room));
    lines->width = width > lines->width ? width : lines->width;
    return true;
}

static bool print_line(void *context, struct assay_slice name, enum assay_json_type type)
{
    struct lines *lines = context;
    (void)type;
    uint8_t room[CELL_MAX];
    print_padded(lines->out, escaped_name(name, room), lines->width + 2);
    struct assay_slice text = cell(lines->object, name, room);
    fwrite(text.data, 1, text.len, lines->out);
    fputc('\n', lines->out);
    return true;
}

void assay_render_object(FILE *out, const struct assay_json *object)
{
    struct lines lines = {.out = out, .object = object};
    if (assay_json_each(object, widen_lines, &lines)) {
        (void)assay_json_each(object, print_line, &lines); /* print_line never stops it */
    }
}

struct table {
    FILE *out;
    const char *const *columns;
    size_t widths[COLUMNS_MAX];
};

static size_t column_count(const struct table *table)
{
    size_t count = 0;
    while (count < COLUMNS_MAX && table->columns[count] != NULL) {
        count++;
    }
    return count;
}

static bool widen_row(void *context, const struct assay_json *row)
{
    struct table *table = context;
    uint8_t room[CELL_MAX];
    for (size_t i = 0; i < column_count(table); i++) {
        struct assay_slice text = cell(row, assay_slice_of_text(table->columns[i]), room);
        size_t width = assay_text_width(text);
        table->widths[i] = width > table->widths[i] ? width : table->widths[i];
    }
    return true;
}

static void print_cell(struct table *table, size_t i, struct assay_slice text)
{
    bool last = i + 1 == column_count(table);
    print_padded(table->out, text, last ? 0 : table->widths[i] + 2);
    if (last) {
        fputc('\n', table->out);
    }
}

static bool print_row(void *context, const struct assay_json *row)
{
    struct table *table = context;
    uint8_t room[CELL_MAX];
    for (size_t i = 0; i < column_count(table); i++) {
        print_cell(table, i, cell(row, assay_slice_of_text(table->columns[i]), room));
    }
    return true;
}

void assay_render_rows(FILE *out, const struct assay_json *answer, const char *rows,
                       const char *const *columns, bool heading)
{
    struct table table = {.out = out, .columns = columns};
    for (size_t i = 0; i < column_count(&table); i++) {
        table.widths[i] = strlen(columns[i]);
    }
    struct assay_slice name = assay_slice_of_text(rows);
    if (!assay_json_each_item(answer, name, widen_row, &table)) {
        return;
    }
    for (size_t i = 0; heading && i < column_count(&table); i++) {
        print_cell(&table, i, assay_slice_of_text(columns[i]));
    }
    (void)assay_json_each_item(answer, name, print_row, &table); /* print_row never stops it */
}
