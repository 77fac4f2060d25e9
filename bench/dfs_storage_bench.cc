// SPDX-License-Identifier: Apache-2.0
// What storage servers do for a client that speaks to them directly, and how long they stall when
// one of them fails. The program is their metadata server too: it makes chunk groups once enough
// servers have come, and decides the groups' configurations.
//
//   dfs_storage_bench ADDRESS:PORT SERVERS SECONDS bench   each kind of load for SECONDS
//   dfs_storage_bench ADDRESS:PORT SERVERS SECONDS check   4 KiB writes whose content is compared
//   in
//                                                          the end; prints the longest stall
// Claim: a write costs one round trip and one sync of each member at once (0.3 ms here), so depth 1
// gives some 3,000 a second; large writes are bound by the devices (each byte is written three
// times on three servers, twice per server as long as it goes through the journal).
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "common/base/crc32c.h"
#include "common/sys/loop_timers.h"
#include "common/sys/tcp_net.h"
#include "dfs/api/meta_protocol.h"
#include "dfs/api/rpc.h"
#include "dfs/api/storage_protocol.h"

namespace {

using base::Result;
using namespace dfs;  // NOLINT: the subject
using namespace std::chrono_literals;

constexpr GroupNumber kGroups = 6;
constexpr base::Duration kTimeout = 500ms;
constexpr base::Duration kPause = 10ms;
constexpr std::uint64_t kObjectBytes = 64 << 20;

std::vector<std::uint32_t> sums_of(std::string_view data) {
  std::vector<std::uint32_t> sums;
  for (std::size_t at = 0; at < data.size(); at += kBlockBytes)
    sums.push_back(base::crc32c(data.substr(at, kBlockBytes)));
  return sums;
}

// The metadata server's part for storage servers.
class Metadata {
 public:
  Metadata(base::Net& net, const base::Endpoint& endpoint, std::size_t servers)
      : servers_(servers) {
    auto server = RpcServer::listen(
        net, endpoint,
        {.request = [this](std::uint8_t kind, std::string_view body, std::string_view,
                           Responder responder) { answer(kind, body, responder); }});
    if (!server) {
      std::fprintf(stderr, "%s\n", base::to_string(server.error()).c_str());
      std::exit(1);
    }
    server_ = *std::move(server);
  }
  bool is_ready() const {
    return !groups_.empty() && std::all_of(groups_.begin(), groups_.end(), [](const auto& group) {
      return group.second.asked_by != 0;
    });
  }
  const NodeAddress* primary(GroupNumber group) const {
    const auto found = nodes_.find(groups_.at(group).primary);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  bool all_in_sync() const {
    return std::all_of(groups_.begin(), groups_.end(), [this](const auto& group) {
      return group.second.in_sync.size() == servers_;
    });
  }

 private:
  void answer(std::uint8_t kind, std::string_view body, Responder& responder) {
    if (kind == static_cast<std::uint8_t>(MetaKind::register_storage)) {
      const auto request = decode<RegisterStorage>(body);
      if (!request) return responder.fail(request.error());
      nodes_[request->node.node] = request->node;
      if (groups_.empty() && nodes_.size() >= servers_) make_groups();
      RegisterStorageReply reply;
      for (const auto& [name, node] : nodes_) reply.nodes.push_back(node);
      for (const auto& [number, group] : groups_) reply.groups.push_back(group);
      return responder.answer(encode(reply));
    }
    const auto request = decode<ChangeGroup>(body);
    if (!request) return responder.fail(request.error());
    GroupConfiguration& group = groups_[request->next.group];
    if (request->next.epoch == group.epoch + 1) group = request->next;
    responder.answer(encode(group));
  }
  void make_groups() {
    std::vector<std::string> names;
    for (const auto& [name, node] : nodes_) names.push_back(name);
    for (GroupNumber number = 1; number <= kGroups; ++number)
      groups_[number] = {number, 1, names[number % names.size()], names, 0, 0};
  }

  const std::size_t servers_;
  std::map<std::string, NodeAddress> nodes_;
  std::map<GroupNumber, GroupConfiguration> groups_;
  std::unique_ptr<RpcServer> server_;
};

class Client {
 public:
  Client(base::Net& net, base::Timers& timers, Metadata& metadata)
      : net_(net), timers_(timers), metadata_(metadata) {}

