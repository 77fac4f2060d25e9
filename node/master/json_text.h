// SPDX-License-Identifier: Apache-2.0
// JSON texts put together from texts, so that a long list never is a tree of JSON values.
// Threads: plain values.
#pragma once

#include <string>

#include "common/base/json.h"

namespace node::master {

class ListText {
 public:
  void add(const base::Json& entry);
  // "[…]". Requires: called once.
  std::string take();

 private:
  std::string text_ = "[";
};

// `object`, the text of an object with at least one member, with one member more.
std::string with_member(std::string object, const std::string& name, const std::string& value);

}  // namespace node::master
