// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/hand_over.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace oci_start {

namespace {

constexpr int kBarrierMs = 10'000;

bool refuse(const char* what, const char* detail) {
  dprintf(STDERR_FILENO, "gestalt-oci-start: %s %s: %s\n", what, detail, strerror(errno));
  return false;
}

int connect_manager() {
  const char* path = getenv("NOTIFY_SOCKET");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path == nullptr || strlen(path) >= sizeof address.sun_path) {
    errno = EDESTADDRREQ;
    return -1;
  }
  strcpy(address.sun_path, path);
  // An abstract name begins with a zero byte and has no end.
  if (path[0] == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + strlen(path));
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), length) == 0) return fd;
  close(fd);
  return -1;
}

// Returns when systemd has closed the descriptor, that is has read all that was sent before.
bool wait_until_read(int manager) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  char text[] = "BARRIER=1";
  iovec piece = {text, sizeof text - 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &ends[1], sizeof(int));
  const bool sent = sendmsg(manager, &message, MSG_NOSIGNAL) >= 0;
  close(ends[1]);
  pollfd closed = {ends[0], 0, 0};
  const bool read = sent && poll(&closed, 1, kBarrierMs) == 1;
  close(ends[0]);
  if (sent && !read) errno = ETIMEDOUT;
  return read;
}

bool tell_manager(long pid) {
  const int manager = connect_manager();
  if (manager < 0) return refuse("connect to", "systemd");
  char text[64];
  const int length = snprintf(text, sizeof text, "MAINPID=%ld\nREADY=1", pid);
  const bool sent = send(manager, text, static_cast<size_t>(length), MSG_NOSIGNAL) == length;
  const bool told = sent && wait_until_read(manager);
  close(manager);
  return told || refuse("tell", "systemd");
}

}  // namespace

bool hand_over(const char* pid_file, const char* fifo) {
  FILE* file = fopen(pid_file, "re");
  if (file == nullptr) return refuse("open", pid_file);
  long pid = 0;
  const bool known = fscanf(file, "%ld", &pid) == 1 && pid > 1;
  fclose(file);
  if (!known) {
    errno = EINVAL;
    return refuse("read", pid_file);
  }
  if (!tell_manager(pid)) return false;
  // This waits for the container's first process. Should it be dead, then systemd, which knows it
  // by now, ends the unit and this with it.
  const int fd = open(fifo, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return refuse("open", fifo);
  unlink(fifo);
  const bool released = write(fd, "\0", 1) == 1;
  close(fd);
  return released || refuse("write", fifo);
}

}  // namespace oci_start
