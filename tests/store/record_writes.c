/* Preloaded into a process: writes down what it writes to the files of one folder, and when it
   asks for them to be on the disk. RECORD_FOLDER: the folder; RECORD_FILE: where to.
   A record: one letter, length of the name, offset, length of the data (8 bytes each), name, data.
   W write, T truncate to the offset, S everything so far is on the disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int out = -1;

static int name_of(int fd, char *name, size_t size) {
    const char *folder = getenv("RECORD_FOLDER");
    char link[64];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, size - 1);
    if (n <= 0) return 0;
    name[n] = 0;
    return strncmp(name, folder, strlen(folder)) == 0;
}

static void all(const void *data, size_t n) {
    while (n) {
        ssize_t done = syscall(SYS_write, out, data, n);
        if (done <= 0) abort();
        data = (const char *)data + done;
        n -= done;
    }
}

static void record(char kind, const char *name, uint64_t at, const void *data, uint64_t n) {
    uint64_t head[3] = {strlen(name), at, n};
    if (out < 0) out = open(getenv("RECORD_FILE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    all(&kind, 1);
    all(head, sizeof head);
    all(name, head[0]);
    all(data, n);
}

#define BEGIN(fd)                                   \
    char name[4096];                                \
    int ours = name_of(fd, name, sizeof name);      \
    if (ours) pthread_mutex_lock(&lock)
#define END                                         \
    if (ours) pthread_mutex_unlock(&lock)

ssize_t pwrite64(int fd, const void *data, size_t n, off_t at) {
    BEGIN(fd);
    ssize_t done = syscall(SYS_pwrite64, fd, data, n, at);
    if (ours && done > 0) record('W', name, at, data, done);
    END;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { return pwrite64(fd, data, n, at); }

ssize_t write(int fd, const void *data, size_t n) {
    BEGIN(fd);
    ssize_t done = syscall(SYS_write, fd, data, n);
    if (ours && done > 0)
        record('W', name, (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) - done, data, done);
    END;
    return done;
}

int ftruncate64(int fd, off_t size) {
    BEGIN(fd);
    int failed = syscall(SYS_ftruncate, fd, size);
    if (ours && !failed) record('T', name, size, "", 0);
    END;
    return failed;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int fd, long call) {
    char name[4096];
    int ours = name_of(fd, name, sizeof name);
    int failed = syscall(call, fd);
    /* Only what was written before the call is promised; noted after it has come back. */
    if (ours && !failed) {
        pthread_mutex_lock(&lock);
        record('S', name, 0, "", 0);
        pthread_mutex_unlock(&lock);
    }
    return failed;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
