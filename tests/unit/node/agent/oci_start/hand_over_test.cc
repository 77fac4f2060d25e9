// SPDX-License-Identifier: Apache-2.0
#include "node/agent/oci_start/hand_over.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <future>
#include <string>

#include "common/sys/handle.h"
#include "tests/support/check_result.h"
#include "tests/support/temp_folder.h"

// The test is systemd: it reads the socket that the helper writes to.
TEST_GROUP(HandOver) {
  TempFolder folder;
  const std::string socket_path = folder / "notify";
  const std::string pid_file = folder / "pid";
  const std::string fifo = folder / "exec.fifo";
  sys::Fd manager{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};

  void setup() override {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
    LONGS_EQUAL(0, bind(manager.get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
    setenv("NOTIFY_SOCKET", socket_path.c_str(), 1);
    std::ofstream(pid_file) << "4711";
    LONGS_EQUAL(0, mkfifo(fifo.c_str(), 0600));
  }
  void teardown() override { unsetenv("NOTIFY_SOCKET"); }

  // A message, and the descriptor that came with it.
  std::string receive(sys::Fd & descriptor) {
    pollfd readable = {manager.get(), POLLIN, 0};
    LONGS_EQUAL(1, poll(&readable, 1, 5000));
    char text[256];
    iovec piece = {text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t length = recvmsg(manager.get(), &message, MSG_CMSG_CLOEXEC);
    CHECK(length > 0);
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(header), sizeof number);
      descriptor = sys::Fd(number);
    }
    return {text, static_cast<std::size_t>(length)};
  }
  bool has_data(int fd, int patience_ms) {
    pollfd readable = {fd, POLLIN, 0};
    return poll(&readable, 1, patience_ms) == 1 && (readable.revents & POLLIN) != 0;
  }
};

TEST(HandOver, the_container_is_let_go_only_when_systemd_has_read_its_process) {
  const sys::Fd container(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto done = std::async(std::launch::async,
                         [&] { return oci_start::hand_over(pid_file.c_str(), fifo.c_str()); });
  sys::Fd none;
  STRCMP_EQUAL("MAINPID=4711\nREADY=1", receive(none).c_str());
  CHECK_FALSE(none.is_open());
  sys::Fd barrier;
  STRCMP_EQUAL("BARRIER=1", receive(barrier).c_str());
  CHECK(barrier.is_open());
  CHECK_FALSE(has_data(container.get(), 50));
  barrier = sys::Fd();
  CHECK(has_data(container.get(), 5000));
  CHECK(done.get());
  // As `crun start` leaves it: the FIFO's absence says that the container runs.
  LONGS_EQUAL(-1, access(fifo.c_str(), F_OK));
}

TEST(HandOver, without_systemd_nothing_is_let_go) {
  unsetenv("NOTIFY_SOCKET");
  CHECK_FALSE(oci_start::hand_over(pid_file.c_str(), fifo.c_str()));
  setenv("NOTIFY_SOCKET", (folder / "absent").c_str(), 1);
  CHECK_FALSE(oci_start::hand_over(pid_file.c_str(), fifo.c_str()));
  setenv("NOTIFY_SOCKET", std::string(200, 'x').c_str(), 1);
  CHECK_FALSE(oci_start::hand_over(pid_file.c_str(), fifo.c_str()));
  LONGS_EQUAL(0, access(fifo.c_str(), F_OK));
}

TEST(HandOver, a_pid_file_that_names_no_process_is_refused) {
  for (const char* text : {"", "x", "0", "1", "-5"}) {
    std::ofstream(pid_file) << text;
    CHECK_FALSE(oci_start::hand_over(pid_file.c_str(), fifo.c_str()));
  }
  CHECK_FALSE(oci_start::hand_over((folder / "absent").c_str(), fifo.c_str()));
}
