// SPDX-License-Identifier: Apache-2.0
#include "services/security/adapters/ldap/ldap.h"

#include <semaphore>

#include "common/base/text.h"
#include "common/sys/ldap.h"
#include "services/security/adapters/ldap/filter.h"

namespace security {

namespace {

constexpr int kEntriesMax = 1000;
constexpr int kConnectionsMax = 4;

struct LdapConfig {
  sys::LdapTarget target;
  std::string system_dn;
  base::Secret system_password;
  std::string account_base, group_base;
  bool active_directory = false;
  std::string user_class = "inetOrgPerson", primary = "uid", first_name = "givenName",
              last_name = "sn", email = "mail", phone = "telephoneNumber",
              description = "description";
  std::string group_class = "groupOfUniqueNames", group = "cn", group_description = "description",
              member = "uniqueMember";
};

base::Result<LdapConfig> read(const base::Json& json) {
  LdapConfig out;
  std::string password, both;
  std::int64_t timeout = 0;
  base::Fields fields(json, "/config");
  fields.optional("activeDirectory", out.active_directory);
  if (out.active_directory) {
    out.user_class = "user";
    out.primary = "sAMAccountName";
    out.group_class = "group";
    out.member = "member";
  }
  fields.required("url", out.target.url, {.length_min = 8, .length_max = 512});
  fields.optional("startTls", out.target.start_tls);
  fields.optional("allowPlain", out.target.allow_plain);
  fields.optional("caFile", out.target.ca_file, {.length_max = 1024});
  fields.required("systemUsername", out.system_dn, {.length_min = 1, .length_max = 1024});
  fields.required("systemPassword", password, {.length_min = 1, .length_max = 1024});
  fields.optional("searchBase", both, {.length_max = 1024});
  out.account_base = out.group_base = both;
  fields.optional("accountSearchBase", out.account_base, {.length_max = 1024});
  fields.optional("groupSearchBase", out.group_base, {.length_max = 1024});
  fields.optional("globalSessionTimeout", timeout);
  const std::pair<const char*, std::string*> names[] = {
      {"userObjectClass", &out.user_class},
      {"primaryField", &out.primary},
      {"firstNameField", &out.first_name},
      {"lastNameField", &out.last_name},
      {"emailField", &out.email},
      {"phoneNumberField", &out.phone},
      {"descriptionField", &out.description},
      {"groupObjectClass", &out.group_class},
      {"groupField", &out.group},
      {"groupDescriptionField", &out.group_description},
      {"memberField", &out.member}};
  for (const auto& [name, value] : names) {
    fields.optional(name, *value, {.length_min = 1, .length_max = 64});
    if (!is_ldap_attribute(*value)) {
      fields.reject(name, "this is no name of an attribute", "directory_config_invalid");
    }
  }
  if (out.account_base.empty()) {
    fields.reject("accountSearchBase", "where accounts are searched is missing",
                  "directory_config_invalid");
  }
  if (!out.target.url.starts_with("ldap://") && !out.target.url.starts_with("ldaps://")) {
    fields.reject("url", "an LDAP url is ldap:// or ldaps://", "directory_config_invalid");
  }
  out.system_password = base::Secret(std::move(password));
  TRY(fields.finish(base::UnknownFields::ignore));
  return out;
}

std::optional<std::string> some(std::string text) {
  if (base::trim(text).empty()) return std::nullopt;
  return std::string(base::trim(text));
}

class LdapAdapter final : public DirectoryAdapter {
 public:
  base::Result<void> validate(const base::Json& config) const override {
    TRY(read(config));
    return {};
  }

  base::Result<std::optional<ExternalAccount>> authenticate(const base::Json& config,
                                                            std::string_view username,
                                                            const base::Secret& password) override {
    const Slot slot(*this);
    const LdapConfig wanted = TRY(read(config));
    sys::LdapConnection connection = TRY(open_as_system(wanted));
    auto found = TRY(accounts(connection, wanted, LdapFilter::equal(wanted.primary, username)));
    if (found.size() != 1 || password.empty()) return std::optional<ExternalAccount>();
    sys::LdapConnection theirs = TRY(sys::LdapConnection::open(wanted.target));
    if (!TRY(theirs.bind(found.front().dn, password))) return std::optional<ExternalAccount>();
    TRY(add_groups(connection, wanted, found.front()));
    return std::optional<ExternalAccount>(std::move(found.front()));
  }

