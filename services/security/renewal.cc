// SPDX-License-Identifier: Apache-2.0
#include "services/security/api/renewal.h"

#include "services/security/service.h"

namespace security {

namespace {

class Renewer final : public services::Renewal {
 public:
  explicit Renewer(Security& security) : security_(security) {}
  base::Result<services::CallerPtr> renew(store::Reader& reader,
                                          const services::Caller& then) override;

 private:
  Security& security_;
};

base::Error caller_gone() {
  return {base::Code::unauthenticated,
          "who made this call, or for whom it was made, is not known any more", "caller_gone"};
}

}  // namespace

base::Result<services::CallerPtr> Renewer::renew(store::Reader& reader,
                                                 const services::Caller& then) {
  const auto account = TRY(find<AccountRecord>(reader, then.account_id));
  if (!account || account->disabled) return caller_gone();
  for (const std::string& actor : then.on_behalf) {
    const auto acting = TRY(find<AccountRecord>(reader, actor));
    if (!acting || acting->disabled) return caller_gone();
  }
  auto now = TRY(security_.caller_of(reader, then.account_id));
  now->org_id = then.org_id;
  now->credential = then.credential;
  now->credential_id = then.credential_id;
  now->on_behalf = then.on_behalf;
  now->scopes = then.scopes;
  return services::CallerPtr(std::move(now));
}

std::unique_ptr<services::Renewal> make_renewal(services::Service& security) {
  return std::make_unique<Renewer>(static_cast<Security&>(security));
}

}  // namespace security
