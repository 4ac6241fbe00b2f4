/*
 * Between a vfio-user client and a server that cannot receive file descriptors: takes the client's
 * connection, keeps the eventfds of DEVICE_SET_IRQS, and passes all messages on as they are.
 *
 *   client <== Unix socket ==> relay --- standard output ---> server
 *                                    <-- standard input ----
 *
 * The server triggers an interrupt by a message with command 0, which the protocol does not use:
 * its id is the number of the vector, its error number the index of the interrupt's kind.
 * The relay ends when either side goes, or breaks the protocol. On standard error it says what it
 * has come to, or by number which error of the system it ends with.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef STANDALONE
#include "standalone.h"
#endif

enum {
  HEADER = 16,
  MESSAGE_MAX = 65536, /* the largest message of either side, as the server has it */
  FDS_MAX = 16,        /* in one message; the server tells the client to send at most 8 */
  KINDS = 5,           /* INTx, MSI, MSI-X, error, request */
  VECTORS = 128,
  TRIGGER = 0,
  SET_IRQS = 8,
  DATA_EVENTFD = 4,
  ACTION_TRIGGER = 32,
  ENDED = 0,
  FAILED = 1
};

struct header {
  uint16_t id, command;
  uint32_t size, flags, error;
};

struct irq_set {
  uint32_t argsz, flags, index, start, count;
};

static int eventfds[KINDS][VECTORS];
static union {
  struct header header;
  char bytes[MESSAGE_MAX];
} message;

static int read_all(int fd, char *to, size_t bytes) {
  while (bytes > 0) {
    ssize_t got = read(fd, to, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return 0;
    to += got;
    bytes -= (size_t)got;
  }
  return 1;
}

static int write_all(int fd, const char *from, size_t bytes) {
  while (bytes > 0) {
    ssize_t done = write(fd, from, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return 0;
    from += done;
    bytes -= (size_t)done;
  }
  return 1;
}

static void say(const char *what) {
  write_all(STDERR_FILENO, what, strlen(what));
}

static int fail(int error) {
  char digits[] = "error 000\n";
  for (int at = 8; error > 0 && at > 5; at -= 1, error /= 10) digits[at] = (char)('0' + error % 10);
  say(digits);
  return FAILED;
}

/* What follows a header, if that has a size that a message can have. */
static int read_rest(int fd) {
  uint32_t size = message.header.size;
  return size >= HEADER && size <= MESSAGE_MAX &&
         read_all(fd, message.bytes + HEADER, size - HEADER);
}

/* Takes what a message says of eventfds; closes those that it does not say how to use. */
static void keep(int *fds, size_t count) {
  struct irq_set set;
  size_t used = 0;
  int is_set = message.header.command == SET_IRQS && message.header.size >= HEADER + sizeof set;
  if (is_set) memcpy(&set, message.bytes + HEADER, sizeof set);
  if (is_set && (set.flags & ACTION_TRIGGER) != 0 && set.index < KINDS) {
    int all = set.start == 0 && set.count == 0; /* none of them is used any more */
    uint32_t end = all ? VECTORS : set.start + set.count;
    int in_range = set.start <= VECTORS && set.count <= VECTORS && end <= VECTORS;
    if (!in_range || (!all && (set.flags & DATA_EVENTFD) == 0)) end = set.start;
    for (uint32_t at = set.start; at < end; at += 1) {
      if (eventfds[set.index][at] >= 0) close(eventfds[set.index][at]);
      eventfds[set.index][at] = used < count && !all ? fds[used++] : -1;
    }
  }
  while (used < count) close(fds[used++]);
}

/* One message of the client to the server. */
static int from_client(int client) {
  int fds[FDS_MAX];
  size_t count = 0;
  char control[CMSG_SPACE(sizeof fds)];
  struct iovec header = {&message, HEADER};
  struct msghdr received = {.msg_iov = &header,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
  ssize_t got = recvmsg(client, &received, MSG_CMSG_CLOEXEC);
  if (got <= 0) return 0;
  struct cmsghdr *rights = CMSG_FIRSTHDR(&received); /* Linux never gives more than one */
  if (rights != NULL && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
    size_t bytes = rights->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(rights), bytes);
    count = bytes / sizeof(int);
  }
  if (!read_all(client, message.bytes + got, HEADER - (size_t)got) || !read_rest(client)) {
    while (count > 0) close(fds[--count]);
    return 0;
  }
  keep(fds, count);
  return write_all(STDOUT_FILENO, message.bytes, message.header.size);
}

/* One message of the server: an interrupt to trigger, or a reply for the client. */
static int from_server(int client) {
  if (!read_all(STDIN_FILENO, message.bytes, HEADER) || !read_rest(STDIN_FILENO)) return 0;
  if (message.header.command == TRIGGER) {
    uint32_t kind = message.header.error, vector = message.header.id;
    uint64_t once = 1;
    if (kind >= KINDS || vector >= VECTORS || eventfds[kind][vector] < 0) return 1;
    return write(eventfds[kind][vector], &once, sizeof once) == sizeof once;
  }
  /* In one piece: QEMU gives up on a header that comes in two. */
  return client >= 0 && write_all(client, message.bytes, message.header.size);
}

static int serve(int listener) {
  int client = -1;
  for (;;) {
    struct pollfd fds[2] = {{client < 0 ? listener : client, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return fail(errno);
    }
    if (fds[1].revents != 0 && !from_server(client)) return ENDED;
    if (fds[0].revents == 0) continue;
    if (client >= 0) {
      if (!from_client(client)) return ENDED;
    } else {
      client = accept(listener, NULL, NULL);
      if (client < 0) return fail(errno);
      close(listener);
      say("connected\n");
    }
  }
}

int main(int count, char **arguments) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t bytes = count == 2 ? strlen(arguments[1]) : sizeof address.sun_path;
  if (bytes >= sizeof address.sun_path) return fail(ENAMETOOLONG);
  memcpy(address.sun_path, arguments[1], bytes);
  memset(eventfds, -1, sizeof eventfds);
  umask(0177); /* the socket is its owner's alone */
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return fail(errno);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) return fail(errno);
  if (listen(listener, 1) < 0) return fail(errno);
  say("listening\n");
  return serve(listener);
}
