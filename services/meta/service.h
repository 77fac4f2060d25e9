// SPDX-License-Identifier: Apache-2.0
// The meta service: the graph and tree of resources, and what hangs on it: configuration,
// entitlements and policy.
//
// Made by the host. Provides the Authorizer of entitlements and Policy.
// 1. Organisations, people and groups are security's; meta mirrors them as resources in the same
// transaction where it changes them itself, and by security's events otherwise.
// 2. Types are data: the catalogue is made anew when the record that counts its changes moves on.
// Threads: start and stop on the loop; stages and handlers on any, several at a time.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "services/framework/followers.h"
#include "services/framework/host.h"
#include "services/framework/service.h"
#include "services/framework/stages.h"
#include "services/meta/api/containers.h"
#include "services/meta/api/identities.h"
#include "services/meta/tree.h"

namespace services::meta {

class Meta final : public Service, public Authorizer, public Policy, public Containers {
 public:
  Meta();
  ~Meta() override;
  static base::Result<std::unique_ptr<Service>> make(const base::Json& config);

  // ---- Service
  std::string_view name() const override { return "meta"; }
  std::string_view mount() const override { return "/meta"; }
  Dialect dialect() const override { return Dialect::meta; }
  std::vector<store::Collection> collections() const override { return meta_collections(); }
  std::vector<Schema> schemas() const override;
  void actions(ActionTable& table) override;
  base::Result<void> start(Host& host) override;
  void stop() override;
  base::Json health() override;

  // ---- stages (entitlement_stage.cc, policy_stage.cc)
  base::Result<Decision> decide(store::Reader& reader, const Question& question,
                                Call& call) override;
  base::Result<void> limits(Call& call) override;
  base::Result<bool> before(Call& call) override;
  base::Result<void> after(Call& call, const Reply& reply) override;
  bool concerns(std::string_view action) override;

  // ---- Containers (container_changes.cc)
  base::Result<void> report_container(Call& call, std::string_view id,
                                      const ContainerReport& report) override;
  base::Result<std::optional<base::Json>> wanted_container(store::Reader& reader,
                                                           std::string_view id) override;
  void set_runner(ContainerRunner* runner) override { runner_ = runner; }
  base::Result<std::vector<std::string>> container_ids(store::Reader& reader) override;
  base::Result<bool> is_news(store::Reader& reader, std::string_view id,
                             const ContainerReport& report) override;

  // ---- for the handlers
  // The catalogue as the reader's snapshot has it.
  base::Result<std::shared_ptr<const Catalogue>> types(store::Reader& reader);
  // Within the transaction that changes a type.
  base::Result<void> touch_types(Call& call);
  // The types that every installation has, without those of the store.
  const Catalogue& builtin() const { return *builtin_; }
  // Errors: unavailable identities_absent when security is not hosted.
  base::Result<Identities*> identities();
  // Errors: unavailable launcher_absent when nobody runs containers here.
  base::Result<ContainerRunner*> runner() const;
  Host& host() { return *host_; }
  // Those who wait for a configuration to change, by the ids of the resources that say it.
  Followers& watchers() { return *watchers_; }
  void note_rule() { rules_ = true; }
  // Whether a rule was ever written: most installations pay nothing for rules.
  bool has_rules() const { return rules_; }
  // Within the transaction that changes a container; nothing when nobody runs them here.
  base::Result<void> tell_runner(Call& call, std::string_view verb, const Resource& container);

  // Keeps the text of a name that rows of the action table refer to.
  std::string_view keep_name(std::string name);

 private:
  std::shared_ptr<const Catalogue> builtin_;
  std::deque<std::string> names_;
  Host* host_ = nullptr;
  std::unique_ptr<Followers> watchers_;
  ContainerRunner* runner_ = nullptr;
  std::unique_ptr<Identities> mirror_;  // of security, when that is hosted
  std::mutex mutex_;
  std::string types_key_;
  std::shared_ptr<const Catalogue> types_;  // shared: calls under way keep the one they began with
  std::atomic<bool> rules_ = false;
};

}  // namespace services::meta
