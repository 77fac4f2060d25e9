// SPDX-License-Identifier: Apache-2.0
#include "common/sys/ldap.h"

#include <ldap.h>

#include "common/base/text.h"
#include "common/sys/handle.h"

namespace sys {

namespace {

void unbind(LDAP* connection) { ldap_unbind_ext_s(connection, nullptr, nullptr); }
void free_values(berval** values) { ldap_value_free_len(values); }

using Connection = Handle<LDAP, unbind>;
using Message = Handle<LDAPMessage, ldap_msgfree>;
using Text = Handle<char, ldap_memfree>;
using Values = std::unique_ptr<berval*, Releaser<free_values>>;

base::Error ldap_error(int code, std::string_view what) {
  const std::string detail = std::string(what) + ": " + ldap_err2string(code);
  switch (code) {
    case LDAP_TIMEOUT:
    case LDAP_TIMELIMIT_EXCEEDED: return {base::Code::timed_out, detail, "directory_timed_out"};
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
      return {base::Code::too_large, detail, "directory_answer_too_large"};
    case LDAP_FILTER_ERROR:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_PARAM_ERROR: return {base::Code::invalid_argument, detail, "directory_query_invalid"};
    default: return {base::Code::unavailable, detail, "directory_unreachable"};
  }
}

timeval to_timeval(std::chrono::seconds time) { return {static_cast<time_t>(time.count()), 0}; }

int set_options(LDAP* connection, const LdapTarget& target) {
  const int version = LDAP_VERSION3;
  const timeval timeout = to_timeval(target.timeout);
  const int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
  int code = ldap_set_option(connection, LDAP_OPT_PROTOCOL_VERSION, &version);
  if (code == 0) code = ldap_set_option(connection, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  if (code == 0) code = ldap_set_option(connection, LDAP_OPT_NETWORK_TIMEOUT, &timeout);
  if (code == 0) code = ldap_set_option(connection, LDAP_OPT_TIMEOUT, &timeout);
  if (code == 0) code = ldap_set_option(connection, LDAP_OPT_RESTART, LDAP_OPT_ON);
  if (code == 0) code = ldap_set_option(connection, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
  if (code == 0 && !target.ca_file.empty()) {
    code = ldap_set_option(connection, LDAP_OPT_X_TLS_CACERTFILE, target.ca_file.c_str());
  }
  if (code == 0) code = ldap_set_option(connection, LDAP_OPT_X_TLS_NEWCTX, &client);
  return code;
}

LdapEntry read_entry(LDAP* connection, LDAPMessage* message) {
  LdapEntry out;
  if (const Text dn(ldap_get_dn(connection, message)); dn) out.dn = dn.get();
  BerElement* position = nullptr;
  for (Text name(ldap_first_attribute(connection, message, &position)); name;
       name.reset(ldap_next_attribute(connection, message, position))) {
    const Values values(ldap_get_values_len(connection, message, name.get()));
    std::vector<std::string>& list = out.attributes[base::lower(name.get())];
    for (berval** each = values.get(); each != nullptr && *each != nullptr; ++each) {
      list.emplace_back((*each)->bv_val, (*each)->bv_len);
    }
  }
  ber_free(position, 0);
  return out;
}

}  // namespace

std::string LdapEntry::first(std::string_view name) const {
  const auto at = attributes.find(std::string(name));
  return at == attributes.end() || at->second.empty() ? std::string() : at->second.front();
}

struct LdapConnection::State {
  Connection connection;
  LdapTarget target;
  bool encrypted = false;
};

LdapConnection::LdapConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
LdapConnection::LdapConnection(LdapConnection&&) noexcept = default;
LdapConnection& LdapConnection::operator=(LdapConnection&&) noexcept = default;
LdapConnection::~LdapConnection() = default;

base::Result<LdapConnection> LdapConnection::open(const LdapTarget& target) {
  if (!target.url.starts_with("ldap://") && !target.url.starts_with("ldaps://")) {
    return base::Error{base::Code::invalid_argument, "an LDAP url is ldap:// or ldaps://",
                       "directory_query_invalid"};
  }
  LDAP* raw = nullptr;
  int code = ldap_initialize(&raw, target.url.c_str());
  auto state = std::make_unique<State>(State{Connection(raw), target, false});
  if (code == 0) code = set_options(raw, target);
  if (code != 0) return ldap_error(code, target.url);
  state->encrypted = target.url.starts_with("ldaps://");
  if (target.start_tls && !state->encrypted) {
    code = ldap_start_tls_s(raw, nullptr, nullptr);
    if (code != 0) return ldap_error(code, "StartTLS with " + target.url);
    state->encrypted = true;
  }
  return LdapConnection(std::move(state));
}

base::Result<bool> LdapConnection::bind(const std::string& dn, const base::Secret& password) {
  if (dn.empty() || password.empty()) return false;
  if (!state_->encrypted && !state_->target.allow_plain) {
    return base::Error{base::Code::unavailable,
                       state_->target.url + " is not encrypted, so no password is sent to it",
                       "directory_unreachable"};
  }
  // libldap copies the password into its own buffer; what we hand over is wiped by Secret.
  std::string text(password.reveal());
  berval credential{static_cast<ber_len_t>(text.size()), text.data()};
  const int code = ldap_sasl_bind_s(state_->connection.get(), dn.c_str(), LDAP_SASL_SIMPLE,
                                    &credential, nullptr, nullptr, nullptr);
  const base::Secret wiped(std::move(text));
  switch (code) {
    case LDAP_SUCCESS: return true;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INVALID_DN_SYNTAX:
    case LDAP_INAPPROPRIATE_AUTH: return false;
    default: return ldap_error(code, "bind at " + state_->target.url);
  }
}

base::Result<std::vector<LdapEntry>> LdapConnection::search(
    const std::string& root, const std::string& filter, const std::vector<std::string>& attributes,
    int entries_max) {
  std::vector<std::string> names = attributes;
  std::vector<char*> list;
  list.reserve(names.size() + 1);
  for (std::string& name : names) list.push_back(name.data());
  list.push_back(nullptr);
  timeval timeout = to_timeval(state_->target.timeout);
  LDAPMessage* raw = nullptr;
  const int code =
      ldap_search_ext_s(state_->connection.get(), root.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(),
                        list.data(), 0, nullptr, nullptr, &timeout, entries_max, &raw);
  const Message answer(raw);
  if (code != LDAP_SUCCESS) return ldap_error(code, "search at " + state_->target.url);
  std::vector<LdapEntry> out;
  for (LDAPMessage* each = ldap_first_entry(state_->connection.get(), answer.get());
       each != nullptr; each = ldap_next_entry(state_->connection.get(), each)) {
    out.push_back(read_entry(state_->connection.get(), each));
  }
  return out;
}

}  // namespace sys
