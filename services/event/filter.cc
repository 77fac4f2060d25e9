// SPDX-License-Identifier: Apache-2.0
#include "services/event/filter.h"

#include <algorithm>

#include "services/event/filter_parts.h"

namespace services::event {
namespace {

using base::Json;

// The event's fields, its data read only when a filter asks for it.
class Subject {
 public:
  explicit Subject(const StoredEvent& stored) : stored_(stored) {}

  const Json& find(const std::vector<Step>& path) {
    const Json* at = &field(std::get<std::string>(path.front()));
    for (std::size_t i = 1; i < path.size(); ++i) {
      at = step(*at, path[i]);
      if (at == nullptr) return null_;
    }
    return *at;
  }

 private:
  static const Json* step(const Json& value, const Step& step) {
    if (const auto* name = std::get_if<std::string>(&step)) {
      const auto found = value.is_object() ? value.find(*name) : value.end();
      return value.is_object() && found != value.end() ? &*found : nullptr;
    }
    const std::size_t index = std::get<std::size_t>(step);
    return value.is_array() && index < value.size() ? &value[index] : nullptr;
  }
  const Json& field(const std::string& name) {
    if (name == "data") return data();
    if (name == "name") return scratch_ = stored_.event.name;
    if (name == "id") return scratch_ = stored_.event.id;
    if (name == "partition") return scratch_ = stored_.partition;
    if (name == "offset") return scratch_ = stored_.offset;
    if (name == "key" && stored_.event.key) return scratch_ = *stored_.event.key;
    return null_;
  }
  const Json& data() {
    if (has_data_) return data_;
    has_data_ = true;
    if (!stored_.event.data) return data_;
    if (auto parsed = base::parse_json(*stored_.event.data, {.bytes_max = kEventDataMax})) {
      data_ = *std::move(parsed);
    } else {
      data_ = *stored_.event.data;
    }
    return data_;
  }

  const StoredEvent& stored_;
  const Json null_;
  Json scratch_;
  Json data_;
  bool has_data_ = false;
};

bool contains(const Json& value, const Json& wanted) {
  if (value.is_string() && wanted.is_string())
    return value.get_ref<const std::string&>().find(wanted.get_ref<const std::string&>()) !=
           std::string::npos;
  return value.is_array() && std::find(value.begin(), value.end(), wanted) != value.end();
}

bool is_ordered(const Json& a, const Json& b) {
  return (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
}

bool holds(const Json& value, Compare compare, const Json& wanted) {
  const bool texts = value.is_string() && wanted.is_string();
  switch (compare) {
    case Compare::equal: return value == wanted;
    case Compare::unequal: return value != wanted;
    case Compare::less: return is_ordered(value, wanted) && value < wanted;
    case Compare::less_equal: return is_ordered(value, wanted) && value <= wanted;
    case Compare::greater: return is_ordered(value, wanted) && value > wanted;
    case Compare::greater_equal: return is_ordered(value, wanted) && value >= wanted;
    case Compare::contains: return contains(value, wanted);
    case Compare::starts_with:
      return texts &&
             value.get_ref<const std::string&>().starts_with(wanted.get_ref<const std::string&>());
    case Compare::ends_with:
      return texts &&
             value.get_ref<const std::string&>().ends_with(wanted.get_ref<const std::string&>());
    case Compare::in: return contains(wanted, value);
  }
  return false;
}

bool evaluate(const Filter::Parts& parts, std::size_t index, Subject& subject) {
  const FilterPart& part = parts.all[index];
  switch (part.kind) {
    case FilterPart::Kind::both:
      return evaluate(parts, part.left, subject) && evaluate(parts, part.right, subject);
    case FilterPart::Kind::either:
      return evaluate(parts, part.left, subject) || evaluate(parts, part.right, subject);
    case FilterPart::Kind::negation: return !evaluate(parts, part.left, subject);
    case FilterPart::Kind::comparison:
      return holds(subject.find(part.path), part.compare, part.value);
  }
  return false;
}

}  // namespace

Filter::Filter() = default;

bool Filter::accepts(const StoredEvent& stored) const {
  if (!parts_) return true;
  Subject subject(stored);
  return evaluate(*parts_, parts_->root, subject);
}

}  // namespace services::event
