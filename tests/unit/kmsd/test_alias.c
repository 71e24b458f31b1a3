// Names that an alias may have, and the errors of those that it may not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kmsd/alias.h"
#include "kmsd/faults.h"

static const struct fault *check(const char *name, char text[512])
{
    return alias_check_name(span_of(name), text, 512);
}

static void test_names(void **state)
{
    (void)state;
    char text[512];
    assert_null(check("alias/a", text));
    assert_null(check("alias/team/app_1-x", text));
    assert_null(check("alias/awsome", text));
    assert_ptr_equal(check("app", text), &fault_validation);
    assert_string_equal(text, "Alias must start with the prefix \"alias/\". Please see "
                              "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
    assert_ptr_equal(check("alias/", text), &fault_validation);
    assert_ptr_equal(check("alias/aws/dynamodb", text), &fault_not_authorized);
    assert_string_equal(text, "");
    assert_ptr_equal(check("alias/a:b", text), &fault_validation);
    assert_string_equal(text, "alias/a:b contains invalid characters for an alias");
}

static void test_pattern(void **state)
{
    (void)state;
    assert_true(alias_matches(SPAN("alias/a:b_c-D9")));
    assert_false(alias_matches(SPAN("alias/a b")));
    assert_false(alias_matches(SPAN("alias/\xc3\xa4")));
    assert_false(alias_matches(SPAN("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_pattern)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
