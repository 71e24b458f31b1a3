// Key states and which operation works in which of them, as data.
// Source: AWS KMS Developer Guide, "Key states of AWS KMS keys", its table and notes.
#pragma once

#include "common/base/fault.h"

enum key_state {
    KEY_ENABLED,
    KEY_DISABLED,
    KEY_PENDING_DELETION,
    KEY_PENDING_REPLICA_DELETION, // a multi-Region primary key that waits for its replicas' deletion
    KEY_PENDING_IMPORT,
    KEY_UNAVAILABLE,
    KEY_CREATING,
    KEY_UPDATING,
    KEY_STATES
};
extern const char *const key_state_names[KEY_STATES]; // as KeyState has them

// Rows of the table: operations that behave alike share one.
enum key_rule {
    RULE_ALWAYS,            // reading, policies, grants' end
    RULE_USE,               // cryptographic operations, rotation
    RULE_GRANT,             // CreateGrant: as RULE_USE, but works when unavailable
    RULE_SWITCH,            // EnableKey, DisableKey
    RULE_EDIT,              // tags, description, alias targets: all but pending deletion
    RULE_SCHEDULE,          // ScheduleKeyDeletion
    RULE_REPLICATE,         // ReplicateKey: as RULE_USE, but not while its Region changes
    RULE_CANCEL,            // CancelKeyDeletion
    RULE_IMPORT_PARAMETERS, // GetParametersForImport
    RULE_IMPORT,            // ImportKeyMaterial
    RULE_DELETE_MATERIAL,   // DeleteImportedKeyMaterial
    KEY_RULES
};

// NULL when the operation works on a key of this state. Else the fault, and the sentence is "<key ARN> <*phrase>".
MUST_CHECK const struct fault *key_state_check(enum key_rule rule, enum key_state state, const char **phrase);
