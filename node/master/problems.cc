// SPDX-License-Identifier: Apache-2.0
#include "node/master/problems.h"

#include <nlohmann/json.hpp>

namespace node::master {

void Problems::add(std::string path, std::string text) {
  if (list_.size() >= kProblemsMax) return;
  list_.push_back({path.empty() ? "/" : std::move(path), std::move(text)});
}

void Problems::add(const base::Error& error) { add(error.pointer, error.detail); }

base::Json Problems::to_json() const {
  base::Json details = base::Json::array();
  for (const Problem& problem : list_) {
    const bool same_as_last = !details.empty() && details.back()["path"] == problem.path;
    if (!same_as_last) details.push_back({{"path", problem.path}, {"errors", base::Json::array()}});
    details.back()["errors"].push_back(problem.text);
  }
  return {{"message", "Object is not valid"}, {"details", std::move(details)}};
}

std::string Problems::text() const {
  std::string out;
  for (const Problem& problem : list_) {
    if (!out.empty()) out += "; ";
    out += problem.path + ": " + problem.text;
  }
  return out;
}

}  // namespace node::master