  // Until it succeeds.
  template <class Request>
  void ask(GroupNumber group, Request request, std::shared_ptr<std::string> data,
           std::function<void(std::string_view)> done) {
    request.place.group = group;
    const NodeAddress* node = metadata_.primary(group);
    auto again = [this, group, request, data, done] { ask(group, request, data, done); };
    if (node == nullptr) return later(std::move(again));
    std::unique_ptr<RpcClient>& link = links_[node->node];
    if (!link)
      link = std::make_unique<RpcClient>(net_, timers_, base::Endpoint{node->host, node->port});
    link->call<Request>(
        request, kTimeout,
        [this, again = std::move(again), done](const Result<typename Request::Reply>& reply,
                                               std::string_view with) {
          if (reply) return done(with);
          ++errors_[std::string(reply.error().reason)];
          later(again);
        },
        *data);
  }
  const std::map<std::string, int>& errors() const { return errors_; }

 private:
  void later(std::function<void()> again) {
    const std::uint64_t number = next_++;
    pauses_[number] = timers_.after(kPause, [this, number, again = std::move(again)] {
      const base::TimerHandle fired = std::move(pauses_.at(number));
      pauses_.erase(number);
      again();
    });
  }
  base::Net& net_;
  base::Timers& timers_;
  Metadata& metadata_;
  std::map<std::string, std::unique_ptr<RpcClient>> links_;
  std::map<std::string, int> errors_;
  std::map<std::uint64_t, base::TimerHandle> pauses_;
  std::uint64_t next_ = 0;
};

struct Load {
  const char* name;
  bool is_write;
  std::size_t size;
  std::size_t depth;
  bool is_random;
};
constexpr Load kLoads[] = {
    {"write 1 MiB sequential, depth 8", true, 1 << 20, 8, false},
    {"write 4 KiB random, depth 1", true, 4096, 1, true},
    {"write 4 KiB random, depth 64", true, 4096, 64, true},
    {"read 4 KiB random, depth 1", false, 4096, 1, true},
    {"read 4 KiB random, depth 4", false, 4096, 4, true},
    {"read 1 MiB sequential, depth 8", false, 1 << 20, 8, false},
};

class Program {
 public:
  Program(sys::EventLoop& loop, const base::Endpoint& endpoint, std::size_t servers,
          std::chrono::seconds seconds)
      : loop_(loop),
        timers_(loop),
        net_(sys::make_tcp_net(loop)),
        metadata_(*net_, endpoint, servers),
        client_(*net_, timers_, metadata_),
        seconds_(seconds) {}

  void run(bool checks) {
    wait_ = loop_.every(50ms, [this, checks] {
      if (!metadata_.is_ready() || started_) return;
      started_ = true;
      start_ = loop_.after(1500ms, [this, checks] {
        if (checks) {
          begin_check();
        } else {
          next_load();
        }
      });
    });
    if (!loop_.run()) std::exit(1);
  }

 private:
  base::Instant now() const { return timers_.clock().now(); }
  std::uint64_t random() { return base::system_rng().next(); }

  // ---- bench ----
  void next_load() {
    if (load_ == std::size(kLoads)) return loop_.stop();
    ended_ = false;
    done_ = 0;
    position_ = 0;
    latencies_.clear();
    data_ = std::make_shared<std::string>(kLoads[load_].size, 'x');
    for (char& c : *data_) c = static_cast<char>(random());
    from_ = now();
    end_ = from_ + seconds_;
    under_way_ = kLoads[load_].depth;
    for (std::size_t i = 0; i < kLoads[load_].depth; ++i) one();
  }
  void one() {
    const Load& load = kLoads[load_];
    if (now() >= end_) {
      if (--under_way_ == 0) report();
      return;
    }
    // Sequential: an object after the other, each in one group; random: within what was written.
    std::uint64_t at = position_;
    position_ += load.size;
    if (load.is_write && !load.is_random) written_ = std::max(written_, position_);
    if (!load.is_write && !load.is_random) at %= written_;
    if (load.is_random) at = random() % (written_ / load.size) * load.size;
    const ObjectNumber object = 1 + at / kObjectBytes;
    const GroupNumber group = 1 + static_cast<GroupNumber>(object % kGroups);
    const base::Instant began = now();
    const auto finished = [this, began](std::string_view) {
      latencies_.push_back(now() - began);
      ++done_;
      one();
    };
    if (load.is_write) {
      WriteObject request{{1, 1, 0, object}, at % kObjectBytes, sums_of(*data_)};
      client_.ask(group, std::move(request), data_, finished);
    } else {
      ReadObject request{
          {1, 1, 0, object}, at % kObjectBytes, static_cast<std::uint32_t>(load.size)};
      client_.ask(group, request, std::make_shared<std::string>(), finished);
    }
  }
  void report() {
    const double seconds = std::chrono::duration<double>(now() - from_).count();
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [this](double share) {
      if (latencies_.empty()) return 0.0;
      const auto place = static_cast<std::size_t>(share * static_cast<double>(latencies_.size()));
      return std::chrono::duration<double, std::milli>(
                 latencies_[std::min(place, latencies_.size() - 1)])
          .count();
    };
    const double rate = static_cast<double>(done_) / seconds;
    std::printf("%-34s %9.0f /s %8.1f MB/s   p50 %.2f ms, p99 %.2f ms\n", kLoads[load_].name, rate,
                rate * static_cast<double>(kLoads[load_].size) / 1e6, at(0.5), at(0.99));
    std::fflush(stdout);
    ++load_;
    next_load();
  }

