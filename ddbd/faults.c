// The rows that every handler of ddbd returns. Compared by address; the sentence usually belongs to the call.
#include "ddbd/faults.h"

#include <stddef.h>

#define DYNAMODB "com.amazonaws.dynamodb.v20120810#"
#define CORAL_VALIDATE "com.amazon.coral.validate#"
#define CORAL_SERVICE "com.amazon.coral.service#"

const struct fault fault_validation = {"ValidationException", 400, NULL, CORAL_VALIDATE, NULL};
const struct fault fault_serialization = {"SerializationException", 400, NULL, CORAL_SERVICE, "Message"};
const struct fault fault_access_denied = {"AccessDeniedException", 400, "Access is denied", CORAL_SERVICE, "Message"};
const struct fault fault_unknown_operation = {"UnknownOperationException", 400, NULL, CORAL_SERVICE, NULL};
const struct fault fault_unsupported = {"UnsupportedOperationException", 400,
                                        "This operation of DynamoDB is not built in ddbd yet.", CORAL_SERVICE, NULL};
const struct fault fault_not_found = {"ResourceNotFoundException", 400, "Requested resource not found", DYNAMODB, NULL};
const struct fault fault_in_use = {"ResourceInUseException", 400, NULL, DYNAMODB, NULL};
const struct fault fault_limit_exceeded = {"LimitExceededException", 400, NULL, DYNAMODB, NULL};
const struct fault fault_internal = {"InternalServerError", 500,
                                     "The request processing has failed because of an "
                                     "unknown error, exception or failure.",
                                     DYNAMODB, NULL};
const struct fault fault_unavailable = {"ServiceUnavailable", 503, "Service Unavailable Exception",
                                        "com.amazon.coral.availability#", NULL};
