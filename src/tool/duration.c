#include "tool/duration.h"

#include "base/limits.h"

#include <stddef.h>
#include <string.h>

static int64_t unit_s(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return 86400;
    case 'w':
        return 604800;
    default:
        return 0;
    }
}

bool assay_duration_parse(const char *text, int64_t *ret_s)
{
    if (strcmp(text, "0") == 0) {
        *ret_s = 0;
        return true;
    }

    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 10 || strlen(text) != digits + 1) {
        return false;
    }
    int64_t unit = unit_s(text[digits]);
    int64_t count = 0;
    for (size_t i = 0; i < digits; i++) {
        count = count * 10 + (text[i] - '0');
    }
    if (unit == 0 || count > ASSAY_MAX_LIFETIME_S / unit) {
        return false;
    }
    *ret_s = count * unit;
    return true;
}
