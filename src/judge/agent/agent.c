/*
 * The first and only program of a judged Linux: loads the modules that lie in /modules, says so on
 * the console, and then does what it is told over the second serial port.
 *
 * A request is a line of JSON-RPC, as the host's control channel writes it; a reply is one, too:
 *
 *   {"jsonrpc":"2.0","id":1,"method":"write","params":["/sys/power/state","mem"]}
 *   {"jsonrpc":"2.0","id":1,"result":0}
 *
 *   read PATH        the file's first 3 KiB        list PATH   names in a folder, a blank between
 *   write PATH TEXT  0                             load NAME   loads /modules/NAME.ko; 0
 *   use PAGES        how many pages it got         unload NAME 0
 *   part PAGES       the same; a few bytes of each are written, and Linux leaves the others alone
 *   drop             how many of both had changed
 *
 * What Linux refuses is an error with its number, negative. Memory is used by a child, because
 * Linux may kill it when memory is short.
 * There is no C library here: the program is its own start, and calls Linux by itself.
 */
#include "linux.h"

enum {
  LINE_MAX = 4096,
  TEXT_MAX = 3072,
  PAGE = 4096,
  CHUNK_PAGES = 256, /* used at once, so that Linux counts them as soon as they are used */
  CHUNKS_MAX = 4096
};

static const char PORT[] = "/dev/ttyS1";
static const char MODULES[] = "/modules/";

static char line[LINE_MAX], text[TEXT_MAX], out[3 * LINE_MAX];

/* What the child tells of itself, in a page that both have. */
static volatile struct {
  long used, changed;
} *shared;
static long child;
static int to_child[2], from_child[2];

static unsigned long length(const char *of) {
  unsigned long count = 0;
  while (of[count] != 0) count += 1;
  return count;
}

static char *append(char *to, const char *from) {
  while (*from != 0) *to++ = *from++;
  *to = 0;
  return to;
}

static char *append_number(char *to, long number) {
  char digits[24];
  int count = 0;
  unsigned long left = number < 0 ? -(unsigned long)number : (unsigned long)number;
  if (number < 0) *to++ = '-';
  do digits[count++] = (char)('0' + left % 10);
  while ((left /= 10) > 0);
  while (count > 0) *to++ = digits[--count];
  *to = 0;
  return to;
}

static int starts(const char *it, const char *with) {
  while (*with != 0)
    if (*it++ != *with++) return 0;
  return 1;
}

static void say(const char *what) {
  long console = call3(SYS_open, (long)"/dev/console", O_RDWR, 0);
  if (console < 0) return;
  call3(SYS_write, console, (long)what, (long)length(what));
  call1(SYS_close, console);
}

/* Reads a file from its start. Returns the bytes read, or Linux's error. */
static long read_file(const char *path, char *to, unsigned long most) {
  long file = call3(SYS_open, (long)path, O_RDONLY, 0), bytes = 0, got;
  if (file < 0) return file;
  while ((got = call3(SYS_read, file, (long)(to + bytes), (long)most - bytes)) > 0) bytes += got;
  call1(SYS_close, file);
  return got < 0 ? got : bytes;
}

static long write_file(const char *path, const char *from) {
  long file = call3(SYS_open, (long)path, O_WRONLY, 0);
  if (file < 0) return file;
  long done = call3(SYS_write, file, (long)from, (long)length(from));
  call1(SYS_close, file);
  return done < 0 ? done : 0;
}

/* The names in a folder, without those that begin with a dot. */
static long list_folder(const char *path, char *to, unsigned long most) {
  static char entries[4096];
  char *end = to + most - 256;
  long folder = call3(SYS_open, (long)path, O_RDONLY | O_DIRECTORY, 0), got;
  if (folder < 0) return folder;
  char *at = to;
  while ((got = call3(SYS_getdents64, folder, (long)entries, sizeof entries)) > 0) {
    for (long place = 0; place < got && at < end;) {
      unsigned short size = *(unsigned short *)(entries + place + 16);
      const char *name = entries + place + 19;
      if (name[0] != '.' && length(name) < 250) at = append(append(at, name), " ");
      place += size;
    }
  }
  call1(SYS_close, folder);
  return got < 0 ? got : at - to;
}

static long load_module(const char *name) {
  char path[256];
  if (length(name) > 200) return -36;
  append(append(append(path, MODULES), name), ".ko");
  long file = call3(SYS_open, (long)path, O_RDONLY, 0);
  if (file < 0) return file;
  long result = call3(SYS_finit_module, file, (long)"", 0);
  call1(SYS_close, file);
  return result;
}

/* --- memory, used by a child ------------------------------------------------------------------ */

static unsigned long pattern(unsigned long chunk, unsigned long page) {
  return (chunk * CHUNK_PAGES + page + 1) * 0x9e3779b1ul;
}

