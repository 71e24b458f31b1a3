// Folders of a daemon's state. Private to common/rpc.
#pragma once

#include <stddef.h>

// $XDG_STATE_HOME/<program>, else ~/.local/state/<program>. The caller frees it. (XDG Base Directory Specification)
char *daemon_default_dir(const char *program);
// "<dir>/<name>"; the caller frees it.
char *daemon_path(const char *dir, const char *name);
// A new private folder in memory (a tmpfs where there is one); NULL with errno. Those that killed processes of the
// program left there are removed first. The caller frees the path.
char *daemon_memory_dir(const char *program);
// Removes a folder and all in it.
void daemon_remove_dir(const char *dir);
// Makes the folder and takes its lock for as long as the descriptor is open; -1 with a reason.
int daemon_lock_dir(const char *dir, char *why, size_t why_size);
