// SPDX-License-Identifier: Apache-2.0
// Changes, handlers and freezes as records of the store, and as the API shows them.
//
// Used by service.cc, gate.cc and sweep.cc.
// 1. What the API shows of a payload has no secrets: values of members whose name says so are
// masked.
// 2. A wake-up is a record whose key begins with its time; it is written with the change.
// Threads: functions over a transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/store/store.h"
#include "services/change/change.h"
#include "services/change/handler.h"

namespace services::change {

inline constexpr std::string_view kChanges = "change.changes";
inline constexpr std::string_view kWakeups = "change.wakeups";
inline constexpr std::string_view kHandlers = "change.handlers";
inline constexpr std::string_view kFreezes = "change.freezes";
// Its one record's version grows with each change of handlers and freezes.
inline constexpr std::string_view kRules = "change.rules";
inline constexpr std::size_t kHandlersMax = 1000;
inline constexpr std::size_t kFreezesMax = 1000;

std::vector<store::Collection> collections();

std::string format_change(const Change& change);
// Errors: corrupt change_unreadable.
base::Result<Change> parse_change(std::string_view text);
// Errors: not_found change_unknown.
base::Result<Change> load_change(store::Reader& reader, std::string_view id);
struct Versioned {
  Change change;
  std::uint64_t version = 0;
};
base::Result<Versioned> load_versioned(store::Reader& reader, std::string_view id);
// `wake_ms`: when the sweep looks at it again, 0 never; replaces the wake-up it had.
base::Result<void> save_change(store::Writer& writer, const Change& change, std::int64_t wake_ms);
// Ids of changes whose time has come, the earliest first.
base::Result<std::vector<std::string>> due_changes(store::Reader& reader, std::int64_t now_ms,
                                                   std::size_t limit);

std::string format_handler(const Handler& handler);
base::Result<Handler> parse_handler(std::string_view text);
// From a request. Errors: invalid_argument, each with a pointer.
base::Result<Handler> read_handler(const base::Json& body);
base::Json show_handler(const Handler& handler);

std::string format_freeze(const Freeze& freeze);
base::Result<Freeze> parse_freeze(std::string_view text);
base::Result<Freeze> read_freeze(const base::Json& body);
base::Json show_freeze(const Freeze& freeze);

enum class Detail { summary, whole };
base::Json show_change(const Change& change, Detail detail, std::string_view href_base);
// A copy without secrets.
base::Json masked(const base::Json& value);
// The hash of a captured call, as Call::capture() makes it.
std::string hash_of(const base::Json& captured);

}  // namespace services::change
