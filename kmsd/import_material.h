// Key material from elsewhere: whether it is a key of the spec, and the form in which it is kept.
#pragma once

#include <stdbool.h>

#include "common/base/fault.h"
#include "common/base/secret.h"
#include "kmsd/key_spec.h"

// The material in the one form that all spellings of the same key have (PKCS#8 of the library's making, curves by
// name). False: it is no key of this spec, or its public half belongs to another private one.
MUST_CHECK bool import_material_take(const struct key_spec *spec, struct span from, struct secret *material);
