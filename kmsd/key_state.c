// The key-state table. permit.c asks it for every call that is about a key, after the caller was found to be allowed.
#include "kmsd/key_state.h"

#include <stddef.h>

#include "kmsd/faults.h"

const char *const key_state_names[KEY_STATES] = {
    [KEY_ENABLED] = "Enabled",
    [KEY_DISABLED] = "Disabled",
    [KEY_PENDING_DELETION] = "PendingDeletion",
    [KEY_PENDING_REPLICA_DELETION] = "PendingReplicaDeletion",
    [KEY_PENDING_IMPORT] = "PendingImport",
    [KEY_UNAVAILABLE] = "Unavailable",
    [KEY_CREATING] = "Creating",
    [KEY_UPDATING] = "Updating",
};

enum answer {
    OK,
    DISABLED,
    DELETION,
    REPLICA_DELETION,
    NOT_DELETION,
    IMPORT,
    UNAVAILABLE,
    CREATING,
    UPDATING,
};

static const struct {
    const struct fault *fault;
    const char *phrase;
} answers[] = {
    [OK] = {NULL, NULL},
    [DISABLED] = {&fault_disabled, "is disabled."},
    [DELETION] = {&fault_invalid_state, "is pending deletion."},
    [REPLICA_DELETION] = {&fault_invalid_state, "is pending replica deletion."},
    [NOT_DELETION] = {&fault_invalid_state, "is not pending deletion."},
    [IMPORT] = {&fault_invalid_state, "is pending import."},
    [UNAVAILABLE] = {&fault_invalid_state, "is unavailable."},
    [CREATING] = {&fault_invalid_state, "is creating."},
    [UPDATING] = {&fault_invalid_state, "is updating."},
};

// clang-format off
static const unsigned char table[KEY_RULES][KEY_STATES] = {
    //                 Enabled        Disabled       PendingDel.  PendingReplicaDel. PendingImport Unavailable   Creating      Updating
    [RULE_ALWAYS]   = {OK,            OK,            OK,          OK,                OK,           OK,           OK,           OK},
    [RULE_USE]      = {OK,            DISABLED,      DELETION,    REPLICA_DELETION,  IMPORT,       UNAVAILABLE,  CREATING,     OK},
    [RULE_GRANT]    = {OK,            DISABLED,      DELETION,    REPLICA_DELETION,  IMPORT,       OK,           CREATING,     OK},
    [RULE_SWITCH]   = {OK,            OK,            DELETION,    REPLICA_DELETION,  IMPORT,       OK,           CREATING,     UPDATING},
    [RULE_EDIT]     = {OK,            OK,            DELETION,    REPLICA_DELETION,  OK,           OK,           OK,           OK},
    [RULE_SCHEDULE] = {OK,            OK,            DELETION,    REPLICA_DELETION,  OK,           OK,           OK,           UPDATING},
    [RULE_REPLICATE] = {OK,           DISABLED,      DELETION,    REPLICA_DELETION,  IMPORT,       UNAVAILABLE,  CREATING,     UPDATING},
    [RULE_IMPORT_PARAMETERS] = {OK, OK,           DELETION,    REPLICA_DELETION,  OK,           UNAVAILABLE,  CREATING,     UPDATING},
    [RULE_IMPORT]   = {OK,            OK,            DELETION,    REPLICA_DELETION,  OK,           UNAVAILABLE,  CREATING,     OK},
    [RULE_DELETE_MATERIAL] = {OK,     OK,            OK,          OK,                OK,           UNAVAILABLE,  CREATING,     UPDATING},
    [RULE_CANCEL]   = {NOT_DELETION,  NOT_DELETION,  OK,          OK,                NOT_DELETION, NOT_DELETION, NOT_DELETION, NOT_DELETION},
};
// clang-format on

const struct fault *key_state_check(enum key_rule rule, enum key_state state, const char **phrase)
{
    unsigned char answer = table[rule][state];
    *phrase = answers[answer].phrase;
    return answers[answer].fault;
}
