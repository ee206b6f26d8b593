/* Which of the known words a mistyped one was meant to be. */
#ifndef ASSAY_TOOL_SUGGEST_H
#define ASSAY_TOOL_SUGGEST_H

#include <stddef.h>

#define ASSAY_SUGGEST_MAX 32 /* longest word compared, characters */

/* Edits (insert, delete, replace, swap of neighbours) between two words; ASSAY_SUGGEST_MAX when one
 * of them is too long to compare. */
size_t assay_suggest_distance(const char *a, const char *b);

/* The best of the words offered so far. Zero it, set `typed`. */
struct assay_suggestion {
    const char *typed;
    const char *word; /* out: NULL when nothing was near */
    size_t distance;  /* out: of `word` */
};

/* Considers `word`: near is one edit, or two in what is longer than four characters. */
void assay_suggest_offer(struct assay_suggestion *suggestion, const char *word);

#endif
