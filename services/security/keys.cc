// SPDX-License-Identifier: Apache-2.0
// What the service seals and signs with: the sealing key in its folder, signing keys in the store.
#include <array>

#include "common/base/text.h"
#include "services/framework/host.h"
#include "services/framework/key_file.h"
#include "services/security/service.h"

namespace security {

namespace {

// A retired key still verifies what it signed: longer than any token lives.
constexpr std::int64_t kRetiredKept = 2 * 86'400;

std::string key_context(std::string_view id) { return "signing/" + std::string(id); }

}  // namespace

base::Result<void> Security::load_seal_key() {
  seal_key_ =
      TRY(services::load_or_make_key(host_->state_folder("security") + "/seal.key", host_->rng()));
  return {};
}

base::Result<std::string> Security::seal(std::string_view context, std::string_view text) {
  std::array<std::uint8_t, 12> nonce{};
  host_->rng().fill(nonce);
  const std::string sealed =
      TRY(sys::seal(seal_key_.reveal(), std::string(nonce.begin(), nonce.end()), context, text));
  return base::to_base64url(sealed);
}

base::Result<base::Secret> Security::unseal(std::string_view context, std::string_view sealed) {
  const std::string bytes = TRY(base::from_base64(sealed));
  return sys::unseal(seal_key_.reveal(), context, bytes);
}

// Keys are read again when the epoch has moved; rotation moves it.
base::Result<std::shared_ptr<const KeySet>> Security::key_set(store::Reader& reader) {
  const std::uint64_t current = TRY(epoch(reader));
  {
    const std::lock_guard lock(keys_mutex_);
    if (keys_ && keys_epoch_ == current) return keys_;
  }
  auto set = std::make_shared<KeySet>();
  std::optional<KeyRecord> newest;
  for (KeyRecord& record : TRY(all<KeyRecord>(reader))) {
    const std::string x = TRY(base::from_base64(record.x));
    const std::string y = TRY(base::from_base64(record.y));
    set->add(record.id, TRY(sys::EcKey::from_point(x, y)));
    if (record.retired == 0 && (!newest || record.created >= newest->created)) {
      newest = std::move(record);
    }
  }
  Signer signer;
  if (newest) {
    const base::Secret pem = TRY(unseal(key_context(newest->id), newest->sealed));
    signer.kid = newest->id;
    signer.key = std::make_shared<sys::EcKey>(TRY(sys::EcKey::from_private_pem(pem.reveal())));
  }
  const std::lock_guard lock(keys_mutex_);
  keys_ = std::move(set);
  keys_epoch_ = current;
  signer_ = std::move(signer);
  return keys_;
}

base::Result<Security::Signer> Security::signer(store::Reader& reader) {
  TRY(key_set(reader));
  const std::lock_guard lock(keys_mutex_);
  if (!signer_.key) {
    return base::Error{base::Code::unavailable, "there is no key to sign with yet",
                       "signing_key_missing"};
  }
  return signer_;
}

base::Result<void> Security::rotate_keys_if_due() {
  const sys::EcKey key = TRY(sys::EcKey::generate());
  const sys::EcKey::Point point = TRY(key.point());
  const base::Secret pem = TRY(key.private_pem());
  KeyRecord made{.id = host_->rng().token(12)};
  made.x = base::to_base64url(point.x);
  made.y = base::to_base64url(point.y);
  made.sealed = TRY(seal(key_context(made.id), pem.reveal()));
  return host_->transact(
      "security.keys.rotate", services::internal_caller("security"),
      [&](services::Call& call) -> base::Result<void> {
        made.created = seconds_of(call.now());
        bool due = true, changed = false;
        const std::vector<KeyRecord> known = TRY(all<KeyRecord>(call.write()));
        for (const KeyRecord& record : known) {
          if (record.retired == 0 && made.created < record.created + config_.key_rotation_s) {
            due = false;
          } else if (record.retired != 0 && made.created > record.retired + kRetiredKept) {
            TRY(erase(call.write(), record));
            changed = true;
          }
        }
        if (due) {
          for (KeyRecord record : known) {
            if (record.retired != 0) continue;
            record.retired = made.created;
            record.sealed.clear();
            TRY(put(call.write(), record));
          }
          TRY(put(call.write(), made));
          call.emit("security.signingKey.created", {{"kid", made.id}});
        }
        if (!due && !changed) return {};
        return touch_epoch(call.write());
      });
}

base::Result<base::Json> Security::open_config(const DirectoryRecord& directory) {
  if (directory.config.empty()) return base::Json::object();
  base::Json config = TRY(base::parse_json(directory.config));
  const auto sealed = config.find("systemPassword");
  if (sealed != config.end() && sealed->is_string()) {
    const base::Secret password =
        TRY(unseal("directory/" + directory.id, sealed->get_ref<const std::string&>()));
    *sealed = std::string(password.reveal());
  }
  return config;
}

}  // namespace security
