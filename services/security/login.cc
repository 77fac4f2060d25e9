// SPDX-License-Identifier: Apache-2.0
// Whose password it is: limits first, then the directories of an app, on a worker.
#include <algorithm>

#include "common/base/log.h"
#include "common/sys/tls.h"
#include "services/framework/host.h"
#include "services/security/service.h"
#include "services/security/token/password.h"

namespace security {

namespace {

constexpr std::size_t kCandidatesMax = 16;
constexpr int kHashersMax = 16;

std::string attempt_key(const AppRecord& app, std::string_view username) {
  // The name may be any text of the caller's: its hash is a key whatever it holds.
  return app.id + "/" + sys::sha256_hex(username);
}

// Counts the attempt in a transaction of its own. Errors: throttled.
base::Result<void> count_attempt(Security& self, const std::string& key) {
  LoginVerdict verdict = LoginVerdict::allowed;
  const base::Result<void> done = self.host().transact(
      "security.login.attempt", services::internal_caller("security"),
      [&](services::Call& call) -> base::Result<void> {
        AttemptRecord record =
            TRY(find<AttemptRecord>(call.write(), key)).value_or(AttemptRecord{.key = key});
        verdict = begin_attempt(record, self.config().login, seconds_of(call.now()));
        return put(call.write(), record);
      });
  TRY(done);
  if (verdict == LoginVerdict::limited) {
    return base::Error{base::Code::throttled, "Rate limit exceeded", "login_limited"};
  }
  if (verdict == LoginVerdict::locked) {
    return base::Error{base::Code::throttled,
                       "too many failed attempts; the name is locked for a while", "login_locked"};
  }
  return {};
}

struct Places {
  std::vector<std::pair<StoreRecord, DirectoryRecord>> list;
};

base::Result<Places> places_of(Security& self, const AppRecord& app) {
  Places out;
  const base::Result<void> placed =
      self.host().store().read([&](store::Reader& reader) -> base::Result<void> {
        for (StoreRecord& each : TRY(find_by<StoreRecord>(reader, "app", app.id))) {
          if (out.list.size() >= kCandidatesMax) break;
          DirectoryRecord directory = TRY(directory_of(reader, each));
          out.list.emplace_back(std::move(each), std::move(directory));
        }
        return {};
      });
  TRY(placed);
  std::stable_sort(out.list.begin(), out.list.end(), [](const auto& a, const auto& b) {
    return a.first.default_accounts > b.first.default_accounts;
  });
  return out;
}

}  // namespace

base::Result<void> Security::begin_hashing() {
  if (hashers_.fetch_add(1) >= kHashersMax) {
    hashers_.fetch_sub(1);
    return base::Error{base::Code::throttled, "too many logins at once, try again in a moment",
                       "login_limited"};
  }
  hashing_.acquire();
  return {};
}

void Security::end_hashing() {
  hashing_.release();
  hashers_.fetch_sub(1);
}

base::Result<std::string> Security::hash_new_password(std::string_view password) {
  TRY(check_password(password));
  TRY(begin_hashing());
  auto hash = hash_password(password, host_->rng());
  end_hashing();
  return hash;
}

base::Result<std::optional<AccountRecord>> Security::check_in_directory(
    const DirectoryRecord& directory, const StoreRecord& store, const std::string& username,
    const base::Secret& password, bool& took_time) {
  std::optional<AccountRecord> account;
  bool in_group = store.type == kStoreDirectory;
  const base::Result<void> looked =
      host_->store().read([&](store::Reader& reader) -> base::Result<void> {
        account =
            TRY(find_one<AccountRecord>(reader, "username", pair_term(directory.id, username)));
        if (account && !in_group) {
          in_group =
              TRY(find<MemberRecord>(reader, pair_term(store.store, account->id))).has_value();
        }
        return {};
      });
  TRY(looked);
  if (!account || account->disabled || !in_group || account->hash.empty()) {
    return std::optional<AccountRecord>();
  }
  TRY(begin_hashing());
  const auto check = verify_password(password.reveal(), account->hash);
  end_hashing();
  took_time = true;
  if (!check) return check.error();
  if (!check->matches) return std::optional<AccountRecord>();
  if (check->outdated) {
    const std::string hash = TRY(hash_new_password(password.reveal()));
    const std::string before = account->hash;
    const base::Result<void> rehashed =
        host_->transact("security.account.rehash", services::internal_caller("security"),
                        [&](services::Call& call) -> base::Result<void> {
                          auto now = TRY(need_account(call.write(), account->id));
                          if (now.hash != before) return {};  // changed meanwhile
                          now.hash = hash;
                          return put(call.write(), now);
                        });
    TRY(rehashed);
  }
  return account;
}

base::Result<std::optional<AccountRecord>> Security::check_login(const AppRecord& app,
                                                                 const std::string& username,
                                                                 const base::Secret& password) {
  const std::string key = attempt_key(app, username);
  TRY(count_attempt(*this, key));
  std::optional<AccountRecord> found;
  bool took_time = false;
  for (const auto& [store, directory] : TRY(places_of(*this, app)).list) {
    if (directory.type == kInternal) {
      found = TRY(check_in_directory(directory, store, username, password, took_time));
    } else if (directory.type == kLdap && ldap_ != nullptr) {
      found = TRY(check_in_ldap(directory, store, username, password));
      took_time = true;
    }
    if (found) break;
  }
  // Names that nobody has take as long as wrong passwords.
  if (!took_time) {
    TRY(begin_hashing());
    const auto done = pretend_password(password.reveal());
    end_hashing();
    TRY(done);
  }
  if (!found) return found;
  const base::Result<void> forgiven =
      host_->transact("security.login.success", services::internal_caller("security"),
                      [&](services::Call& call) -> base::Result<void> {
                        auto record = TRY(find<AttemptRecord>(call.write(), key));
                        if (!record) return {};
                        forgive_attempt(*record);
                        return put(call.write(), *record);
                      });
  TRY(forgiven);
  return found;
}

base::Result<std::optional<AccountRecord>> Security::check_in_ldap(const DirectoryRecord& directory,
                                                                   const StoreRecord& store,
                                                                   const std::string& username,
                                                                   const base::Secret& password) {
  const base::Json config = TRY(open_config(directory));
  const auto external = ldap_->authenticate(config, username, password);
  if (!external) {
    // One directory that cannot be reached locks nobody out of the others.
    base::log::warning("SECURITY_DIRECTORY", "a directory did not answer a login, trying the next",
                       {{"directory", directory.id}}, external.error());
    return std::optional<AccountRecord>();
  }
  if (!*external) return std::optional<AccountRecord>();
  std::optional<AccountRecord> account;
  const base::Result<void> shadowed = host_->transact(
      "security.account.shadow", services::internal_caller("security"),
      [&](services::Call& call) -> base::Result<void> {
        account = TRY(shadow_account(call, directory, **external));
        const bool inside =
            store.type == kStoreDirectory ||
            TRY(find<MemberRecord>(call.write(), pair_term(store.store, account->id))).has_value();
        if (!inside || account->disabled) account.reset();
        return {};
      });
  TRY(shadowed);
  return account;
}

}  // namespace security
