// SPDX-License-Identifier: Apache-2.0
// TCP on the loopback address against the contract.
#include "common/sys/tcp_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/sys/handle.h"
#include "common/sys/loop_timers.h"
#include "tests/contract/net_suite.h"

namespace {

class TcpEngine : public contract::NetEngine {
 public:
  base::Net& server() override { return *net_; }
  base::Net& client() override { return *net_; }
  std::string server_address() override { return "127.0.0.1"; }

  bool run_until(const std::function<bool()>& done) override {
    bool in_time = true;
    const base::TimerHandle deadline = timers_.after(std::chrono::seconds(5), [&] {
      in_time = false;
      loop_->stop();
    });
    // The loop has no turns to count: look after each millisecond of events.
    const sys::WatchHandle look = loop_->every(std::chrono::milliseconds(1), [&] {
      if (done()) loop_->stop();
    });
    CHECK_OK(loop_->run());
    return in_time;
  }

 private:
  std::unique_ptr<sys::EventLoop> loop_ = *sys::EventLoop::make();
  sys::LoopTimers timers_{*loop_};
  std::unique_ptr<base::Net> net_ = sys::make_tcp_net(*loop_);
};

// A peer that speaks TCP but not our frames.
sys::Fd raw_connect(const base::Endpoint& endpoint) {
  sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_THAT(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

TEST_GROUP(TcpNet) { TcpEngine engine; };

NET_CONTRACT_TESTS(TcpNet, CONTRACT_TEST)

TEST(TcpNet, a_peer_that_announces_too_much_is_cut_off) {
  std::unique_ptr<base::Link> kept;
  std::optional<base::Error> closed;
  const auto listener =
      UNWRAP(engine.server().listen({"127.0.0.1", 0}, [&](std::unique_ptr<base::Link> link) {
        kept = std::move(link);
        return base::LinkEvents{{}, {}, [&](const base::Error& error) { closed = error; }};
      }));
  const sys::Fd peer = raw_connect(listener->endpoint());
  LONGS_EQUAL(4, ::send(peer.get(), "\xff\xff\xff\xff", 4, 0));
  CHECK_TRUE(engine.run_until([&] { return closed.has_value(); }));
  STRCMP_EQUAL("frame_too_large", std::string(closed->reason).c_str());
}

TEST(TcpNet, frames_that_trickle_in_byte_by_byte_are_put_together) {
  std::unique_ptr<base::Link> kept;
  std::vector<std::string> frames;
  const auto listener = UNWRAP(engine.server().listen({"127.0.0.1", 0}, [&](std::unique_ptr<
                                                                            base::Link>
                                                                                link) {
    kept = std::move(link);
    return base::LinkEvents{{}, [&](std::string_view frame) { frames.emplace_back(frame); }, {}};
  }));
  const sys::Fd peer = raw_connect(listener->endpoint());
  for (const char byte : std::string("\0\0\0\3abc\0\0\0\0\0\0\0\1x", 16)) {
    LONGS_EQUAL(1, ::send(peer.get(), &byte, 1, 0));
    CHECK_TRUE(engine.run_until([] { return true; }));
  }
  CHECK_TRUE(engine.run_until([&] { return frames.size() == 3; }));
  CHECK_TRUE(frames == std::vector<std::string>({"abc", "", "x"}));
}

TEST(TcpNet, a_name_is_not_an_address) {
  CHECK_ERROR(base::Code::invalid_argument, "address_invalid",
              engine.server().listen({"localhost", 0}, [](std::unique_ptr<base::Link>) {
                return base::LinkEvents();
              }));
}
