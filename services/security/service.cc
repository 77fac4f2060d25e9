// SPDX-License-Identifier: Apache-2.0
#include "services/security/service.h"

#include "common/base/log.h"
#include "common/sys/files.h"
#include "services/framework/host.h"
#include "services/security/adapters/ldap/ldap.h"
#include "services/security/clients.h"
#include "services/security/directory_sync.h"
#include "services/security/model/names.h"
#include "services/security/routes.h"

namespace security {

namespace {

constexpr std::int64_t kSweepMemory = 48;  // hours looked back at for tokens that have expired

// Tokens whose hour is over (the hour of a record is an index, so this reads nothing else), and
// assertions that have expired.
base::Result<void> sweep(services::Host& host) {
  const auto work = [](services::Call& call) -> base::Result<void> {
    const std::int64_t now = seconds_of(call.now());
    for (std::int64_t hour = now / 3600 - kSweepMemory; hour < now / 3600; ++hour) {
      const std::string term = std::to_string(hour);
      for (const auto& token : TRY(find_by<TokenRecord>(call.write(), "hour", term))) {
        TRY(erase(call.write(), token));
      }
    }
    for (const auto& seen : TRY(all<StateRecord>(call.write(), "saml-seen/"))) {
      if (seen.number < now) TRY(erase(call.write(), seen));
    }
    return {};
  };
  return host.transact("security.tokens.sweep", services::internal_caller("security"), work);
}

}  // namespace

Security::Security(Config config, std::unique_ptr<DirectoryAdapter> ldap)
    : config_(std::move(config)), ldap_(std::move(ldap)) {}
Security::~Security() = default;

base::Result<std::unique_ptr<services::Service>> Security::make(const base::Json& config) {
  Config read = TRY(read_config(config));
  return std::unique_ptr<services::Service>(
      std::make_unique<Security>(std::move(read), make_ldap_adapter()));
}

void Security::actions(services::ActionTable& table) {
  add_org_actions(table, *this);
  add_directory_actions(table, *this);
  add_account_actions(table, *this);
  add_app_actions(table, *this);
  add_right_actions(table, *this);
  add_token_actions(table, *this);
  add_client_actions(table, *this);
  add_authorize_actions(table, *this);
  add_oidc_actions(table, *this);
  add_saml_actions(table, *this);
}

base::Result<void> Security::start(services::Host& host) {
  host_ = &host;
  TRY(load_seal_key());
  host.provide(static_cast<services::Identity&>(*this));
  host.provide(static_cast<services::Orgs&>(*this));
  host.provide(services::Access::Kind::right, static_cast<services::Authorizer&>(*this));
  if (config_.bootstrap) TRY(bootstrap());
  TRY(rotate_keys_if_due());
  host.every(std::chrono::hours(1), [this] {
    const auto swept = sweep(*host_);
    if (!swept) base::log::warning("SECURITY_SWEEP", "expired tokens stay", {}, swept.error());
    const auto rotated = rotate_keys_if_due();
    if (!rotated) {
      base::log::warning("SECURITY_SWEEP", "the signing key stays as it is", {}, rotated.error());
    }
  });
  if (config_.directory_sync_s > 0) {
    host.every(std::chrono::seconds(config_.directory_sync_s), [this] { sync_directories(*this); });
  }
  return {};
}

void Security::stop() {}

base::Json Security::health() {
  bool initialised = false;
  const auto done = host_->store().read([&](store::Reader& reader) -> base::Result<void> {
    initialised = TRY(find_one<OrgRecord>(reader, "fqon", kRootFqon)).has_value();
    return {};
  });
  return {{"status", done && initialised ? "ok" : "degraded"}, {"initialized", initialised}};
}

base::Result<MadeKey> initialise(store::Writer& writer, base::Rng& rng, std::int64_t now,
                                 const InitWish& wish) {
  if (TRY(find_one<OrgRecord>(writer, "fqon", kRootFqon))) {
    return base::Error{base::Code::invalid_argument, "service already initialized",
                       "security_initialised"};
  }
  const OrgRecord root{
      .id = rng.uuid(), .name = std::string(kRootFqon), .fqon = std::string(kRootFqon)};
  TRY(put(writer, root));
  const DirectoryRecord directory =
      TRY(create_directory(writer, {.id = rng.uuid(), .org = root.id, .name = "gestalt-user-dir"}));
  const AppRecord app = TRY(create_app(
      writer,
      {.id = rng.uuid(), .org = root.id, .name = root.id + "-system-app", .service = true}));
  StoreRecord store{.id = rng.uuid(), .app = app.id, .name = "root-users"};
  store.type = kStoreDirectory;
  store.store = directory.id;
  store.default_accounts = true;
  store.default_groups = true;
  TRY(create_store(writer, store));
  AccountRecord admin{.id = rng.uuid(), .directory = directory.id, .username = wish.username};
  admin.hash = wish.hash.value_or("");
  TRY(create_account(writer, admin));
  GroupRecord admins{.id = rng.uuid(), .directory = directory.id, .name = "admins"};
  TRY(create_group(writer, admins));
  TRY(add_member(writer, admins, admin));
  TRY(add_right(writer, rng, app.id, admins.id, true,
                {.name = std::string(kSuperuser), .value = std::nullopt}));
  TRY(put(writer, StateRecord{.key = "admin", .value = admin.id}));
  TRY(touch_epoch(writer));
  return create_api_key(writer, rng, now, admin.id, root.id, "");
}

// The key is in its file before the store has it: a crash between leaves a file whose key is
// unknown, and the next start makes and writes another.
base::Result<void> Security::bootstrap() {
  bool fresh = false;
  const base::Result<void> done =
      host_->store().read([&](store::Reader& reader) -> base::Result<void> {
        fresh = !TRY(find_one<OrgRecord>(reader, "fqon", kRootFqon)).has_value();
        return {};
      });
  TRY(done);
  if (!fresh) return {};
  const base::Result<void> made_it =
      host_->transact("security.init", services::internal_caller("security"),
                      [&](services::Call& call) -> base::Result<void> {
                        const MadeKey made =
                            TRY(initialise(call.write(), host_->rng(), seconds_of(call.now()),
                                           {.username = config_.admin_name, .hash = std::nullopt}));
                        const base::Json file = {{"apiKey", made.record.id},
                                                 {"apiSecret", made.secret.reveal()},
                                                 {"accountId", made.record.account},
                                                 {"username", config_.admin_name},
                                                 {"org", kRootFqon}};
                        TRY(sys::write_file_durably(config_.credentials_file,
                                                    base::dump_json_pretty(file) + "\n", 0600));
                        call.emit("security.initialised", {{"account", made.record.account}});
                        return {};
                      });
  TRY(made_it);
  base::log::notice("SECURITY_INITIALISED", "the security service was initialised",
                    {{"credentials", config_.credentials_file}});
  return {};
}

}  // namespace security
