// SPDX-License-Identifier: Apache-2.0
#include "services/security/data/records.h"

#include <tuple>

#include "common/sys/tls.h"

namespace security {

namespace {

template <class T, class M>
struct Field {
  std::string_view name;
  M T::*member;
};
template <class T, class M>
constexpr Field<T, M> f(std::string_view name, M T::*member) {
  return {name, member};
}

bool read_value(const base::Json& json, std::string& out) {
  if (!json.is_string()) return false;
  out = json.get_ref<const std::string&>();
  return true;
}
bool read_value(const base::Json& json, bool& out) {
  if (!json.is_boolean()) return false;
  out = json.get<bool>();
  return true;
}
bool read_value(const base::Json& json, std::int64_t& out) {
  if (!json.is_number_integer()) return false;
  out = json.get<std::int64_t>();
  return true;
}
bool read_value(const base::Json& json, std::optional<std::string>& out) {
  if (!json.is_string()) return false;
  out = json.get_ref<const std::string&>();
  return true;
}
bool read_value(const base::Json& json, std::vector<std::string>& out) {
  if (!json.is_array()) return false;
  for (const base::Json& each : json) {
    if (!each.is_string()) return false;
    out.push_back(each.get_ref<const std::string&>());
  }
  return true;
}

void write_value(base::Json& out, const std::optional<std::string>& value) {
  if (value) out = *value;
}
template <class M>
void write_value(base::Json& out, const M& value) {
  out = value;
}

base::Error unreadable(std::string_view what) {
  return {base::Code::corrupt, "a stored record of security cannot be read: " + std::string(what),
          "record_unreadable"};
}

template <class T>
constexpr auto fields_of();

template <>
constexpr auto fields_of<OrgRecord>() {
  using R = OrgRecord;
  return std::tuple(f("id", &R::id), f("name", &R::name), f("fqon", &R::fqon),
                    f("parent", &R::parent), f("description", &R::description));
}
template <>
constexpr auto fields_of<DirectoryRecord>() {
  using R = DirectoryRecord;
  return std::tuple(f("id", &R::id), f("org", &R::org), f("name", &R::name),
                    f("description", &R::description), f("type", &R::type),
                    f("config", &R::config));
}
template <>
constexpr auto fields_of<AccountRecord>() {
  using R = AccountRecord;
  return std::tuple(f("id", &R::id), f("directory", &R::directory), f("username", &R::username),
                    f("first", &R::first_name), f("last", &R::last_name),
                    f("description", &R::description), f("email", &R::email), f("phone", &R::phone),
                    f("hash", &R::hash), f("disabled", &R::disabled), f("dn", &R::dn));
}
template <>
constexpr auto fields_of<GroupRecord>() {
  using R = GroupRecord;
  return std::tuple(f("id", &R::id), f("directory", &R::directory), f("name", &R::name),
                    f("description", &R::description), f("disabled", &R::disabled),
                    f("dn", &R::dn));
}
template <>
constexpr auto fields_of<MemberRecord>() {
  using R = MemberRecord;
  return std::tuple(f("group", &R::group), f("account", &R::account));
}
template <>
constexpr auto fields_of<AppRecord>() {
  using R = AppRecord;
  return std::tuple(f("id", &R::id), f("org", &R::org), f("name", &R::name),
                    f("description", &R::description), f("service", &R::service));
}
template <>
constexpr auto fields_of<StoreRecord>() {
  using R = StoreRecord;
  return std::tuple(f("id", &R::id), f("app", &R::app), f("name", &R::name),
                    f("description", &R::description), f("type", &R::type), f("store", &R::store),
                    f("default_accounts", &R::default_accounts),
                    f("default_groups", &R::default_groups));
}
template <>
constexpr auto fields_of<RightRecord>() {
  using R = RightRecord;
  return std::tuple(f("id", &R::id), f("app", &R::app), f("name", &R::name), f("value", &R::value),
                    f("subject", &R::subject), f("for_group", &R::for_group));
}
template <>
constexpr auto fields_of<ApiKeyRecord>() {
  using R = ApiKeyRecord;
  return std::tuple(f("id", &R::id), f("secret", &R::secret_sha256), f("account", &R::account),
                    f("org", &R::org), f("parent", &R::parent), f("disabled", &R::disabled),
                    f("created", &R::created));
}
template <>
constexpr auto fields_of<TokenRecord>() {
  using R = TokenRecord;
  return std::tuple(f("hash", &R::hash), f("id", &R::id), f("account", &R::account),
                    f("org", &R::org), f("kind", &R::kind), f("issued", &R::issued),
                    f("expires", &R::expires), f("api_key", &R::api_key), f("client", &R::client),
                    f("family", &R::family), f("scopes", &R::scopes), f("actors", &R::actors),
                    f("used", &R::used), f("redirect", &R::redirect_uri),
                    f("challenge", &R::challenge), f("nonce", &R::nonce));
}
template <>
constexpr auto fields_of<ClientRecord>() {
  using R = ClientRecord;
  return std::tuple(f("id", &R::id), f("org", &R::org), f("name", &R::name),
                    f("secret", &R::secret_sha256), f("redirects", &R::redirect_uris),
                    f("grants", &R::grants), f("jwt", &R::jwt));
}
template <>
constexpr auto fields_of<KeyRecord>() {
  using R = KeyRecord;
  return std::tuple(f("id", &R::id), f("x", &R::x), f("y", &R::y), f("sealed", &R::sealed),
                    f("created", &R::created), f("retired", &R::retired));
}
template <>
constexpr auto fields_of<AttemptRecord>() {
  using R = AttemptRecord;
  return std::tuple(f("key", &R::key), f("window", &R::window), f("count", &R::count),
                    f("failures", &R::failures), f("locked_until", &R::locked_until));
}
template <>
constexpr auto fields_of<StateRecord>() {
  using R = StateRecord;
  return std::tuple(f("key", &R::key), f("value", &R::value), f("number", &R::number));
}

template <class T>
base::Result<T> decode_fields(std::string_view text) {
  const base::Result<base::Json> json = base::parse_json(text, {.bytes_max = 16 << 20});
  if (!json || !json->is_object()) return unreadable("no JSON object");
  T out;
  std::string_view wrong;
  std::apply(
      [&](const auto&... each) {
        const auto one = [&](const auto& field) {
          const auto at = json->find(field.name);
          if (at != json->end() && !read_value(*at, out.*(field.member))) wrong = field.name;
        };
        (one(each), ...);
      },
      fields_of<T>());
  if (!wrong.empty()) return unreadable(wrong);
  return out;
}

template <class T>
std::string encode_fields(const T& record) {
  base::Json json = base::Json::object();
  std::apply(
      [&](const auto&... each) {
        const auto one = [&](const auto& field) {
          base::Json value;
          write_value(value, record.*(field.member));
          if (!value.is_null()) json[std::string(field.name)] = std::move(value);
        };
        (one(each), ...);
      },
      fields_of<T>());
  return base::dump_json(json);
}

// An index whose terms come from the decoded record; a record that cannot be read has none.
template <class T>
store::Index index(std::string name, std::function<std::vector<std::string>(const T&)> terms) {
  return {std::move(name), [terms = std::move(terms)](std::string_view, std::string_view value) {
            const base::Result<T> record = decode<T>(value);
            return record ? terms(*record) : std::vector<std::string>();
          }};
}

std::vector<std::string> when_set(const std::string& term) {
  return term.empty() ? std::vector<std::string>() : std::vector<std::string>{term};
}

}  // namespace

#define SECURITY_RECORD(Type, NAME, KEY)                                   \
  template <>                                                              \
  base::Result<Type> decode<Type>(std::string_view text) {                 \
    return decode_fields<Type>(text);                                      \
  }                                                                        \
  template <>                                                              \
  std::string encode<Type>(const Type& record) {                           \
    return encode_fields(record);                                          \
  }                                                                        \
  std::string_view Stored<Type>::collection() { return "security." NAME; } \
  std::string Stored<Type>::key(const Type& r) { return KEY; }
SECURITY_RECORD(OrgRecord, "orgs", r.id)
SECURITY_RECORD(DirectoryRecord, "directories", r.id)
SECURITY_RECORD(AccountRecord, "accounts", r.id)
SECURITY_RECORD(GroupRecord, "groups", r.id)
SECURITY_RECORD(MemberRecord, "members", pair_term(r.group, r.account))
SECURITY_RECORD(AppRecord, "apps", r.id)
SECURITY_RECORD(StoreRecord, "stores", r.id)
SECURITY_RECORD(RightRecord, "rights", r.id)
SECURITY_RECORD(ApiKeyRecord, "keys", r.id)
SECURITY_RECORD(TokenRecord, "tokens", r.hash)
SECURITY_RECORD(ClientRecord, "clients", r.id)
SECURITY_RECORD(KeyRecord, "signing", r.id)
SECURITY_RECORD(AttemptRecord, "attempts", r.key)
SECURITY_RECORD(StateRecord, "state", r.key)
#undef SECURITY_RECORD

std::string pair_term(std::string_view first, std::string_view second) {
  return std::string(first) + "/" + std::string(second);
}

std::vector<store::Collection> security_collections() {
  using Terms = std::vector<std::string>;
  return {
      {"security.orgs",
       {index<OrgRecord>("fqon", [](const OrgRecord& r) { return Terms{r.fqon}; }),
        index<OrgRecord>("parent", [](const OrgRecord& r) { return when_set(r.parent); })}},
      {"security.directories",
       {index<DirectoryRecord>("org", [](const DirectoryRecord& r) { return Terms{r.org}; })}},
      {"security.accounts",
       {index<AccountRecord>("directory",
                             [](const AccountRecord& r) { return Terms{r.directory}; }),
        index<AccountRecord>(
            "username",
            [](const AccountRecord& r) { return Terms{pair_term(r.directory, r.username)}; }),
        index<AccountRecord>("email",
                             [](const AccountRecord& r) {
                               return r.email ? Terms{pair_term(r.directory, *r.email)} : Terms{};
                             }),
        index<AccountRecord>("phone",
                             [](const AccountRecord& r) {
                               return r.phone ? Terms{pair_term(r.directory, *r.phone)} : Terms{};
                             }),
        index<AccountRecord>("dn",
                             [](const AccountRecord& r) {
                               return r.dn.empty()
                                          ? Terms{}
                                          : Terms{pair_term(r.directory, sys::sha256_hex(r.dn))};
                             })}},
      {"security.groups",
       {index<GroupRecord>("directory", [](const GroupRecord& r) { return Terms{r.directory}; }),
        index<GroupRecord>(
            "name", [](const GroupRecord& r) { return Terms{pair_term(r.directory, r.name)}; })}},
      {"security.members",
       {index<MemberRecord>("account", [](const MemberRecord& r) { return Terms{r.account}; })}},
      {"security.apps",
       {index<AppRecord>("org", [](const AppRecord& r) { return Terms{r.org}; }),
        index<AppRecord>("service",
                         [](const AppRecord& r) { return r.service ? Terms{r.org} : Terms{}; })}},
      {"security.stores",
       {index<StoreRecord>("app", [](const StoreRecord& r) { return Terms{r.app}; }),
        index<StoreRecord>("store", [](const StoreRecord& r) { return Terms{r.store}; })}},
      {"security.rights",
       {index<RightRecord>("app", [](const RightRecord& r) { return Terms{r.app}; }),
        index<RightRecord>("subject", [](const RightRecord& r) { return Terms{r.subject}; })}},
      {"security.keys",
       {index<ApiKeyRecord>("account", [](const ApiKeyRecord& r) { return Terms{r.account}; }),
        index<ApiKeyRecord>("org", [](const ApiKeyRecord& r) { return Terms{r.org}; }),
        index<ApiKeyRecord>("parent", [](const ApiKeyRecord& r) { return when_set(r.parent); })}},
      {"security.tokens",
       {index<TokenRecord>("id", [](const TokenRecord& r) { return Terms{r.id}; }),
        index<TokenRecord>("account", [](const TokenRecord& r) { return Terms{r.account}; }),
        index<TokenRecord>("org", [](const TokenRecord& r) { return when_set(r.org); }),
        index<TokenRecord>("key", [](const TokenRecord& r) { return when_set(r.api_key); }),
        index<TokenRecord>("family", [](const TokenRecord& r) { return when_set(r.family); }),
        index<TokenRecord>(
            "hour", [](const TokenRecord& r) { return Terms{std::to_string(r.expires / 3600)}; })}},
      {"security.clients",
       {index<ClientRecord>("org", [](const ClientRecord& r) { return Terms{r.org}; })}},
      {"security.signing", {}},
      {"security.attempts", {}},
      {"security.state", {}},
  };
}

namespace {

// Appends to a list until it is longer than a list may be.
store::Visit collect(std::vector<store::Record>& out) {
  return [&out](store::Record& record) -> base::Result<void> {
    if (out.size() >= kListMax) {
      return base::Error{base::Code::too_large, "the list has more entries than one reply holds",
                         "list_too_long"};
    }
    out.push_back(std::move(record));
    return {};
  };
}

bool is_term(std::string_view term) {
  return !term.empty() && term.size() <= store::kTermBytesMax &&
         term.find('\0') == std::string_view::npos;
}

}  // namespace

base::Result<std::vector<store::Record>> records_by(store::Reader& reader,
                                                    std::string_view collection,
                                                    std::string_view index, std::string_view term) {
  std::vector<store::Record> out;
  if (is_term(term)) TRY(store::visit_by(reader, collection, index, term, collect(out)));
  return out;
}

base::Result<std::vector<store::Record>> records_all(store::Reader& reader,
                                                     std::string_view collection,
                                                     std::string_view prefix) {
  std::vector<store::Record> out;
  TRY(store::visit(reader, collection, prefix, collect(out)));
  return out;
}

}  // namespace security
