/* A disk that is slow: loaded before libc (LD_PRELOAD), it holds up every write and sync below one folder.

   SLOW_DISK_FOLDER: absolute path of the folder.  SLOW_DISK_MS: milliseconds for each call. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void hold(int fd) {
    const char *folder = getenv("SLOW_DISK_FOLDER"), *ms = getenv("SLOW_DISK_MS");
    if (folder == NULL || ms == NULL) return;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0) return;
    long all = atol(ms);
    struct timespec left = {all / 1000, all % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

#define SLOW(type, name, arguments, names)                                    \
    type name arguments {                                                     \
        static type(*real) arguments;                                         \
        if (real == NULL) real = (type(*) arguments)dlsym(RTLD_NEXT, #name);  \
        hold(fd);                                                             \
        return real names;                                                    \
    }

SLOW(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
SLOW(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
SLOW(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
SLOW(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
SLOW(int, fsync, (int fd), (fd))
SLOW(int, fdatasync, (int fd), (fd))
