#include "tool/suggest.h"

#include <string.h>

#define ROW (ASSAY_SUGGEST_MAX + 1)

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* One row of the optimal string alignment: `row[j]` is the distance of the first i characters of
 * `a` to the first j of `b`. */
static void fill_row(const char *a, size_t i, const char *b, size_t b_len, const size_t *before,
                     const size_t *last, size_t *row)
{
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
        size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
        row[j] = least(replace, least(last[j], row[j - 1]) + 1);
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
            row[j] = least(row[j], before[j - 2] + 1);
        }
    }
}

size_t assay_suggest_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len > ASSAY_SUGGEST_MAX || b_len > ASSAY_SUGGEST_MAX) {
        return ASSAY_SUGGEST_MAX;
    }

    size_t rows[3][ROW] = {{0}};
    for (size_t j = 0; j <= b_len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        fill_row(a, i, b, b_len, rows[(i + 1) % 3], rows[(i + 2) % 3], rows[i % 3]);
    }
    return rows[a_len % 3][b_len];
}

void assay_suggest_offer(struct assay_suggestion *suggestion, const char *word)
{
    size_t distance = assay_suggest_distance(suggestion->typed, word);
    size_t len = strlen(suggestion->typed);
    if (distance > 2 || (distance == 2 && len <= 4) || distance >= len) {
        return;
    }
    if (suggestion->word == NULL || distance < suggestion->distance) {
        suggestion->word = word;
        suggestion->distance = distance;
    }
}
