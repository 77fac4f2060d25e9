// SPDX-License-Identifier: Apache-2.0
// What is wrong with a definition a client sent, field by field, as Marathon's 422 replies list it.
//
// Filled by the readers of apps and groups, rendered by the /v2 routes. Keeps the first
// kProblemsMax.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/json.h"

namespace node::master {

inline constexpr std::size_t kProblemsMax = 50;

struct Problem {
  std::string path;  // "/container/docker/image"
  std::string text;
};

class Problems {
 public:
  void add(std::string path, std::string text);
  // Notes the error a field reader found; its pointer is the path.
  void add(const base::Error& error);
  bool empty() const { return list_.empty(); }
  const std::vector<Problem>& list() const { return list_; }
  // {"message": "Object is not valid", "details": [{"path": "/cpus", "errors": ["…"]}]}
  base::Json to_json() const;
  // "/cpus: must not be negative; …", for logs and tests.
  std::string text() const;

 private:
  std::vector<Problem> list_;
};

}  // namespace node::master
