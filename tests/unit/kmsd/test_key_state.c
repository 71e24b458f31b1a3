// The key-state table, row by row as the developer guide prints it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kmsd/faults.h"
#include "kmsd/key_state.h"

// One letter a state, in the order Enabled Disabled PendingDeletion PendingReplicaDeletion PendingImport Unavailable
// Creating Updating:
// . works, D DisabledException, I KMSInvalidStateException.
static const struct {
    enum key_rule rule;
    const char *states;
} guide[] = {
    {RULE_ALWAYS, "........"},
    {RULE_USE, ".DIIIII."},
    {RULE_GRANT, ".DIII.I."},
    {RULE_SWITCH, "..III.II"},
    {RULE_EDIT, "..II...."},
    {RULE_SCHEDULE, "..II...I"},
    {RULE_REPLICATE, ".DIIIIII"},
    {RULE_CANCEL, "II..IIII"},
    {RULE_IMPORT_PARAMETERS, "..II.III"},
    {RULE_IMPORT, "..II.II."},
    {RULE_DELETE_MATERIAL, ".....III"},
};

static void test_table(void **state)
{
    (void)state;
    assert_int_equal(sizeof guide / sizeof *guide, KEY_RULES);
    for (size_t i = 0; i < KEY_RULES; i++) {
        for (int s = 0; s < KEY_STATES; s++) {
            const char *phrase;
            const struct fault *fault = key_state_check(guide[i].rule, (enum key_state)s, &phrase);
            char letter = !fault ? '.' : fault == &fault_disabled ? 'D' : fault == &fault_invalid_state ? 'I' : '?';
            if (letter != guide[i].states[s])
                fail_msg("rule %d, %s: %c instead of %c", guide[i].rule, key_state_names[s], letter,
                         guide[i].states[s]);
            assert_int_equal(fault != NULL, phrase != NULL);
        }
    }
}

static void test_phrases(void **state)
{
    (void)state;
    const char *phrase;
    assert_non_null(key_state_check(RULE_USE, KEY_DISABLED, &phrase));
    assert_string_equal(phrase, "is disabled.");
    assert_non_null(key_state_check(RULE_USE, KEY_PENDING_DELETION, &phrase));
    assert_string_equal(phrase, "is pending deletion.");
    assert_non_null(key_state_check(RULE_CANCEL, KEY_ENABLED, &phrase));
    assert_string_equal(phrase, "is not pending deletion.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_phrases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
