// SPDX-License-Identifier: Apache-2.0
// References in manifests: `#{KIND WHERE [FIELD]}` in any text of a manifest's body stands for a
// field of another resource, `#{Config KEY}` for a setting of the command line. Pure.
//
// 1. A text that is one reference alone takes the value as it is, an object as an object; within
// longer text the value must be text, a number or a boolean.
// 2. `##{` stands for `#{`. What a reference gives is not looked through again.
// Errors: invalid_argument macro_invalid with what is wrong; those of `resolve`.
#pragma once

#include <functional>
#include <string>

#include "common/base/json.h"
#include "common/base/result.h"

namespace cli {

struct Macro {
  std::string kind;   // "Provider", "Policy", "Config", or a collection: "providers"
  std::string where;  // "/acme/shop/test/web", "web"; Config's key
  std::string field;  // "properties/fqon"; "id" when none is named
  std::string text;   // as it stands in the manifest
};
using ResolveMacro = std::function<base::Result<base::Json>(const Macro& macro)>;

base::Result<base::Json> expand_macros(const base::Json& value, const ResolveMacro& resolve);

// The collection of a kind: "Provider" gives "providers", "containers" stays. Empty when it is not
// written like one.
std::string collection_of_kind(const std::string& kind);

}  // namespace cli