static char *chunks[CHUNKS_MAX];
/* The end to read of each pipe that is filled. */
static int pipes[CHUNKS_MAX];
static unsigned long pipe_count;

/* An order to the child: pages to use, and whether a part of each is enough. */
struct order {
  long pages, part;
};

static void child_use(long pages) {
  static unsigned long count;
  for (long left = pages; left > 0 && count < CHUNKS_MAX; left -= CHUNK_PAGES) {
    long place = map_memory(CHUNK_PAGES * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (is_error(place)) return;
    chunks[count] = (char *)place;
    for (unsigned long page = 0; page < CHUNK_PAGES; page += 1) {
      *(unsigned long *)(chunks[count] + page * PAGE) = pattern(count, page);
    }
    count += 1;
    shared->used += CHUNK_PAGES;
  }
}

/*
 * Linux clears all memory that a program can read, before it does; what it takes for itself it may
 * leave as it is. Each write to a pipe of packets fills the start of a page of its own.
 */
static void child_part(long pages) {
  for (long left = pages; left > 0 && pipe_count < CHUNKS_MAX; left -= CHUNK_PAGES) {
    int ends[2];
    if (call3(SYS_pipe2, (long)ends, O_DIRECT | O_NONBLOCK, 0) < 0) return;
    call3(SYS_fcntl, ends[1], F_SETPIPE_SZ, CHUNK_PAGES * PAGE);
    pipes[pipe_count] = ends[0];
    for (unsigned long page = 0; page < CHUNK_PAGES; page += 1) {
      unsigned long it = pattern(pipe_count, page);
      if (call3(SYS_write, ends[1], (long)&it, sizeof it) == sizeof it) shared->used += 1;
    }
    pipe_count += 1;
  }
}

static void child_verify(void) {
  for (unsigned long chunk = 0; chunk < CHUNKS_MAX && chunks[chunk] != 0; chunk += 1) {
    for (unsigned long page = 0; page < CHUNK_PAGES; page += 1) {
      unsigned long is = *(unsigned long *)(chunks[chunk] + page * PAGE);
      if (is != pattern(chunk, page)) shared->changed += 1;
    }
  }
  for (unsigned long pipe = 0; pipe < pipe_count; pipe += 1) {
    unsigned long is;
    for (unsigned long page = 0; page < CHUNK_PAGES; page += 1) {
      if (call3(SYS_read, pipes[pipe], (long)&is, sizeof is) <= 0) break;
      if (is != pattern(pipe, page)) shared->changed += 1;
    }
  }
}

static void child_main(void) {
  struct order order;
  call1(SYS_close, to_child[1]);
  write_file("/proc/self/oom_score_adj", "1000");
  while (call3(SYS_read, to_child[0], (long)&order, sizeof order) == sizeof order) {
    (order.part ? child_part : child_use)(order.pages);
    call3(SYS_write, from_child[1], (long)&order, sizeof order);
  }
  child_verify();
  call1(SYS_exit, 0);
}

static void start_child(void) {
  shared->used = 0;
  shared->changed = 0;
  call1(SYS_pipe, (long)to_child);
  call1(SYS_pipe, (long)from_child);
  child = call1(SYS_fork, 0);
  if (child == 0) child_main();
  call1(SYS_close, to_child[0]);
  call1(SYS_close, from_child[1]);
}

static void end_child(void) {
  long status;
  if (child <= 0) return;
  call1(SYS_close, to_child[1]);
  call4(SYS_wait4, child, (long)&status, 0, 0);
  call1(SYS_close, from_child[0]);
  child = 0;
}

/* Returns how many pages were used by this call. A child that Linux killed holds none any more. */
static long use_pages(long pages, int part) {
  struct order order = {pages, part};
  if (pages < 0) return -22;
  if (child <= 0) start_child();
  long before = shared->used;
  call3(SYS_write, to_child[1], (long)&order, sizeof order);
  long got = call3(SYS_read, from_child[0], (long)&order, sizeof order);
  long used = shared->used - before;
  if (got != sizeof order) end_child();
  return used < pages ? used : pages;
}

static long drop_pages(void) {
  end_child();
  return shared->changed;
}

/* --- the channel ------------------------------------------------------------------------------ */

static long port;

/* A number of the line after `"key":`, or -1. */
static long number_of(const char *key) {
  for (const char *at = line; *at != 0; at += 1) {
    if (!starts(at, key)) continue;
    long number = 0;
    at += length(key);
    if (*at < '0' || *at > '9') return -1;
    while (*at >= '0' && *at <= '9') number = number * 10 + (*at++ - '0');
    return number;
  }
  return -1;
}

/* The string that begins at or after `from`; its end becomes 0. Moves `from` beyond it. */
static char *string_from(char **from) {
  char *begin = *from;
  while (*begin != 0 && *begin != '"') begin += 1;
  if (*begin == 0) return begin;
  begin += 1;
  char *read = begin, *write = begin;
  while (*read != 0 && *read != '"') {
    if (*read == '\\' && read[1] == 'n') {
      *write++ = '\n';
      read += 2;
      continue;
    }
    if (*read == '\\' && read[1] != 0) read += 1;
    *write++ = *read++;
  }
  *from = *read == 0 ? read : read + 1;
  *write = 0;
  return begin;
}

static char *after(char *in, const char *what) {
  for (; *in != 0; in += 1)
    if (starts(in, what)) return in + length(what);
  return in;
}

static void send(void) {
  unsigned long bytes = length(out);
  for (unsigned long done = 0; done < bytes;) {
    long now = call3(SYS_write, port, (long)(out + done), (long)(bytes - done));
    if (now <= 0) return;
    done += (unsigned long)now;
  }
}

static char *reply_head(long id) {
  return append_number(append(out, "{\"jsonrpc\":\"2.0\",\"id\":"), id);
}

static void reply_number(long id, long number) {
  char *at = append_number(append(reply_head(id), ",\"result\":"), number);
  append(at, "}\n");
  send();
}

static void reply_error(long id, long number) {
  char *at = append(append_number(append(reply_head(id), ",\"error\":{\"code\":"), number), ",");
  append(append_number(append(at, "\"message\":\"Linux's error "), number), "\"}}\n");
  send();
}

static void reply_text(long id, long bytes) {
  char *at = append(reply_head(id), ",\"result\":\"");
  for (long place = 0; place < bytes; place += 1) {
    unsigned char it = (unsigned char)text[place];
    if (it == '\n') at = append(at, "\\n");
    else if (it == '"' || it == '\\') *at++ = '\\', *at++ = (char)it;
    else if (it >= ' ' && it < 127) *at++ = (char)it;
    else *at++ = '?';
  }
  append(at, "\"}\n");
  send();
}

static void serve_line(void) {
  long id = number_of("\"id\":"), result;
  char *rest = after(line, "\"params\":[");
  long number = number_of("\"params\":[");
  char *place = after(line, "\"method\":");
  char *method = string_from(&place);
  char *first = string_from(&rest), *second = string_from(&rest);
  if (starts(method, "read") || starts(method, "list")) {
    int is_list = starts(method, "list");
    result = (is_list ? list_folder : read_file)(first, text, sizeof text);
    if (result >= 0) reply_text(id, result);
    else reply_error(id, result);
    return;
  }
  if (starts(method, "write")) result = write_file(first, second);
  else if (starts(method, "load")) result = load_module(first);
  else if (starts(method, "unload")) result = call3(SYS_delete_module, (long)first, O_NONBLOCK, 0);
  else if (starts(method, "use")) result = use_pages(number, 0);
  else if (starts(method, "part")) result = use_pages(number, 1);
  else if (starts(method, "drop")) result = drop_pages();
  else result = -38;
  if (result < 0) reply_error(id, result);
  else reply_number(id, result);
}

static void serve(void) {
  unsigned long filled = 0;
  for (;;) {
    long got = call3(SYS_read, port, (long)(line + filled), 1);
    if (got <= 0) continue;
    if (line[filled] != '\n') {
      if (filled < LINE_MAX - 1) filled += 1;
      continue;
    }
    line[filled] = 0;
    filled = 0;
    serve_line();
  }
}

static void mount_all(void) {
  call5(SYS_mount, (long)"dev", (long)"/dev", (long)"devtmpfs", 0, 0);
  call5(SYS_mount, (long)"proc", (long)"/proc", (long)"proc", 0, 0);
  call5(SYS_mount, (long)"sys", (long)"/sys", (long)"sysfs", 0, 0);
}

/* Loads what /modules/order names, a name on each line. */
static void load_all(void) {
  static char order[TEXT_MAX];
  long bytes = read_file("/modules/order", order, sizeof order - 1);
  if (bytes < 0) return;
  order[bytes] = 0;
  for (char *name = order; *name != 0;) {
    char *end = name;
    while (*end != 0 && *end != '\n') end += 1;
    char *next = *end == 0 ? end : end + 1;
    *end = 0;
    long result = load_module(name);
    if (result < 0) {
      char *at = append(append(append(out, "agent: module "), name), ": Linux's error ");
      append(append_number(at, result), "\n");
      say(out);
    }
    name = next;
  }
}

void run(void) {
  mount_all();
  shared = (void *)map_memory(PAGE, MAP_SHARED | MAP_ANONYMOUS);
  load_all();
  port = call3(SYS_open, (long)PORT, O_RDWR | O_NOCTTY, 0);
  if (port < 0) {
    say("agent: no second serial port\n");
    call1(SYS_exit, 1);
  }
  make_raw(port);
  say("agent: ready\n");
  serve();
}
