// SPDX-License-Identifier: Apache-2.0
// The launcher: containers of meta run on a cluster, and what becomes of them flows back.
//
// Owns which application stands for which container. Meta says what shall be
// (services/meta/api/containers.h); an adapter makes it so; load balancer, firewall and DNS follow
// from the application's labels without further calls.
// 1. A change of a container, the record of it here and the task that waits for it are one
// transaction. Whatever dies afterwards, the container is brought to what meta wants; the
// application's id follows from the container's, so that it is never there twice.
// 2. A container that goes to another provider runs there before it ends where it was.
// 3. A task ends when its container is as wanted, cannot be so, or has taken too long; until then
// its message says what is being waited for.
// When it is down: what runs goes on; changes wait. Alone: gestalt-services
// --services=security,meta,launcher.
// Threads: handlers and take_change as the framework says; one worker at a time brings containers
// along.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "services/framework/adapter.h"
#include "services/framework/host.h"
#include "services/framework/service.h"
#include "services/launcher/container.h"
#include "services/launcher/record.h"
#include "services/meta/api/containers.h"

namespace services::launcher {

// A cluster that the operator has configured. A container's provider names one of them; "default"
// takes those that name none.
struct Provider {
  std::string kind = "marathon";
  std::string settings = "{}";  // of the adapter, JSON text
  Terms terms = {};
};

// The framework ends a task by itself that the launcher has not ended by then.
inline constexpr std::chrono::minutes kBackstop{1};

struct Config {
  std::map<std::string, Provider> providers;
  std::chrono::minutes settle{15};  // for a change to take effect, else its task fails
};
// {"providers": {NAME: {"kind"?, "processes"?, …of the adapter}}, "settle_minutes"?}; without it
// "default" is our masterd on its socket. Errors: invalid_argument field_*, adapter_unknown.
base::Result<Config> read_config(const base::Json& json);

class Launcher final : public Service, public meta::ContainerRunner {
 public:
  explicit Launcher(Config config);
  ~Launcher() override;
  static base::Result<std::unique_ptr<Service>> make(const base::Json& config);

  // ---- Service
  std::string_view name() const override { return "launcher"; }
  std::string_view mount() const override { return "/launcher"; }
  Dialect dialect() const override { return Dialect::meta; }
  std::vector<store::Collection> collections() const override;
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;
  void stop() override;
  base::Json health() override;

  // ---- meta::ContainerRunner
  base::Result<std::string> take_change(Call& call, std::string_view verb,
                                        const base::Json& container) override;
  base::Result<std::map<std::string, base::Json>> observe_containers(
      const std::string& provider, const std::vector<std::string>& ids) override;
  base::Result<base::Json> probe_provider(const std::string& provider) override;

  // Brings along every container that is due. Blocks; called by itself, and by tests.
  void sweep();
  // {NAME: {"kind", "probe" | "error"}}. Blocks.
  base::Json probe_providers();

 private:
  // What a look at a container has found, and what follows.
  struct Outcome {
    std::optional<meta::ContainerReport> report;
    enum class Stage { moving, settled, failed, gone } stage = Stage::moving;
    std::string message;  // what is waited for, or why it cannot be
    std::string code;     // of a failure
    int percent = 0;      // of the instances that shall run
  };

  base::Result<void> take_event(const Event& event);
  // Records of containers that were made while the launcher was not hosted.
  base::Result<void> adopt();
  base::Result<std::unique_ptr<Adapter>> adapter_of(const std::string& provider);
  void schedule(const std::string& id, base::Duration delay);
  std::vector<std::string> take_due();

  // ---- follow.cc
  // How soon to look again; nothing: never.
  std::optional<base::Duration> bring_along(const std::string& id);
  base::Result<Outcome> look(const std::string& id, Record& record,
                             const std::optional<base::Json>& wanted);
  base::Result<Outcome> end(const Record& record);
  base::Result<void> move_to(const std::string& id, Record& record, const std::string& provider);
  base::Result<Outcome> make_so(Record& record, const base::Json& wanted);
  base::Result<Outcome> refuse(const Record& record, const base::Error& why);
  // What runs there is left as it is; the report is that, with `message`.
  base::Result<Outcome> leave_as_is(const Record& record, std::string message);
  base::Result<void> leave_previous(Record& record);
  struct Found {
    std::size_t steps = 0;               // that were taken
    std::optional<base::Json> app = {};  // as it is afterwards
  };
  // Reads, plans, applies, reads again when something was done; without `desired` only reads. Notes
  // when the provider does not answer.
  base::Result<Found> work_at(const std::string& provider, const std::string& app,
                              const base::Json* desired);
  base::Result<Found> work(Adapter& adapter, const std::string& app, const base::Json* desired);
  bool is_same_place(const std::string& one, const std::string& other) const;
  // Writes what came of it: report, tasks, record; nothing when nothing is new. `seen`: the record
  // as it was when the look began.
  base::Result<void> conclude(const std::string& id, const Record& seen, const Record& after,
                              const Outcome& outcome);
  base::Result<bool> has_news(store::Reader& reader, const std::string& id, const Record& seen,
                              const Record& after, const Outcome& outcome);
  // Whether the task goes on waiting.
  base::Result<bool> move_task(Call& call, const std::string& task, const Outcome& outcome);
  void note_trouble(const std::string& id, const base::Error& error);

  const Config config_;
  AdapterRegistry adapters_;
  Host* host_ = nullptr;
  meta::Containers* containers_ = nullptr;
  std::atomic<bool> sweeping_ = false;
  bool adopted_ = false;  // of sweep() only
  // Likewise: providers that did not answer in this round, and are not asked again in it.
  std::map<std::string, base::Error> skipped_;
  std::mutex mutex_;  // of what follows
  std::map<std::string, base::Instant> due_;
  std::map<std::string, std::string> troubles_;  // of containers, as last logged
  std::map<std::string, std::string> away_;      // providers that do not answer
};

}  // namespace services::launcher
