// ddbd's API: the operation table, the single truth about what it can do.
#pragma once

#include "common/rpc/op.h"

extern const struct service ddbd_service;
