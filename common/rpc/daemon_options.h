// The options that both daemons share, joined with the daemon's own. Private to common/rpc.
#pragma once

#include "common/base/conf.h"
#include "common/rpc/daemon.h"

// All rows, ended by one without a name; in static memory, so it is called once a process.
const struct conf_option *daemon_options(const struct daemon_spec *spec);
// Prints the operation table: --list-operations.
void daemon_list_operations(const struct daemon_spec *spec);
