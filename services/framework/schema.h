// SPDX-License-Identifier: Apache-2.0
// JSON Schema, the part of it that action tables use: checks bodies and says where they are wrong.
//
// Known: $ref (to #/components/schemas/NAME), type (one or several), enum, const, properties,
// required, additionalProperties, items, minItems, maxItems, minLength, maxLength, pattern,
// format (uuid, date-time), minimum, maximum, minProperties, maxProperties, anyOf, oneOf, allOf.
// Annotations (title, description, default, examples) are kept for OpenAPI. Anything else is
// refused when the schema is read, so that no word is believed to work that does not.
// Threads: a Schemas is read-only once it is full.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/json.h"
#include "common/base/result.h"

namespace services {

class Schemas {
 public:
  Schemas();
  ~Schemas();
  // Errors: invalid_argument json_schema_invalid, with the place in the schema, or when the name is
  // taken.
  base::Result<void> add(std::string_view name, std::string_view text);
  // Every $ref of every schema names one that was added. Errors: invalid_argument
  // json_schema_invalid.
  base::Result<void> check_references() const;
  const base::Json& components() const;  // an object of schemas by name

  // A schema on its own; references go to `components`. Errors: invalid_argument
  // json_schema_invalid.
  static base::Result<base::Json> read(std::string_view text);
  // Errors: invalid_argument schema_violated, with the pointer of the first value that is wrong.
  base::Result<void> validate(const base::Json& schema, const base::Json& value) const;

 private:
  std::unique_ptr<base::Json> components_;
};

}  // namespace services