  // ---- check ----
  static constexpr std::size_t kBlocks = 64;
  struct Block {
    std::uint64_t acknowledged = 0;
  };
  static std::shared_ptr<std::string> content_of(std::size_t block, std::uint64_t version) {
    std::string text = std::to_string(block) + ":" + std::to_string(version) + ":";
    auto content = std::make_shared<std::string>();
    while (content->size() < kBlockBytes) *content += text;
    content->resize(kBlockBytes);
    return content;
  }
  void begin_check() {
    end_ = now() + seconds_;
    last_ = now();
    blocks_.resize(kBlocks);
    last_of_group_.assign(kGroups + 1, now());
    under_way_ = kBlocks;
    for (std::size_t block = 0; block < kBlocks; ++block) check_one(block);
    std::puts("running");
    std::fflush(stdout);
  }
  void note(base::Instant& last) { stall_ = std::max(stall_, now() - std::exchange(last, now())); }
  void check_one(std::size_t block) {
    if (now() >= end_) {
      if (--under_way_ == 0) compare(0);
      return;
    }
    const std::uint64_t version = blocks_[block].acknowledged + 1;
    const auto content = content_of(block, version);
    const GroupNumber group = 1 + static_cast<GroupNumber>(block % kGroups);
    WriteObject request{{1, 1, 0, 1 + block % kGroups}, block * kBlockBytes, sums_of(*content)};
    client_.ask(group, std::move(request), content,
                [this, block, version, group](std::string_view) {
                  blocks_[block].acknowledged = version;
                  ++done_;
                  note(last_of_group_[group]);
                  check_one(block);
                });
  }
  void compare(std::size_t block) {
    if (block == kBlocks) return end_check();
    const GroupNumber group = 1 + static_cast<GroupNumber>(block % kGroups);
    ReadObject request{{1, 1, 0, 1 + block % kGroups}, block * kBlockBytes, kBlockBytes};
    client_.ask(group, request, std::make_shared<std::string>(),
                [this, block](std::string_view data) {
                  if (data != *content_of(block, blocks_[block].acknowledged)) ++lost_;
                  compare(block + 1);
                });
  }
  void end_check() {
    std::printf("writes %llu, lost %llu, longest stall of a group %.0f ms, all in sync %d\n",
                static_cast<unsigned long long>(done_), static_cast<unsigned long long>(lost_),
                std::chrono::duration<double, std::milli>(stall_).count(),
                metadata_.all_in_sync() ? 1 : 0);
    for (const auto& [reason, count] : client_.errors())
      std::printf("  %s: %d\n", reason.c_str(), count);
    loop_.stop();
  }

  sys::EventLoop& loop_;
  sys::LoopTimers timers_;
  std::unique_ptr<base::Net> net_;
  Metadata metadata_;
  Client client_;
  const base::Duration seconds_;
  bool started_ = false;
  bool ended_ = false;
  std::size_t load_ = 0;
  std::uint64_t done_ = 0, lost_ = 0, position_ = 0, written_ = 0;
  std::size_t under_way_ = 0;
  base::Instant from_, end_, last_;
  base::Duration stall_{0};
  std::shared_ptr<std::string> data_;
  std::vector<base::Duration> latencies_;
  std::vector<Block> blocks_;
  std::vector<base::Instant> last_of_group_;
  sys::WatchHandle wait_, start_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: dfs_storage_bench ADDRESS:PORT SERVERS SECONDS bench|check\n");
    return 2;
  }
  const std::string where = argv[1];
  const std::size_t colon = where.rfind(':');
  const base::Endpoint endpoint{where.substr(0, colon),
                                static_cast<std::uint16_t>(std::atoi(where.c_str() + colon + 1))};
  auto loop = sys::EventLoop::make();
  if (!loop) return 1;
  Program program(**loop, endpoint, static_cast<std::size_t>(std::atoi(argv[2])),
                  std::chrono::seconds(std::atoi(argv[3])));
  program.run(std::string(argv[4]) == "check");
  return 0;
}
