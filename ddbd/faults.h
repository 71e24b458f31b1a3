// DynamoDB's errors as the client sees them. Source: DynamoDB API reference, "Common errors", and the wire's __type
// prefixes (com.amazonaws.dynamodb.v20120810#, com.amazon.coral.…#).
#pragma once

#include "common/base/fault.h"

extern const struct fault fault_validation;        // ValidationException
extern const struct fault fault_serialization;     // SerializationException
extern const struct fault fault_access_denied;     // AccessDeniedException (its text is in "Message")
extern const struct fault fault_unknown_operation; // UnknownOperationException
extern const struct fault fault_unsupported;       // an operation of the real API that is not built yet
extern const struct fault fault_not_found;         // ResourceNotFoundException
extern const struct fault fault_in_use;            // ResourceInUseException
extern const struct fault fault_limit_exceeded;    // LimitExceededException
extern const struct fault fault_internal;          // InternalServerError (500)
extern const struct fault fault_unavailable;       // ServiceUnavailable (503): the trail cannot be written
