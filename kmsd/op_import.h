// GetParametersForImport (op_import_parameters.c), ImportKeyMaterial and DeleteImportedKeyMaterial: parameters and
// leaves, for their rows in ops.c.
#pragma once

#include "common/rpc/call.h"
#include "kmsd/import_wrap.h"
#include "kmsd/key.h"
#include "kmsd/ops.h"

struct import_parameters_params {
    struct kms_params common;
    struct span algorithm, spec;
};

struct import_params {
    struct kms_params common;
    struct span token, material, expiration_model, import_type, description, material_id;
    struct opt_time valid_to;
};

struct delete_material_params {
    struct kms_params common;
    struct span material_id;
    char deleted[KEY_MATERIAL_ID_SIZE]; // for reply and trail; empty: none, or of a key whose material has no id
};

extern const struct param import_parameters_rows[], import_rows[], delete_material_rows[];

MUST_CHECK const struct fault *get_parameters_for_import(struct call *call);
MUST_CHECK const struct fault *import_key_material_resolve(struct call *call);
MUST_CHECK const struct fault *import_key_material(struct call *call);
MUST_CHECK const struct fault *delete_imported_key_material(struct call *call);
void import_key_material_trail(struct json_write *w, struct call *call);
void delete_imported_key_material_trail(struct json_write *w, struct call *call);
