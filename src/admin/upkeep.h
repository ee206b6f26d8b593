/* The store itself: a new sealing key, and what it says of itself. */
#ifndef ASSAY_ADMIN_UPKEEP_H
#define ASSAY_ADMIN_UPKEEP_H

#include "admin/step.h"

assay_admin_piece assay_admin_key_rotate;
assay_admin_piece assay_admin_store_stat;

#endif
