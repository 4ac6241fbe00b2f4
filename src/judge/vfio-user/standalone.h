/*
 * What the relay needs of a C library, for a program of x86_64 that has none: it runs on every
 * Linux, whatever is installed there.
 */
#include <sys/syscall.h>

static int last_error;
#undef errno
#define errno last_error

static long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c)
                   : "rcx", "r11", "memory");
  if (result >= 0 || result < -4095) return result;
  last_error = (int)-result;
  return -1;
}

ssize_t read(int fd, void *to, size_t bytes) {
  return call(SYS_read, fd, (long)to, (long)bytes);
}

ssize_t write(int fd, const void *from, size_t bytes) {
  return call(SYS_write, fd, (long)from, (long)bytes);
}

int close(int fd) {
  return (int)call(SYS_close, fd, 0, 0);
}

int poll(struct pollfd *fds, nfds_t count, int ms) {
  return (int)call(SYS_poll, (long)fds, (long)count, ms);
}

int socket(int domain, int type, int protocol) {
  return (int)call(SYS_socket, domain, type, protocol);
}

int bind(int fd, const struct sockaddr *address, socklen_t bytes) {
  return (int)call(SYS_bind, fd, (long)address, bytes);
}

int listen(int fd, int waiting) {
  return (int)call(SYS_listen, fd, waiting, 0);
}

int accept(int fd, struct sockaddr *address, socklen_t *bytes) {
  return (int)call(SYS_accept, fd, (long)address, (long)bytes);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
  return call(SYS_recvmsg, fd, (long)message, flags);
}

mode_t umask(mode_t mode) {
  return (mode_t)call(SYS_umask, mode, 0, 0);
}

size_t strlen(const char *of) {
  size_t count = 0;
  while (of[count] != 0) count += 1;
  return count;
}

/* Compilers make calls of these by themselves. */
void *memcpy(void *to, const void *from, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 1) ((char *)to)[at] = ((const char *)from)[at];
  return to;
}

void *memset(void *to, int value, size_t bytes) {
  for (size_t at = 0; at < bytes; at += 1) ((char *)to)[at] = (char)value;
  return to;
}

/* Linux puts the number of arguments on the stack, and their addresses behind it. */
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  mov (%rsp), %edi\n  lea 8(%rsp), %rsi\n"
        "  and $-16, %rsp\n  call main\n  mov %eax, %edi\n  mov $60, %eax\n  syscall\n");