  base::Result<std::vector<ExternalAccount>> find_accounts(const base::Json& config,
                                                           const AccountQuery& query) override {
    const Slot slot(*this);
    const LdapConfig wanted = TRY(read(config));
    std::vector<LdapFilter> parts;
    if (query.username) parts.push_back(LdapFilter::wildcard(wanted.primary, *query.username));
    if (query.email) parts.push_back(LdapFilter::wildcard(wanted.email, *query.email));
    if (query.phone) parts.push_back(LdapFilter::wildcard(wanted.phone, *query.phone));
    sys::LdapConnection connection = TRY(open_as_system(wanted));
    auto found = TRY(accounts(connection, wanted, LdapFilter::all_of(parts)));
    for (ExternalAccount& each : found) TRY(add_groups(connection, wanted, each));
    return found;
  }

  base::Result<std::vector<ExternalGroup>> find_groups(const base::Json& config,
                                                       std::string_view name) override {
    const Slot slot(*this);
    const LdapConfig wanted = TRY(read(config));
    sys::LdapConnection connection = TRY(open_as_system(wanted));
    return groups(connection, wanted, LdapFilter::wildcard(wanted.group, name));
  }

 private:
  struct Slot {
    explicit Slot(LdapAdapter& owner) : adapter(owner) { adapter.slots_.acquire(); }
    ~Slot() { adapter.slots_.release(); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    LdapAdapter& adapter;
  };

  static base::Result<sys::LdapConnection> open_as_system(const LdapConfig& wanted) {
    sys::LdapConnection connection = TRY(sys::LdapConnection::open(wanted.target));
    if (!TRY(connection.bind(wanted.system_dn, wanted.system_password))) {
      return base::Error{base::Code::unavailable, "the directory refused the system account",
                         "directory_unreachable"};
    }
    return connection;
  }

  static base::Result<std::vector<ExternalAccount>> accounts(sys::LdapConnection& connection,
                                                             const LdapConfig& wanted,
                                                             const LdapFilter& filter) {
    const LdapFilter whole =
        LdapFilter::all_of({LdapFilter::equal("objectClass", wanted.user_class), filter});
    std::vector<ExternalAccount> out;
    for (const sys::LdapEntry& entry :
         TRY(connection.search(wanted.account_base, whole.text(),
                               {wanted.primary, wanted.first_name, wanted.last_name, wanted.email,
                                wanted.phone, wanted.description},
                               kEntriesMax))) {
      const auto first = [&](const std::string& name) { return entry.first(base::lower(name)); };
      ExternalAccount account{entry.dn, first(wanted.primary), first(wanted.first_name),
                              first(wanted.last_name)};
      account.description = some(first(wanted.description));
      account.email = some(first(wanted.email));
      account.phone = some(first(wanted.phone));
      if (!account.dn.empty() && !account.username.empty()) out.push_back(std::move(account));
    }
    return out;
  }

  static base::Result<std::vector<ExternalGroup>> groups(sys::LdapConnection& connection,
                                                         const LdapConfig& wanted,
                                                         const LdapFilter& filter) {
    std::vector<ExternalGroup> out;
    if (wanted.group_base.empty()) return out;
    const LdapFilter whole =
        LdapFilter::all_of({LdapFilter::equal("objectClass", wanted.group_class), filter});
    for (const sys::LdapEntry& entry :
         TRY(connection.search(wanted.group_base, whole.text(),
                               {wanted.group, wanted.group_description}, kEntriesMax))) {
      ExternalGroup group{entry.dn, entry.first(base::lower(wanted.group))};
      group.description = some(entry.first(base::lower(wanted.group_description)));
      if (!group.name.empty()) out.push_back(std::move(group));
    }
    return out;
  }

  static base::Result<void> add_groups(sys::LdapConnection& connection, const LdapConfig& wanted,
                                       ExternalAccount& account) {
    account.groups = TRY(groups(connection, wanted, LdapFilter::equal(wanted.member, account.dn)));
    return {};
  }

  std::counting_semaphore<kConnectionsMax> slots_{kConnectionsMax};
};

}  // namespace

std::unique_ptr<DirectoryAdapter> make_ldap_adapter() { return std::make_unique<LdapAdapter>(); }

}  // namespace security
