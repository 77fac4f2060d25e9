// SPDX-License-Identifier: Apache-2.0
// What HAProxy answers on its runtime interface, said by a thread that takes its place: servers,
// maps, information and sessions are read, or refused with an error.
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>

#include "common/base/check.h"
#include "netfw/haproxy/cli.h"
#include "tests/support/temp_folder.h"

namespace {

class Haproxy {
 public:
  Haproxy() {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    const std::string path = socket();
    memcpy(address.sun_path, path.data(), path.size());
    listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    CHECK_THAT(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    CHECK_THAT(listen(listener_.get(), 8) == 0);
    std::thread([this] { serve(); }).detach();
  }
  std::string socket() const { return (folder_ / "cli.sock").string(); }
  void answer_with(std::string reply) {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
  }

 private:
  void serve() {
    for (;;) {
      const sys::Fd client(accept(listener_.get(), nullptr, nullptr));
      if (client.is_open()) talk(client.get());
    }
  }
  // The first two lines set the session up; any other has the reply, and then the session ends, so
  // that a reply without a prompt is noticed at once.
  void talk(int fd) {
    char buffer[4096];
    for (int line = 0; recv(fd, buffer, sizeof buffer, 0) > 0; ++line) {
      std::string out = "\n> ";
      if (line >= 2) {
        const std::lock_guard lock(mutex_);
        out = reply_;
      }
      if (send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0 || line >= 2) return;
    }
  }

  TempFolder folder_;
  sys::Fd listener_;
  std::mutex mutex_;
  std::string reply_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto& haproxy = *new Haproxy;
  haproxy.answer_with({reinterpret_cast<const char*>(data), size});
  static const auto kPool = *netfw::PoolName::parse("http_roundrobin_1");
  const auto with_session = [](auto&& read) {
    auto session = netfw::CliSession::open(haproxy.socket());
    CHECK_THAT(session.has_value());
    static_cast<void>(read(*session));
  };
  with_session([](auto& session) { return netfw::read_servers(session); });
  with_session([](auto& session) { return netfw::read_map(session, "/routes.map"); });
  with_session([](auto& session) { return netfw::read_info(session); });
  with_session([](auto& session) { return netfw::read_sessions(session, kPool); });
  return 0;
}
