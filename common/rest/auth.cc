// SPDX-License-Identifier: Apache-2.0
#include "common/rest/auth.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "common/base/config.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/text.h"
#include "common/sys/files.h"
#include "common/sys/tls.h"

namespace rest {

using base::Code;
using base::Error;
using base::Result;

namespace {

constexpr std::size_t kAuthorizationMax = 4096;
constexpr std::size_t kTokensMax = 10000;
constexpr std::size_t kIdMax = 128;
constexpr std::size_t kTokenBytes = 32;

Error invalid_credentials() {
  // One text for all causes: a caller must not learn whether an id exists.
  return Error{Code::unauthenticated, "the credentials are not valid", "credentials_invalid"};
}

Error missing_credentials() {
  return Error{Code::unauthenticated, "this needs credentials", "credentials_missing"};
}

bool is_token_text(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// An id becomes part of a principal's name and with it of log lines.
bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '@';
  });
}

Principal make_principal(std::string name, const std::vector<std::string>& scopes) {
  return Principal{std::move(name), {scopes.begin(), scopes.end()}};
}

}  // namespace

Result<PresentedToken> parse_authorization(std::string_view header) {
  if (header.size() > kAuthorizationMax) return invalid_credentials();
  header = base::trim(header);
  const std::size_t end = header.find_first_of(" =");
  if (end == std::string_view::npos) return invalid_credentials();
  const std::string scheme = base::lower(header.substr(0, end));
  const std::string_view rest =
      header[end] == ' ' ? base::trim(header.substr(end + 1)) : header.substr(end + 1);
  if ((scheme == "bearer" && header[end] == ' ') || (scheme == "token" && header[end] == '=')) {
    if (!is_token_text(rest)) return invalid_credentials();
    return PresentedToken{"", base::Secret(std::string(rest))};
  }
  if (scheme != "basic" || header[end] != ' ') return invalid_credentials();
  Result<std::string> decoded = base::from_base64(rest);
  if (!decoded) return invalid_credentials();
  const base::Secret pair(*std::move(decoded));
  const std::size_t colon = pair.reveal().find(':');
  if (colon == std::string_view::npos) return invalid_credentials();
  const std::string_view id = pair.reveal().substr(0, colon);
  const std::string_view token = pair.reveal().substr(colon + 1);
  if (!is_id(id) || !is_token_text(token)) return invalid_credentials();
  return PresentedToken{std::string(id), base::Secret(std::string(token))};
}

TokenFile::TokenFile(Options options) : options_(std::move(options)) {}

Result<std::vector<TokenFile::Entry>> TokenFile::load(const std::filesystem::path& file) {
  const std::string text = TRY(base::read_file(file));
  const base::Json document = TRY(base::parse_json(text, {.bytes_max = text.size()}));
  base::Fields fields(document);
  std::vector<Entry> entries;
  if (const base::Json* tokens = fields.find_array("tokens", kTokensMax)) {
    for (std::size_t i = 0; i < tokens->size(); ++i) {
      Entry entry;
      base::Fields item((*tokens)[i], base::child_pointer("/tokens", std::to_string(i)));
      item.required("id", entry.id, {.length_min = 1, .length_max = kIdMax});
      item.required("sha256", entry.sha256_hex, {.length_min = 64, .length_max = 64});
      item.optional("scopes", entry.scopes);
      TRY(item.finish(base::UnknownFields::refuse));
      entry.sha256_hex = base::lower(entry.sha256_hex);
      entries.push_back(std::move(entry));
    }
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  return entries;
}

void TokenFile::reload_if_changed() {
  struct stat status {};
  Stamp stamp;
  if (::stat(options_.file.c_str(), &status) == 0) {
    stamp = {status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec, status.st_ino,
             status.st_size};
  }
  if (stamp_ == stamp) return;
  stamp_ = stamp;
  entries_.clear();
  if (stamp == Stamp{}) return;  // no file yet: nobody has a token
  Result<std::vector<Entry>> entries = load(options_.file);
  if (entries) {
    entries_ = *std::move(entries);
  } else {
    base::log::warning("REST_TOKENS_UNREADABLE", "no token is accepted until the file is right",
                       {{"file", options_.file.string()}}, entries.error());
  }
}

Result<Principal> TokenFile::authenticate_token(const std::string& header) {
  const PresentedToken presented = TRY(parse_authorization(header));
  reload_if_changed();
  const std::string digest = sys::sha256_hex(presented.token.reveal());
  const Entry* found = nullptr;
  // Always to the end of the list, so that the time says nothing about the place.
  for (const Entry& entry : entries_) {
    const bool id_fits = presented.id.empty() || presented.id == entry.id;
    if (base::equal_constant_time(entry.sha256_hex, digest) && id_fits) found = &entry;
  }
  if (found == nullptr) return invalid_credentials();
  return make_principal("token:" + found->id, found->scopes);
}

Result<Principal> TokenFile::authenticate(const Credentials& credentials) {
  if (!credentials.authorization.empty()) return authenticate_token(credentials.authorization);
  if (!credentials.peer) return missing_credentials();
  const uid_t uid = credentials.peer->uid;
  const std::string name = "uid:" + std::to_string(uid);
  if (uid == 0 || uid == ::geteuid()) return make_principal(name, {"*"});
  const auto granted = options_.peer_scopes.find(uid);
  if (granted == options_.peer_scopes.end()) return missing_credentials();
  return make_principal(name, granted->second);
}

Result<base::Secret> TokenFile::mint(const std::filesystem::path& file, const std::string& id,
                                     const std::vector<std::string>& scopes, base::Rng& rng) {
  if (!is_id(id)) {
    return Error{Code::invalid_argument,
                 "a token's id has 1 to 128 letters, digits, '-', '_', '.' or '@'", "field_invalid",
                 0, "/id"};
  }
  const sys::Fd lock = TRY(sys::lock_file(file.string() + ".lock"));
  std::vector<Entry> entries;
  struct stat status {};
  const bool exists = ::stat(file.c_str(), &status) == 0;
  if (exists) entries = TRY(load(file));
  for (const Entry& entry : entries) {
    if (entry.id == id) {
      return Error{Code::already_exists, "there is a token called '" + id + "'", "token_exists"};
    }
  }
  base::Secret token("gst_at_" + rng.token(kTokenBytes));
  entries.push_back({id, sys::sha256_hex(token.reveal()), scopes});
  base::Json document = {{"tokens", base::Json::array()}};
  for (const Entry& entry : entries) {
    document["tokens"].push_back(
        {{"id", entry.id}, {"sha256", entry.sha256_hex}, {"scopes", entry.scopes}});
  }
  TRY(sys::write_file_durably(file, base::dump_json_pretty(document) + "\n", 0640));
  if (exists && ::chown(file.c_str(), static_cast<uid_t>(-1), status.st_gid) != 0) {
    return base::os_error(errno, "keep the group of " + file.string());
  }
  return token;
}

}  // namespace rest
