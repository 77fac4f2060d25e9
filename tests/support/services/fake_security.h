// SPDX-License-Identifier: Apache-2.0
// A fake of services/security for tests of what stands beside it: `Bearer NAME` is account NAME;
// organisations "root" and "acme" exist; rights and entitlements are what the test grants.
//
// Threads: any, once `granted` is filled.
#pragma once

#include <set>
#include <string>

#include "services/framework/renewal.h"
#include "services/framework/stages.h"

namespace services::test {

inline constexpr const char* kRootId = "00000000-0000-4000-8000-000000000001";
inline constexpr const char* kAcmeId = "00000000-0000-4000-8000-000000000002";

class FakeSecurity final : public Identity, public Orgs, public Authorizer, public Renewal {
 public:
  // "alice/writeNotes"; "alice/*" is everything; "alice/readNotes@ID" in the organisation ID only.
  std::set<std::string> granted;
  std::set<std::string> gone;  // accounts that were there when a call of theirs was held

  base::Result<CallerPtr> authenticate(store::Reader&, const Presented& shown) override;
  base::Result<CallerPtr> renew(store::Reader&, const Caller& then) override;
  base::Result<std::optional<Org>> find_fqon(store::Reader&, std::string_view fqon) override;
  base::Result<std::optional<Org>> find_id(store::Reader&, std::string_view id) override;
  base::Result<std::vector<Org>> lineage(store::Reader&, std::string_view id) override;
  base::Result<Decision> decide(store::Reader&, const Question& question, Call& call) override;
};

}  // namespace services::test
