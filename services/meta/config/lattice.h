// SPDX-License-Identifier: Apache-2.0
// What configuration is in force for a target: entries of its ancestors and its own, combined.
//
// Used by the config and env routes, what the launcher is told, and the check of writes. Pure.
// 1. The nearest level wins, key by key. At one level the entry with the more specific selector
// wins; the order in which entries were written never matters.
// 2. `final` at a level: nothing below it counts for that key, and writes there are refused.
// 3. append, merge and unset act on what is inherited; what cannot be combined (text appended to a
// list is fine, a list merged into an object is not) leaves the nearer value.
// Errors: invalid_argument config_invalid with the pointer; failed_precondition config_final.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace services::meta::config {

enum class Mode { set, append, merge, unset };
enum class Need { none, wait, fail };

// Which targets an entry is for; an empty field fits all.
struct Selector {
  std::string env_type;
  std::string location;
  std::string label;
  int specificity() const;
  std::string text() const;
  friend bool operator==(const Selector&, const Selector&) = default;
};

struct Entry {
  std::string key;
  base::Json value;
  Mode mode = Mode::set;
  bool final = false;
  Need need = Need::none;
  Selector when;
};

// What stands at one resource of the way from the root to the target.
struct Level {
  std::string id;
  std::string where;  // its href, for explanations
  std::vector<Entry> entries;
};

struct Facts {
  std::string env_type;
  std::string location;
  std::vector<std::string> labels;
};

struct Value {
  base::Json value;
  bool present = false;
  Need need = Need::none;
  std::string final_at;  // where, empty when nowhere
  base::Json chain;      // [{at, mode, value, final?, ignored?}], root first
};

using View = std::map<std::string, Value, std::less<>>;

// `levels` from the root to the target.
View effective(const std::vector<Level>& levels, const Facts& facts);

// The shape of a resource's properties "config" and "env":
// config {KEY: ENTRY or [ENTRY]}, ENTRY {value?, mode?, final?, required?, when?{env_type,
// location, label}}; env {NAME: text}, whose entries have keys "env/NAME".
base::Result<std::vector<Entry>> read_entries(const base::Json& properties);

// What of `own` may not be said below `above`, because an ancestor's entry is final for it.
base::Result<void> check_final(const std::vector<Level>& above, const std::vector<Entry>& own,
                               const Facts& facts);

// {"hash", "values": {KEY: value}, "missing": [KEY]} and with `explain` "chain": {KEY: […]}.
enum class Explain { no, yes };
base::Json view_json(const View& view, Explain explain);
// Stable over equal views; tells changes apart, is no proof against forgery.
std::string view_hash(const View& view);
// Merged environment variables: {NAME: text}.
base::Json env_json(const View& view);

}  // namespace services::meta::config
