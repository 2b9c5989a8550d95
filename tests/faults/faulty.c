/* A disk and a clock that fail on demand, for the processes of a test: loaded before the C library
 * (LD_PRELOAD). What is to fail stands in a file of one page that all of them map (tests/faults/shim.py);
 * only files below FAULTY_ROOT are touched, and not the server's log.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int32_t write_errno; /* of writing into files; 0: all is well */
  volatile int32_t sync_errno;  /* of bringing them onto the disk */
  volatile int32_t change_errno; /* of opening for writing, renaming, removing */
  volatile int32_t reserved;
  volatile int64_t clock_ns; /* added to the time of day */
  volatile int64_t hits;     /* how often something failed */
};

static struct control none;
static struct control *control = &none;
static const char *root;
static size_t root_length;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTY_CONTROL");
  root = getenv("FAULTY_ROOT");
  if (!path || !root) return;
  root_length = strlen(root);
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  void *found = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (found != MAP_FAILED) control = found;
}

static int ours(const char *path) {
  if (!root || strncmp(path, root, root_length)) return 0;
  size_t length = strlen(path);
  return length < 4 || strcmp(path + length - 4, ".log");
}

static int ours_fd(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return ours(path);
}

static int fails(int error) {
  __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
  errno = error;
  return -1;
}

#define REAL(type, name, ...)                  \
  static type (*real)(__VA_ARGS__);            \
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, name)

#define ON_WRITE(fd) \
  if (control->write_errno && ours_fd(fd)) return fails(control->write_errno)
#define ON_SYNC(fd) \
  if (control->sync_errno && ours_fd(fd)) return fails(control->sync_errno)
#define ON_CHANGE(path) \
  if (control->change_errno && ours(path)) return fails(control->change_errno)

ssize_t write(int fd, const void *data, size_t n) {
  REAL(ssize_t, "write", int, const void *, size_t);
  ON_WRITE(fd);
  return real(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  ON_WRITE(fd);
  return real(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  ON_WRITE(fd);
  return real(fd, data, n, at);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  ON_WRITE(fd);
  return real(fd, parts, n);
}

int ftruncate(int fd, off_t n) {
  REAL(int, "ftruncate", int, off_t);
  ON_WRITE(fd);
  return real(fd, n);
}

int ftruncate64(int fd, off64_t n) {
  REAL(int, "ftruncate64", int, off64_t);
  ON_WRITE(fd);
  return real(fd, n);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  ON_SYNC(fd);
  return real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  ON_SYNC(fd);
  return real(fd);
}

int syncfs(int fd) {
  REAL(int, "syncfs", int);
  ON_SYNC(fd);
  return real(fd);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  ON_CHANGE(to);
  return real(from, to);
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  ON_CHANGE(path);
  return real(path);
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  ON_CHANGE(path);
  return real(path, mode);
}

#define WRITING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND)
#define OPENS(name)                                    \
  int name(const char *path, int flags, ...) {         \
    REAL(int, #name, const char *, int, mode_t);       \
    va_list rest;                                      \
    va_start(rest, flags);                             \
    mode_t mode = va_arg(rest, mode_t);                \
    va_end(rest);                                      \
    if (flags & WRITING) ON_CHANGE(path);              \
    return real(path, flags, mode);                    \
  }
#define OPENS_AT(name)                                      \
  int name(int folder, const char *path, int flags, ...) {  \
    REAL(int, #name, int, const char *, int, mode_t);       \
    va_list rest;                                           \
    va_start(rest, flags);                                  \
    mode_t mode = va_arg(rest, mode_t);                     \
    va_end(rest);                                           \
    if (flags & WRITING) ON_CHANGE(path);                   \
    return real(folder, path, flags, mode);                 \
  }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  int done = real(clock, now);
  if (!done && clock == CLOCK_REALTIME && control->clock_ns) {
    int64_t ns = now->tv_sec * 1000000000LL + now->tv_nsec + control->clock_ns;
    now->tv_sec = ns / 1000000000LL;
    now->tv_nsec = ns % 1000000000LL;
  }
  return done;
}

int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *where) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (where) *where = exact.tv_sec;
  return exact.tv_sec;
}
