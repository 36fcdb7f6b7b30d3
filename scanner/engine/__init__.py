"""Where the examination of files runs: in guarded child processes, or in the caller's own thread."""
