/**
 * Programs that do not outlive us, even if we are killed with SIGKILL. /bin/sh starts first: it
 * leaves a watcher behind and then becomes the program itself by exec, which keeps pid and exit
 * status.
 *
 *   we --- fd 3 (a socket pair) --- watcher: reads a line. A line: all is well, end.
 *                                            End of file: we are gone, kill the program.
 *
 * The kernel closes our end of fd 3 however we end. There is no pid file, so there is nothing to
 * clean up either.
 */

/** The descriptor between us and the watcher. Write a line to it once the program has ended. */
export const WATCH_FD = 3;

/** For `/bin/sh -c`, followed by `sh`, the program and its arguments. */
export const WATCHED_EXEC = [
  "( read -r line <&3 || kill -KILL $$ ) </dev/null >/dev/null 2>&1 4>&- 5>&- 6>&- &",
  'exec "$@" 3>&-',
].join("\n");
