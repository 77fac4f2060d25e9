// SPDX-License-Identifier: Apache-2.0
// What security keeps, one struct per collection, and how each is written as JSON text.
//
// Used by services/security only.
// 1. A field that is missing in a stored record keeps the type's default, so that a newer version
// reads what an older one wrote; a field of another type means a damaged record.
// 2. No secret stands in a record: passwords as scrypt, tokens and API secrets as SHA-256, what
// must be read back (a directory's system password, signing keys) sealed.
// Threads: any (plain values). Errors: corrupt record_unreadable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "common/store/pages.h"
#include "common/store/store.h"

namespace security {

struct OrgRecord {
  std::string id = {}, name = {}, fqon = {};
  std::string parent = {};  // empty for the root
  std::optional<std::string> description = {};
};

inline constexpr std::string_view kInternal = "INTERNAL";
inline constexpr std::string_view kLdap = "LDAP";
struct DirectoryRecord {
  std::string id = {}, org = {}, name = {};
  std::optional<std::string> description = {};
  std::string type = std::string(kInternal);
  std::string config = {};  // JSON text; its password is sealed
};

inline constexpr std::string_view kShadowed = "shadowed";  // the password is the directory's affair
struct AccountRecord {
  std::string id = {}, directory = {}, username = {}, first_name = {}, last_name = {};
  std::optional<std::string> description = {}, email = {}, phone = {};
  std::string hash =
      {};  // "$scrypt$…", "shadowed", or empty: no password, nobody can log in with one
  bool disabled = false;
  std::string dn = {};  // of a shadow account
};

struct GroupRecord {
  std::string id = {}, directory = {}, name = {};
  std::optional<std::string> description = {};
  bool disabled = false;
  std::string dn = {};
};

struct MemberRecord {
  std::string group = {}, account = {};
};

struct AppRecord {
  std::string id = {}, org = {}, name = {};
  std::optional<std::string> description = {};
  bool service = false;  // the organisation's own app, whose rights are the framework's
};

inline constexpr std::string_view kStoreDirectory = "DIRECTORY";
inline constexpr std::string_view kStoreGroup = "GROUP";
struct StoreRecord {  // an app's account store
  std::string id = {}, app = {}, name = {};
  std::optional<std::string> description = {};
  std::string type = {}, store = {};  // store: id of a directory or a group
  bool default_accounts = false;
  bool default_groups = false;
};

struct RightRecord {
  std::string id = {}, app = {}, name = {};
  std::optional<std::string> value = {};
  std::string subject = {};  // id of an account or a group
  bool for_group = false;
};

struct ApiKeyRecord {
  std::string id = {}, secret_sha256 = {}, account = {}, org = {};
  std::string parent = {};  // key it was made with; goes when that goes
  bool disabled = false;
  std::int64_t created = 0;
};

struct TokenRecord {
  std::string hash = {};  // SHA-256 of the token, in hex: the record's key
  std::string id = {}, account = {}, org = {};
  std::string kind = "access";           // access, refresh, code
  std::int64_t issued = 0, expires = 0;  // seconds since 1970
  std::string api_key = {};              // it dies with this one
  std::string client = {};
  std::string family = {};  // of a refresh token and what came of it
  std::vector<std::string> scopes = {};
  std::vector<std::string> actors = {};
  bool used = false;  // a refresh token or code that was taken
  std::string redirect_uri = {}, challenge = {}, nonce = {};  // of a code
};

struct ClientRecord {  // of OpenID Connect
  std::string id = {}, org = {}, name = {};
  std::string secret_sha256 = {};  // empty: a public client
  std::vector<std::string> redirect_uris = {};
  std::vector<std::string> grants = {};
  bool jwt = false;  // its access tokens are JWT
};

struct KeyRecord {  // a signing key
  std::string id = {}, x = {}, y = {};
  std::string sealed = {};  // PKCS #8, empty once retired
  std::int64_t created = 0, retired = 0;
};

struct AttemptRecord {  // of one name at one app
  std::string key = {};
  std::int64_t window = 0, count = 0;  // start in seconds, attempts since
  std::int64_t failures = 0, locked_until = 0;
};

struct StateRecord {
  std::string key = {};
  std::string value = {};
  std::int64_t number = 0;
};

template <class T>
struct Stored;  // { collection, key(record) }
template <class T>
base::Result<T> decode(std::string_view text);
template <class T>
std::string encode(const T& record);

#define SECURITY_RECORD(Type)                        \
  template <>                                        \
  base::Result<Type> decode<Type>(std::string_view); \
  template <>                                        \
  std::string encode<Type>(const Type&);             \
  template <>                                        \
  struct Stored<Type> {                              \
    static std::string_view collection();            \
    static std::string key(const Type& record);      \
  };
SECURITY_RECORD(OrgRecord)
SECURITY_RECORD(DirectoryRecord)
SECURITY_RECORD(AccountRecord)
SECURITY_RECORD(GroupRecord)
SECURITY_RECORD(MemberRecord)
SECURITY_RECORD(AppRecord)
SECURITY_RECORD(StoreRecord)
SECURITY_RECORD(RightRecord)
SECURITY_RECORD(ApiKeyRecord)
SECURITY_RECORD(TokenRecord)
SECURITY_RECORD(ClientRecord)
SECURITY_RECORD(KeyRecord)
SECURITY_RECORD(AttemptRecord)
SECURITY_RECORD(StateRecord)
#undef SECURITY_RECORD

// All of them, with their indexes.
std::vector<store::Collection> security_collections();

// The record under a key.
template <class T>
base::Result<std::optional<T>> find(store::Reader& reader, std::string_view key) {
  if (key.empty() || key.size() > 255) return std::optional<T>();
  const std::optional<store::Record> record = TRY(reader.find(Stored<T>::collection(), key));
  if (!record) return std::optional<T>();
  return std::optional<T>(TRY(decode<T>(record->value)));
}

// A list of security is at most this long; callers that want more ask by name.
inline constexpr std::size_t kListMax = 200'000;

template <class T>
base::Result<std::vector<T>> decode_all(const std::vector<store::Record>& records) {
  std::vector<T> out;
  out.reserve(records.size());
  for (const store::Record& record : records) out.push_back(TRY(decode<T>(record.value)));
  return out;
}

// All records with an index term. Errors: too_large list_too_long.
base::Result<std::vector<store::Record>> records_by(store::Reader& reader,
                                                    std::string_view collection,
                                                    std::string_view index, std::string_view term);
base::Result<std::vector<store::Record>> records_all(store::Reader& reader,
                                                     std::string_view collection,
                                                     std::string_view prefix);
template <class T>
base::Result<std::vector<T>> find_by(store::Reader& reader, std::string_view index,
                                     std::string_view term) {
  return decode_all<T>(TRY(records_by(reader, Stored<T>::collection(), index, term)));
}
template <class T>
base::Result<std::optional<T>> find_one(store::Reader& reader, std::string_view index,
                                        std::string_view term) {
  std::vector<T> found = TRY(find_by<T>(reader, index, term));
  if (found.empty()) return std::optional<T>();
  return std::optional<T>(std::move(found.front()));
}
template <class T>
base::Result<std::vector<T>> all(store::Reader& reader, std::string_view prefix = {}) {
  return decode_all<T>(TRY(records_all(reader, Stored<T>::collection(), prefix)));
}
// The same for more than fits in memory, one at a time (store::visit).
template <class T, class Visit>
base::Result<void> visit_all(store::Reader& reader, const Visit& visit) {
  return store::visit(reader, Stored<T>::collection(), {},
                      [&](const store::Record& record) -> base::Result<void> {
                        return visit(TRY(decode<T>(record.value)));
                      });
}
template <class T, class Visit>
base::Result<void> visit_by(store::Reader& reader, std::string_view index, std::string_view term,
                            const Visit& visit) {
  return store::visit_by(reader, Stored<T>::collection(), index, term,
                         [&](const store::Record& record) -> base::Result<void> {
                           return visit(TRY(decode<T>(record.value)));
                         });
}
template <class T>
base::Result<void> put(store::Writer& writer, const T& record) {
  TRY(writer.put(Stored<T>::collection(), Stored<T>::key(record), encode(record)));
  return {};
}
template <class T>
base::Result<void> erase(store::Writer& writer, const T& record) {
  return writer.remove(Stored<T>::collection(), Stored<T>::key(record));
}

// Terms of indexes made of two parts.
std::string pair_term(std::string_view first, std::string_view second);

}  // namespace security
