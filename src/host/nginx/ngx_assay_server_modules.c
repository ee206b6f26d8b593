/* What nginx looks for in a dynamic module (its own build would generate this). */
#include <ngx_config.h>
#include <ngx_core.h>

#include "base/attr.h"

extern ngx_module_t ngx_http_assay_server_module;

ASSAY_PUBLIC extern ngx_module_t *ngx_modules[];
ASSAY_PUBLIC extern char *ngx_module_names[];
ASSAY_PUBLIC extern char *ngx_module_order[];

ngx_module_t *ngx_modules[] = {&ngx_http_assay_server_module, NULL};

static char name[] = "ngx_http_assay_server_module";
char *ngx_module_names[] = {name, NULL};

char *ngx_module_order[] = {NULL};
