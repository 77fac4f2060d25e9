// SPDX-License-Identifier: Apache-2.0
#include "node/master/json_text.h"

#include <nlohmann/json.hpp>

namespace node::master {

void ListText::add(const base::Json& entry) {
  if (text_.size() > 1) text_ += ',';
  text_ += base::dump_json(entry);
}

std::string ListText::take() { return std::move(text_) + "]"; }

std::string with_member(std::string object, const std::string& name, const std::string& value) {
  object.pop_back();
  return std::move(object) + ",\"" + name + "\":" + value + "}";
}

}  // namespace node::master
