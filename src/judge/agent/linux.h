/* What the agent needs of Linux: the numbers of its calls, and how to call it. */
#ifndef LINUX_H
#define LINUX_H

enum {
  O_RDONLY = 0,
  O_WRONLY = 1,
  O_RDWR = 2,
  O_NOCTTY = 0400,
  O_NONBLOCK = 04000,
  O_DIRECT = 040000,
  O_DIRECTORY = 0200000,
  MAP_SHARED = 1,
  MAP_PRIVATE = 2,
  MAP_ANONYMOUS = 32,
  PROT_READ_WRITE = 3,
  F_SETPIPE_SZ = 1031,
  TCGETS = 0x5401,
  TCSETS = 0x5402
};

#ifdef __x86_64__
enum {
  SYS_read = 0,
  SYS_write = 1,
  SYS_open = 2,
  SYS_close = 3,
  SYS_mmap = 9,
  SYS_ioctl = 16,
  SYS_pipe = 22,
  SYS_fork = 57,
  SYS_exit = 60,
  SYS_wait4 = 61,
  SYS_fcntl = 72,
  SYS_mount = 165,
  SYS_delete_module = 176,
  SYS_getdents64 = 217,
  SYS_pipe2 = 293,
  SYS_finit_module = 313
};

static long call6(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* The stack is aligned as a function expects it. */
__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  and $-16, %rsp\n  call run\n  hlt\n");
#else
enum {
  SYS_exit = 1,
  SYS_fork = 2,
  SYS_read = 3,
  SYS_write = 4,
  SYS_open = 5,
  SYS_close = 6,
  SYS_mount = 21,
  SYS_pipe = 42,
  SYS_ioctl = 54,
  SYS_fcntl = 55,
  SYS_wait4 = 114,
  SYS_delete_module = 129,
  SYS_mmap = 192, /* mmap2: the offset, always 0 here, is in pages */
  SYS_getdents64 = 220,
  SYS_pipe2 = 331,
  SYS_finit_module = 350
};

/* The sixth argument is in ebp, which the compiler does not give away: it is swapped in. */
static long call6(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  __asm__ volatile("push %7\n  push %%ebp\n  mov 4(%%esp), %%ebp\n  int $0x80\n"
                   "  pop %%ebp\n  add $4, %%esp"
                   : "=a"(result)
                   : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "m"(f)
                   : "memory");
  return result;
}

__asm__(".globl _start\n_start:\n  xor %ebp, %ebp\n  and $-16, %esp\n  call run\n  hlt\n");
#endif

static long call5(long number, long a, long b, long c, long d, long e) {
  return call6(number, a, b, c, d, e, 0);
}
static long call4(long number, long a, long b, long c, long d) {
  return call6(number, a, b, c, d, 0, 0);
}
static long call3(long number, long a, long b, long c) {
  return call6(number, a, b, c, 0, 0, 0);
}
static long call1(long number, long a) {
  return call6(number, a, 0, 0, 0, 0, 0);
}

static int is_error(long result) {
  return result < 0 && result > -4096;
}

static long map_memory(unsigned long bytes, long flags) {
  return call6(SYS_mmap, 0, (long)bytes, PROT_READ_WRITE, flags, -1, 0);
}

/* A serial port that changes no byte and echoes none. */
static void make_raw(long port) {
  struct {
    unsigned int input, output, control, local;
    unsigned char discipline, characters[19];
  } modes;
  if (call3(SYS_ioctl, port, TCGETS, (long)&modes) < 0) return;
  modes.input = 0;
  modes.output = 0;
  modes.local = 0;
  modes.characters[6] = 1; /* VMIN: a read waits for a byte */
  modes.characters[5] = 0; /* VTIME */
  call3(SYS_ioctl, port, TCSETS, (long)&modes);
}

/* Compilers make calls of these by themselves. */
void *memcpy(void *to, const void *from, unsigned long bytes) {
  for (unsigned long at = 0; at < bytes; at += 1) ((char *)to)[at] = ((const char *)from)[at];
  return to;
}

void *memset(void *to, int value, unsigned long bytes) {
  for (unsigned long at = 0; at < bytes; at += 1) ((char *)to)[at] = (char)value;
  return to;
}
#endif
