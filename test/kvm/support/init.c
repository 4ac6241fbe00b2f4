/*
 * init.c: the first program of the machine that has KVM. It runs one QEMU at a time, as it is told
 * over a virtio port, and says how KVM fared.
 *
 * Lines to it:   arg TEXT   one more argument of QEMU
 *                go         starts it
 *                stat       asks for KVM's counts since the start
 * Lines from it: up         ready for arguments
 *                started    QEMU, which was not running
 *                stat NAME COUNT ...
 *                err TEXT   what QEMU says on its standard error
 *                exit CODE  the end of QEMU; 128 and more: by a signal
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"
#define ARGS_MAX 200
#define LOOK_MS 20

static const char* const counts[] = {"exits", "io_exits", "mmio_exits", "halt_exits",
                                     "halt_wakeup", "irq_injections"};
static int port;
static char* args[ARGS_MAX + 1] = {"/qemu"};
static int arg_count = 1;
static pid_t child;
static int child_errors = -1;

static void say(const char* format, ...) {
  char line[2048];
  va_list list;
  va_start(list, format);
  int length = vsnprintf(line, sizeof(line) - 1, format, list);
  va_end(list);
  if (length > (int)sizeof(line) - 2) length = sizeof(line) - 2;
  line[length++] = '\n';
  for (int at = 0; at < length;) {
    ssize_t written = write(port, line + at, length - at);
    if (written > 0) at += written;
    else usleep(1000);
  }
}

static void start(void) {
  int errors[2];
  if (pipe(errors)) return;
  child = fork();
  if (child == 0) {
    dup2(errors[1], 1);
    dup2(errors[1], 2);
    close(errors[0]);
    close(port);
    execv("/qemu", args);
    _exit(127);
  }
  close(errors[1]);
  child_errors = errors[0];
  fcntl(child_errors, F_SETFL, O_NONBLOCK);
  for (int at = 1; at < arg_count; at++) free(args[at]);
  args[1] = NULL;
  arg_count = 1;
}

static void tell_counts(void) {
  char text[1024] = "stat";
  for (size_t at = 0; at < sizeof(counts) / sizeof(*counts); at++) {
    char path[64], number[32] = "0";
    snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s", counts[at]);
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? 0 : read(file, number, sizeof(number) - 1);
    if (file >= 0) close(file);
    number[length > 0 ? length : 1] = 0;
    number[strcspn(number, "\n")] = 0;
    snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s %s", counts[at], number);
  }
  say("%s", text);
}

static void obey(char* line) {
  if (strncmp(line, "arg ", 4) == 0 && arg_count < ARGS_MAX) {
    args[arg_count++] = strdup(line + 4);
    args[arg_count] = NULL;
  } else if (strcmp(line, "go") == 0 && !child) start(), say("started");
  else if (strcmp(line, "stat") == 0) tell_counts();
}

static void read_lines(void) {
  static char line[8192];
  static size_t length;
  char byte;
  while (read(port, &byte, 1) == 1) {
    if (byte != '\n') {
      if (length < sizeof(line) - 1) line[length++] = byte;
      continue;
    }
    line[length] = 0;
    length = 0;
    obey(line);
  }
}

static void pass_errors(void) {
  char text[1024];
  ssize_t length;
  while (child_errors >= 0 && (length = read(child_errors, text, sizeof(text) - 1)) > 0) {
    text[length] = 0;
    for (char* line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) say("err %s", line);
  }
}

static void see_end(void) {
  int status;
  if (!child || waitpid(child, &status, WNOHANG) != child) return;
  pass_errors();
  close(child_errors);
  child_errors = -1;
  child = 0;
  say("exit %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void load_modules(void) {
  FILE* order = fopen("/modules/order", "r");
  char path[256];
  while (order && fgets(path, sizeof(path), order)) {
    path[strcspn(path, "\n")] = 0;
    int file = open(path, O_RDONLY);
    if (file < 0 || syscall(SYS_finit_module, file, "", 0)) {
      printf("init: %s: %s\n", path, strerror(errno));
    }
    if (file >= 0) close(file);
  }
}

int main(void) {
  mount("proc", "/proc", "proc", 0, NULL);
  mount("sys", "/sys", "sysfs", 0, NULL);
  mount("dev", "/dev", "devtmpfs", 0, NULL);
  mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
  int console = open("/dev/console", O_RDWR);
  for (int file = 0; file < 3; file++) dup2(console, file);
  load_modules();
  if (access("/dev/kvm", R_OK)) printf("init: no /dev/kvm\n");
  while ((port = open(PORT, O_RDWR | O_NONBLOCK)) < 0) usleep(10000);
  say("up");
  for (;;) {
    struct pollfd waiting[] = {{port, POLLIN, 0}, {child_errors, POLLIN, 0}};
    poll(waiting, child_errors < 0 ? 1 : 2, LOOK_MS);
    read_lines();
    pass_errors();
    see_end();
  }
}
