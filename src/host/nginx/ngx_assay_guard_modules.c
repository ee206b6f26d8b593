/* What nginx looks for in a dynamic module (its own build would generate this). */
#include <ngx_config.h>
#include <ngx_core.h>

#include "base/attr.h"

extern ngx_module_t ngx_http_assay_guard_module;
extern ngx_module_t ngx_http_assay_guard_filter_module;

ASSAY_PUBLIC extern ngx_module_t *ngx_modules[];
ASSAY_PUBLIC extern char *ngx_module_names[];
ASSAY_PUBLIC extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {&ngx_http_assay_guard_module, &ngx_http_assay_guard_filter_module,
                               NULL};

static char guard[] = "ngx_http_assay_guard_module";
static char filter[] = "ngx_http_assay_guard_filter_module";
char *ngx_module_names[] = {guard, filter, NULL};

/* nginx runs the access handlers of later modules first: before auth_request, auth_basic and access
 * in this order, the guard runs behind them, so that who is refused by these is not asked about.
 * And a header filter of a later module runs first: before the range filter, ours is the last but
 * those that write. */
static char before_auth_request[] = "ngx_http_auth_request_module";
static char before_auth_basic[] = "ngx_http_auth_basic_module";
static char before_access[] = "ngx_http_access_module";
static char before_range[] = "ngx_http_range_header_filter_module";
char *ngx_module_order[] = {
    guard, before_auth_request, before_auth_basic, before_access, filter, before_range, NULL};
