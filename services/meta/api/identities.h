// SPDX-License-Identifier: Apache-2.0
// What meta needs of the service that owns identities: organisations, people and groups.
//
// Implemented by security (services/security/api/identities.h); used by meta, which mirrors what it
// tells as resources. Changes run in the caller's transaction, so that an organisation is there for
// both or for neither.
// Errors: those of security, passed on.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/store/store.h"
#include "services/framework/call.h"

namespace services::meta {

struct IdentityOrg {
  std::string id;
  std::string name;
  std::string fqon;
  std::string parent_id;  // empty for the root
  std::string description;
};

struct IdentityUser {
  std::string id;
  std::string username;
  std::string first_name;
  std::string last_name;
  std::string email;
  std::string phone;
  std::string description;
  std::string org_id;  // of the directory
  bool disabled = false;
};

struct IdentityGroup {
  std::string id;
  std::string name;
  std::string description;
  std::string org_id;
};

template <class T>
using Visit = std::function<base::Result<void>(const T&)>;

class Identities {
 public:
  virtual ~Identities() = default;
  // All of them, one at a time, until `visit` returns an error. Parents before children.
  virtual base::Result<void> visit_orgs(store::Reader& reader, const Visit<IdentityOrg>& visit) = 0;
  virtual base::Result<void> visit_users(store::Reader& reader,
                                         const Visit<IdentityUser>& visit) = 0;
  virtual base::Result<void> visit_groups(store::Reader& reader,
                                          const Visit<IdentityGroup>& visit) = 0;
  virtual base::Result<std::optional<IdentityOrg>> identity_org(store::Reader& reader,
                                                                std::string_view id) = 0;
  virtual base::Result<std::optional<IdentityUser>> identity_user(store::Reader& reader,
                                                                  std::string_view id) = 0;
  virtual base::Result<std::optional<IdentityGroup>> identity_group(store::Reader& reader,
                                                                    std::string_view id) = 0;
  virtual base::Result<std::vector<std::string>> members_of_group(store::Reader& reader,
                                                                  std::string_view group) = 0;
  virtual base::Result<std::vector<std::string>> groups_of_user(store::Reader& reader,
                                                                std::string_view user) = 0;

  virtual base::Result<IdentityOrg> make_org(Call& call, std::string_view parent,
                                             std::string_view name,
                                             std::string_view description) = 0;
  // Those that make_org() made with it: of its admins, in the organisation of their maker.
  virtual base::Result<std::vector<IdentityGroup>> groups_with_org(store::Reader& reader,
                                                                   const IdentityOrg& org) = 0;
  virtual base::Result<void> drop_org(Call& call, std::string_view id) = 0;
  // Takes a while: before the transaction opens.
  virtual base::Result<std::string> hash_password(std::string_view password) = 0;
  // Into the organisation's default store. `hash` empty: nobody can log in with a password.
  virtual base::Result<IdentityUser> make_user(Call& call, std::string_view org,
                                               const IdentityUser& wanted,
                                               std::string_view hash) = 0;
  virtual base::Result<void> drop_user(Call& call, std::string_view id) = 0;
  virtual base::Result<IdentityGroup> make_group(Call& call, std::string_view org,
                                                 std::string_view name,
                                                 std::string_view description) = 0;
  virtual base::Result<void> drop_group(Call& call, std::string_view id) = 0;
  enum class Membership { add, remove };
  virtual base::Result<void> change_member(Call& call, std::string_view group,
                                           std::string_view user, Membership change) = 0;
};

}  // namespace services::meta
