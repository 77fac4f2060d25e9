// SPDX-License-Identifier: Apache-2.0
// Change management: holds calls that a handler matches until they are approved, and lets them go
// as the one who asked for them.
//
// Owns changes, handlers (which calls are held, who approves) and freezes (when nothing goes out).
// 1. A held call is bound to its payload by hash from the moment it is held to the moment it runs;
// see change.h for the states.
// 2. It runs through the whole pipeline again, with an idempotency key of its own: a process that
// dies while it runs finds it out after the restart, and runs it once.
// 3. Approvals from another system (ServiceNow, Remedy) come through an adapter, which is asked
// every half minute while its change is open.
// When it is down: calls that a handler matches fail, as the process that would hold them is the
// same. Alone: gestalt-services --services=security,task,change.
// Threads: handlers as the framework says; the sweep on one worker at a time.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "services/change/handler.h"
#include "services/change/records.h"
#include "services/framework/adapter.h"
#include "services/framework/host.h"
#include "services/framework/service.h"
#include "services/framework/stages.h"

namespace services::change {

class ChangeService final : public Service, public Gate {
 public:
  // A foreign system that the operator has configured; handlers name it as their adapter.
  struct System {
    std::string kind;             // "servicenow", "remedy"
    std::string settings = "{}";  // JSON text: url, user, password_file, ca_file
  };
  using Systems = std::map<std::string, System>;
  explicit ChangeService(Systems systems);
  ~ChangeService() override;

  std::string_view name() const override { return "change"; }
  std::string_view mount() const override { return "/change"; }
  Dialect dialect() const override { return Dialect::meta; }
  std::vector<store::Collection> collections() const override { return change::collections(); }
  std::vector<Schema> schemas() const override;
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;

  base::Result<std::optional<Reply>> hold(Call& call) override;
  base::Result<bool> may_hold(Call& call) override;

  // Everything that is due now; called by itself every second and after each decision. Blocks.
  void sweep();

  // Handlers and freezes as they are now, parsed once per change of them.
  struct Rules {
    std::uint64_t version = 0;
    std::vector<Handler> handlers;
    std::vector<Freeze> freezes;
  };
  base::Result<std::shared_ptr<const Rules>> rules(store::Reader& reader);
  // Errors: unsupported adapter_unknown; those of its maker.
  base::Result<std::unique_ptr<Adapter>> make_adapter(const std::string& system);
  Host& host() { return *host_; }

 private:
  base::Result<void> handle(const std::string& id);
  base::Result<Surroundings> look_around(store::Reader& reader, const Change& change,
                                         std::int64_t now_ms);
  // The change as it goes out, nullopt when it waits or has ended.
  base::Result<std::optional<Change>> advance(const std::string& id);
  base::Result<void> run(const Change& change);
  base::Result<void> consult(const std::string& id);

  Host* host_ = nullptr;
  const Systems systems_;
  AdapterRegistry adapters_;
  std::mutex mutex_;
  std::shared_ptr<const Rules> rules_;  // shared with calls under way
  std::atomic<bool> sweeping_ = false;
  std::atomic<bool> again_ = false;
};

// {"systems": {NAME: {"kind", "url", "user", "password_file", "ca_file"}}}, all optional.
base::Result<std::unique_ptr<Service>> make_change_service(const base::Json& config);

// From a Call: who decides.
Actor actor_of(const Caller& caller);
// A captured or external payload as a change that is about to be stored, with its task.
base::Result<Change> open_change(ChangeService& service, Call& call, Change change,
                                 const Wish& wish);
// Ends the task of a change that has ended and says so in events.
base::Result<void> announce(Call& call, const Change& change);

}  // namespace services::change
