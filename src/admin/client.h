/* Clients and resource servers: add, list, show, update, disable, enable, remove, rotate the
 * secret. Checked once, for the command and for /admin. */
#ifndef ASSAY_ADMIN_CLIENT_H
#define ASSAY_ADMIN_CLIENT_H

#include "admin/step.h"

assay_admin_piece assay_admin_client_add;
assay_admin_piece assay_admin_client_list;
assay_admin_piece assay_admin_client_show;
assay_admin_piece assay_admin_client_update;
assay_admin_piece assay_admin_client_disable;
assay_admin_piece assay_admin_client_enable;
assay_admin_piece assay_admin_client_remove;
assay_admin_piece assay_admin_client_rotate_secret;

#endif
