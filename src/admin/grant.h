/* Grants: list, end. Subjects: end. */
#ifndef ASSAY_ADMIN_GRANT_H
#define ASSAY_ADMIN_GRANT_H

#include "admin/step.h"

assay_admin_piece assay_admin_grant_list;
assay_admin_piece assay_admin_grant_end;
assay_admin_piece assay_admin_subject_end;

#endif
