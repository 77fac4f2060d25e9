// SPDX-License-Identifier: Apache-2.0
// Manifests: files that say which resources there should be, and the comparison of one with what
// there is. Pure but for the reading of files.
//
// A manifest is a resource as the meta service takes it (name, description, properties, …) with
//   kind      the collection: containers, policies, … ; or `resource_type`, a type's whole name
//   context   /fqon[/workspace[/environment]]: where it belongs; the command's --context otherwise
//   parent    name of the resource in that context below which it stands (rules: their policy)
// Errors: invalid_argument manifest_invalid, yaml_invalid, json_invalid; os errors of the file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace cli {

struct Manifest {
  std::string source;  // "web.yaml, 2nd document"
  std::string kind;
  std::string resource_type;
  std::string context;
  std::string parent_kind;  // "policies"
  std::string parent;
  std::string name;
  base::Json body;  // what is sent: without kind, context and parent
};

// `text` is JSON (one resource or a list of them) or YAML (documents).
base::Result<std::vector<Manifest>> parse_manifests(const std::string& source,
                                                    const std::string& text);
// Files, or folders whose *.json, *.yaml and *.yml are taken in order of name; `-` is stdin.
base::Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& paths);

struct Difference {
  std::string pointer;
  base::Json now;  // null when absent
  base::Json wanted;
};
// Where the manifest wants something else than there is. What the manifest does not name is left as
// it is; masked values count as equal.
std::vector<Difference> compare(const base::Json& now, const base::Json& wanted);
// The JSON Patch that settles them.
base::Json patch_of(const std::vector<Difference>& differences);
// "  ~ /properties/num_instances: 1 -> 2"
std::string render_differences(const std::vector<Difference>& differences);

}  // namespace cli
