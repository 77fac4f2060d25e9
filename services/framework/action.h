// SPDX-License-Identifier: Apache-2.0
// Action tables: the one place where a service says which requests exist, what they are called, who
// may send them and what they do. The host makes routes, OpenAPI, audit and metrics from them.
//
// 1. A row without an access decision does not compile.
// 2. Paths stand below the service's mount. A path that starts with `/orgs/{org}` is served as
// `/MOUNT/orgs/{org}…` (an id) and as `/MOUNT/{fqon}…` (a dotted name): handlers see Call::org().
// Literal segments win, so a registered endpoint is never taken for an organisation's name.
// 3. Queries run on the loop and must take less than 5 ms (LMDB reads only) unless they have a
// `prepare` or the flag kOnWorker. Mutations run in one store transaction (but see kBeside).
// 4. Handlers are plain functions and may run again with the same Call when the engine asks for a
// retry: they change nothing but through Call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/rest/http.h"
#include "common/rest/route.h"
#include "services/framework/call.h"

namespace services {

// Has no default constructor: made by the four functions below.
class Access {
 public:
  enum class Kind { anonymous, authenticated, right, entitlement };
  constexpr Kind kind() const { return kind_; }
  constexpr std::string_view name() const { return name_; }

 private:
  constexpr Access(Kind kind, std::string_view name) : kind_(kind), name_(name) {}
  friend constexpr Access anonymous();
  friend constexpr Access authenticated();
  friend constexpr Access right(std::string_view name);
  friend constexpr Access entitlement(std::string_view name);
  Kind kind_;
  std::string_view name_;
};
constexpr Access anonymous() { return {Access::Kind::anonymous, ""}; }
// Any account. The handler narrows further what the caller sees (`self` routes, lists).
constexpr Access authenticated() { return {Access::Kind::authenticated, ""}; }
// A right of security on the target's organisation, for instance right("createOrg").
constexpr Access right(std::string_view name) { return {Access::Kind::right, name}; }
// An entitlement of meta on the target, for instance entitlement("environment.create").
constexpr Access entitlement(std::string_view name) { return {Access::Kind::entitlement, name}; }

enum class Kind { query, mutation };

using Flags = std::uint32_t;
inline constexpr Flags kAsync = 1;     // may answer 202 with a task; honours Prefer: respond-async
inline constexpr Flags kUngated = 2;   // the change gate never holds it (tokens, gate's own routes)
inline constexpr Flags kOnWorker = 4;  // a query that takes longer than 5 ms
inline constexpr Flags kUnaudited = 8;  // a mutation too frequent to audit one by one (records)
inline constexpr Flags kRawBody = 16;   // the body is no JSON: Call::request().body; no schema
inline constexpr Flags kForm = 32;      // application/x-www-form-urlencoded or JSON; body() is an
                                        // object of strings either way
inline constexpr Flags kBeside = 64;  // a mutation of what lies beside the store (logs of channels,
                                      // consumers): the handler runs once, on a snapshot, without
                                      // write(), and changes nothing when Call::dryrun(). What it
                                      // does is dropped when it comes again under Call::once_id()
inline constexpr Flags kStream = 128;  // may answer text/event-stream to who accepts it

template <class S>
struct ActionOptions {
  Flags flags = 0;
  // JSON Schema subset (schema.h) of the request body and of the reply, as JSON text; also in
  // /openapi.json. "$ref":"#/components/schemas/NAME" names one of Service::schemas(), or one of
  // reply_forms.h. `reply` is of the good replies with JSON (2xx, without what reply_forms.h adds);
  // a row without one has none.
  std::string_view body = {};
  std::string_view reply = {};
  // Runs on a worker before the transaction opens: what blocks (argon2, LDAP, adapters). Leaves its
  // result with Call::keep(). Changes nothing outside: a dry run comes here too.
  base::Result<void> (*prepare)(S&, Call&) = nullptr;
  // The target when the path has no {org}, or when it is more than the organisation. Runs on a read
  // snapshot before the authorisation. Errors: not_found, which callers without any right to see
  // the target get as well.
  base::Result<Target> (*resolve)(S&, Call&) = nullptr;
  std::size_t body_max = 256 << 10;
};

// Options that several rows share, with the reply of one of them.
template <class S>
constexpr ActionOptions<S> replying(ActionOptions<S> options, std::string_view reply) {
  options.reply = reply;
  return options;
}

// A row of a service's constexpr table.
template <class S>
struct Action {
  rest::Method method;
  std::string_view path;  // below the mount
  std::string_view name;  // "environment.create"
  Access access;
  Kind kind;
  base::Result<Reply> (*handle)(S&, Call&);
  std::string_view summary;
  ActionOptions<S> options = {};
};

// A row once its service is known.
struct ActionRow {
  rest::Method method;
  std::string path;
  std::string name;
  Access access;
  Kind kind;
  Flags flags = 0;
  std::string summary;
  std::string body_schema;
  std::string reply_schema;
  std::size_t body_max = 0;
  std::function<base::Result<Reply>(Call&)> handle;
  std::function<base::Result<void>(Call&)> prepare;    // may be empty
  std::function<base::Result<Target>(Call&)> resolve;  // may be empty
  std::string service;                                 // filled by the host
  std::string mount;

  bool has(Flags flag) const { return (flags & flag) != 0; }
  bool is_mutation() const { return kind == Kind::mutation; }  // and takes ?dryrun=true
};

class ActionTable {
 public:
  // Requires: the service outlives the table.
  template <class S, std::size_t N>
  void add(const Action<S> (&rows)[N], S& service) {
    for (const Action<S>& row : rows) {
      ActionRow made{
          .method = row.method,
          .path = std::string(row.path),
          .name = std::string(row.name),
          .access = row.access,
          .kind = row.kind,
          .flags = row.options.flags,
          .summary = std::string(row.summary),
          .body_schema = std::string(row.options.body),
          .reply_schema = std::string(row.options.reply),
          .body_max = row.options.body_max,
          .handle = [run = row.handle, &service](Call& call) { return run(service, call); },
          .prepare = {},
          .resolve = {},
          .service = {},
          .mount = {}};
      if (row.options.prepare != nullptr) {
        made.prepare = [run = row.options.prepare, &service](Call& call) {
          return run(service, call);
        };
      }
      if (row.options.resolve != nullptr) {
        made.resolve = [run = row.options.resolve, &service](Call& call) {
          return run(service, call);
        };
      }
      rows_.push_back(std::move(made));
    }
  }
  const std::vector<ActionRow>& rows() const { return rows_; }
  std::vector<ActionRow> take() && { return std::move(rows_); }

 private:
  std::vector<ActionRow> rows_;
};

}  // namespace services
