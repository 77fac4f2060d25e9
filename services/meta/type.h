// SPDX-License-Identifier: Apache-2.0
// A resource type as data: what properties its resources have, which verbs, which parents.
//
// Read from JSON (POST resourcetypes, the store) or from the built-in table; used by everything in
// meta that handles resources. Pure values.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"

namespace services::meta {

enum class DataKind { string, integer, number, boolean, uuid, datetime, json, link };
enum class Requirement { optional, required, required_wait };
// What happens to the holder of a link when the resource it leads to is deleted.
enum class OnDelete { restricted, nullify, cascade };

struct PropertyDef {
  std::string name;
  std::string data_type = "string";  // as it is written: "resource::uuid::link::list"
  DataKind kind = DataKind::string;
  bool list = false;
  Requirement requirement = Requirement::optional;
  bool encrypted = false;  // visibility: shown as ********
  std::string refers_to;   // a type's name
  OnDelete on_delete = OnDelete::restricted;
  base::Json default_value;  // null: none
  bool sealed = false;       // set at creation only
  bool system = false;       // set by meta, ignored when a client sends it
};

struct ResourceType {
  std::string id;
  std::string name;
  std::string extends;  // name of the type it inherits from, empty for a root
  std::string rest_name;
  std::string prefix;                // of its actions: "container"
  std::vector<std::string> verbs;    // own and, in a Catalogue, inherited
  std::vector<std::string> parents;  // names of the types it may stand under
  std::map<std::string, PropertyDef, std::less<>> properties;
  bool is_abstract = false;
  bool open = false;  // takes properties that are not defined
  bool provider_backed = false;
  bool system = false;  // built in
};

// "string", "int", … with "::list" behind it, "resource::uuid::link". Errors: invalid_argument
// type_invalid.
base::Result<void> read_data_type(std::string_view text, PropertyDef& out);
// All that it reads, lists behind what they are of.
std::vector<std::string> data_type_names();

// The shape of POST resourcetypes:
// {name, extend?, properties: {property_defs[], actions{prefix,verbs}, api{rest_name},
//  lineage{parent_types[]}, is_provider_backed?, abstract?, is_open?}}. Errors: invalid_argument.
base::Result<ResourceType> read_type(const base::Json& document);
base::Json type_properties(const ResourceType& type);
base::Json property_json(const PropertyDef& property);

// A stable id for what has none of its own: RFC 9562 version 8, of the bytes of `name`.
std::string derived_id(std::string_view name);

}  // namespace services::meta
