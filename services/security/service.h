// SPDX-License-Identifier: Apache-2.0
// The security service: who somebody is and what they may do, for itself and for all the others.
//
// Made by the host. Provides the stages Identity, Orgs and the Authorizer of rights.
// 1. Identity keeps callers in memory by the SHA-256 of what they presented. An entry counts only
// while the record `state/epoch` has the version it had when the entry was made; every change of
// accounts, groups, rights, keys or tokens writes that record in the same transaction. So a revoked
// credential is refused by the first call that begins after the revocation was answered. Where
// the record has moved by gains alone (gains.h), they are added to the entry.
// 2. A right holds in the organisation (or app) it was granted in; `**` of the root organisation
// holds everywhere. Nothing else reaches beyond an organisation.
// 3. A failed login is counted before the password is looked at, in a transaction of its own, also
// for a dry run: there is no way to try passwords for free.
// Threads: start and stop on the loop; stages and handlers on any, several at a time.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

#include "services/framework/service.h"
#include "services/framework/stages.h"
#include "services/security/cache.h"
#include "services/security/config.h"
#include "services/security/core/change.h"
#include "services/security/directory/adapter.h"
#include "services/security/gains.h"
#include "services/security/schemas.h"
#include "services/security/token/jwt.h"

namespace security {

// A caller and until when its credential is good.
struct Principal {
  services::CallerPtr caller;
  std::int64_t expires = 0;  // seconds since 1970, of the credential
};

class Security final : public services::Service,
                       public services::Identity,
                       public services::Orgs,
                       public services::Authorizer {
 public:
  Security(Config config, std::unique_ptr<DirectoryAdapter> ldap);
  ~Security() override;
  static base::Result<std::unique_ptr<services::Service>> make(const base::Json& config);

  // ---- Service
  std::string_view name() const override { return "security"; }
  std::string_view mount() const override { return "/security"; }
  services::Dialect dialect() const override { return services::Dialect::security; }
  std::vector<store::Collection> collections() const override { return security_collections(); }
  std::vector<services::Schema> schemas() const override { return reply_schemas(); }
  void actions(services::ActionTable& table) override;
  base::Result<void> start(services::Host& host) override;
  void stop() override;
  base::Json health() override;

  // ---- stages
  base::Result<services::CallerPtr> authenticate(store::Reader& reader,
                                                 const services::Presented& shown) override;
  base::Result<std::optional<services::Org>> find_fqon(store::Reader& reader,
                                                       std::string_view fqon) override;
  base::Result<std::optional<services::Org>> find_id(store::Reader& reader,
                                                     std::string_view id) override;
  base::Result<std::vector<services::Org>> lineage(store::Reader& reader,
                                                   std::string_view id) override;
  base::Result<services::Decision> decide(store::Reader& reader, const services::Question& question,
                                          services::Call& call) override;

  // ---- for the handlers of this service
  const Config& config() const { return config_; }
  services::Host& host() { return *host_; }
  DirectoryAdapter* ldap() { return ldap_.get(); }
  // Errors: permission_denied right_missing.
  base::Result<void> require(services::Call& call, std::string_view scope, std::string_view right);
  base::Result<bool> is_member(store::Reader& reader, const services::Caller& caller,
                               std::string_view org);
  EpochCache<std::string>& inspections() { return inspections_; }
  // The caller is somebody of the organisation, or the root's superuser.
  base::Result<void> require_member(services::Call& call, std::string_view org);
  // Nobody hands out, or takes over, a superuser's right he does not have himself.
  base::Result<void> require_no_less(services::Call& call, std::string_view subject);
  base::Result<void> require_superuser_if(services::Call& call, std::string_view grant,
                                          const AppRecord& app);

  // Sealed values of the store (a directory's system password, signing keys).
  base::Result<std::string> seal(std::string_view context, std::string_view text);
  base::Result<base::Secret> unseal(std::string_view context, std::string_view sealed);

  // A caller for an account, with groups and rights. Errors: account_unknown.
  base::Result<std::shared_ptr<services::Caller>> caller_of(store::Reader& reader,
                                                            std::string_view account);

  // Whose password it is, with all limits; on a worker. nullopt: nobody's. Errors: throttled
  // login_limited, login_locked.
  base::Result<std::optional<AccountRecord>> check_login(const AppRecord& app,
                                                         const std::string& username,
                                                         const base::Secret& password);
  // scrypt, a few at a time: each needs 32 MiB.
  base::Result<std::string> hash_new_password(std::string_view password);
  // A directory's configuration with its password in clear.
  base::Result<base::Json> open_config(const DirectoryRecord& directory);

  // Keys to sign with; reads and rotates them. Errors: those of the store.
  struct Signer {
    std::string kid;
    std::shared_ptr<const sys::EcKey> key;  // shared: rotation replaces it during a call
  };
  base::Result<Signer> signer(store::Reader& reader);
  base::Result<std::shared_ptr<const KeySet>> key_set(store::Reader& reader);
  base::Result<void> rotate_keys_if_due();

 private:
  base::Result<Principal> read_principal(store::Reader& reader, std::string_view authorization,
                                         std::int64_t now);
  base::Result<Principal> principal_of_key(store::Reader& reader, const std::string& id,
                                           std::string_view secret);
  base::Result<Principal> principal_of_token(store::Reader& reader, std::string_view token,
                                             std::int64_t now);
  base::Result<std::optional<AccountRecord>> check_in_directory(const DirectoryRecord& directory,
                                                                const StoreRecord& store,
                                                                const std::string& username,
                                                                const base::Secret& password,
                                                                bool& took_time);
  base::Result<std::optional<AccountRecord>> check_in_ldap(const DirectoryRecord& directory,
                                                           const StoreRecord& store,
                                                           const std::string& username,
                                                           const base::Secret& password);
  base::Result<void> load_seal_key();
  base::Result<void> bootstrap();

  Config config_;
  std::unique_ptr<DirectoryAdapter> ldap_;
  services::Host* host_ = nullptr;
  CallerCache callers_{50'000};
  EpochCache<std::string> inspections_{10'000};  // replies, each up to a few KiB
  EpochCache<services::Org> orgs_{20'000};       // by name
  base::Secret seal_key_;
  // Takes a place among those that hash. Errors: throttled login_limited when too many wait: they
  // would hold the workers that everybody else needs.
  base::Result<void> begin_hashing();
  void end_hashing();

  std::counting_semaphore<2> hashing_{2};
  std::atomic<int> hashers_{0};
  std::mutex keys_mutex_;
  std::uint64_t keys_epoch_ = 0;
  std::shared_ptr<const KeySet> keys_;  // shared: readers keep the set they began with
  Signer signer_;
};

// The version of `state/epoch`; grows with every change that a cached caller must notice.
base::Result<std::uint64_t> epoch(store::Reader& reader);
base::Result<void> touch_epoch(store::Writer& writer);
std::int64_t seconds_of(base::WallTime time);

// What an external directory says of somebody becomes a shadow account with its groups. Only what
// is new is written and told, so that a login that changes nothing costs the cache nothing.
base::Result<AccountRecord> shadow_account(services::Call& call, const DirectoryRecord& directory,
                                           const ExternalAccount& external);
base::Result<GroupRecord> shadow_group(services::Call& call, const DirectoryRecord& directory,
                                       const ExternalGroup& external);

// A handler of a mutation that callers in the cache must notice.
template <base::Result<services::Reply> (*Handler)(Security&, services::Call&)>
base::Result<services::Reply> noticed(Security& self, services::Call& call) {
  services::Reply reply = TRY(Handler(self, call));
  TRY(touch_epoch(call.write()));
  return reply;
}

// First boot and POST /init: root organisation, directory, group, rights and the first account with
// an API key. Errors: failed_precondition security_initialised.
struct InitWish {
  std::string username;
  std::optional<std::string> hash;  // without one nobody can log in with a password
};
base::Result<MadeKey> initialise(store::Writer& writer, base::Rng& rng, std::int64_t now,
                                 const InitWish& wish);

}  // namespace security
