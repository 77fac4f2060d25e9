// SPDX-License-Identifier: Apache-2.0
// A client of the metadata servers for simulations: it follows the protocol, keeps a register (the
// owner of each file) in memory under write leases, and tells a judge all that it does.
//
// Checked while it runs: nobody uses a lease that conflicts with another that is trusted at that
// moment; a read of a register gives the last value that was written under a lease and not lost
// with its writer. Checked at the end: the history of each name is linearizable.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dfs/api/rpc.h"
#include "dfs/meta/records.h"
#include "tests/support/sim/sim_net.h"

namespace dfs::meta::testing {

// Mistakes that a client may be told to make; the judge has to notice each.
enum class Mistake {
  none,
  keeps_after_recall,     // says that it gave a lease back and goes on using it
  trusts_too_long,        // does not count its session's time
  renumbers_resends,      // a batch that was not answered is sent under a new number
  releases_before_flush,  // what is in memory is written after the lease was given back
  reclaims_nothing,       // tells a new primary that it has no leases, and has them
};

// Of one name: what was asked and what was answered, in the world's time.
struct NameEvent {
  enum class What { create, remove, look } what = What::look;
  InodeNumber inode = 0;  // create: which; look: what was found, 0 nothing
  bool done = false;      // create, remove: had an effect
  base::Instant from, to;
  bool is_known = false;  // answered; otherwise it may have happened at any time after `from`
};
// Whether one order of the events explains all answers.
bool is_linearizable(std::vector<NameEvent> events);

class Judge {
 public:
  explicit Judge(sim::World& world) : world_(world) {}
  // Until when a client trusts its leases, and which it has.
  void trust(int client, base::Instant until) { trusted_[client] = until; }
  void hold(int client, InodeNumber inode, Lease lease);
  void drop_all(int client);
  // It is about to act on its lease.
  void use(int client, InodeNumber inode, Lease lease);

  // Registers. A write is final for readers unless its writer is lost before it is flushed.
  void wrote(int client, InodeNumber inode, std::uint32_t value);
  void flushed(InodeNumber inode, std::uint32_t value);
  void lost(InodeNumber inode);  // with what was not flushed
  void read(int client, InodeNumber inode, std::uint32_t value);

  void note(const std::string& name, NameEvent event) { names_[name].push_back(event); }
  void check_names();
  void fail(std::string what) {
    if (failure.empty()) failure = std::move(what);
  }
  std::string failure;
  std::uint64_t uses = 0, reads = 0, events = 0;

 private:
  struct Register {
    std::uint32_t last = 0;
    std::uint32_t stored = 0;
    std::vector<std::uint32_t> unflushed;  // written after `stored`, in order
    int writer = -1;
    bool is_uncertain = false;  // their writer is lost: one of them or `stored` counts
  };
  sim::World& world_;
  std::map<int, base::Instant> trusted_;
  std::map<InodeNumber, std::map<int, Lease>> held_;
  std::map<InodeNumber, Register> registers_;
  std::map<std::string, std::vector<NameEvent>> names_;
};

class SimClient {
 public:
  SimClient(sim::World& world, sim::SimNet& network, Judge& judge, int number,
            std::vector<base::Endpoint> servers, InodeNumber root, Mistake mistake);
  ~SimClient();
  // Begins random work; stop() lets what is under way end.
  void start();
  void stop() { stopping_ = true; }
  bool is_idle() const { return busy_ == 0; }
  std::uint64_t done() const { return done_; }

 private:
  struct File {
    Lease lease = Lease::none;
    std::uint32_t value = 0;
    std::optional<std::uint32_t> dirty = {};
    bool is_flushing = false;
  };
  template <class Request>
  void call(Request request, std::function<void(base::Result<typename Request::Reply>)> done);
  template <class Request>
  void attempt(std::shared_ptr<Request> request, std::uint64_t session_life,
               std::function<void(base::Result<typename Request::Reply>)> done);
  void open();
  void renew();
  void reclaim();
  void lose_session();
  void next_server();
  void act();
  void act_later();
  void on_recall(const LeaseClaim& claim);
  void give_back(InodeNumber inode, Lease keeps);
  void flush(InodeNumber inode, std::function<void()> done);
  void send_batch(std::vector<MetaOp> operations,
                  std::function<void(base::Result<ApplyReply>)> done);
  void next_batch();
  void change_name();
  void look_name();
  void use_register();
  bool trusts() const;
  std::string any_name();

  struct Batch {
    std::vector<MetaOp> operations;
    std::function<void(base::Result<ApplyReply>)> done;
  };

  sim::World& world_;
  sim::SimNet& network_;
  Judge& judge_;
  const int number_;
  const std::vector<base::Endpoint> servers_;
  const InodeNumber root_;
  const Mistake mistake_;
  std::unique_ptr<base::Net> net_;
  std::unique_ptr<RpcClient> rpc_;
  std::vector<std::unique_ptr<RpcClient>> old_;
  std::size_t server_ = 0;
  OpenSessionReply session_;
  std::uint64_t life_ = 0;  // counts sessions
  bool is_open_ = false;
  bool reclaiming_ = false;
  base::Instant trusted_until_;
  std::uint64_t sequence_ = 0;
  bool batch_under_way_ = false;
  std::deque<Batch> batches_;
  std::map<InodeNumber, File> files_;
  std::map<InodeNumber, int> returning_;          // releases that are not answered
  std::map<InodeNumber, std::uint64_t> returns_;  // releases that were sent
  std::set<InodeNumber> known_;
  InodeNumbersReply numbers_;
  bool stopping_ = false;
  int busy_ = 0;
  std::uint64_t done_ = 0;
  std::uint32_t next_value_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace dfs::meta::testing
