"""Work that must not run in the server process: pool, runner, worker."""
