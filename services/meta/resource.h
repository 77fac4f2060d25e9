// SPDX-License-Identifier: Apache-2.0
// A resource: what clients send, what they see, and how it is stored.
//
// Used by the resource store and the routes of meta. Pure.
// Stored: one line of fields for the indexes and for walking the tree, then the JSON that clients
// see. So a GET copies text, and an index needs no JSON reader. The fields, apart by 0x1f:
//   version, type, rest name, org id, parent id, name, path (ids from the root, by ','),
//   links (property=target, by ','), modified (RFC 3339), owner id, flags ("m": has masked values)
// Errors: invalid_argument name_invalid, resource_invalid; corrupt resource_corrupt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/json.h"
#include "common/base/result.h"
#include "services/meta/catalogue.h"
#include "services/meta/properties.h"

namespace services::meta {

struct Link {
  std::string type_id;
  std::string id;
  std::string name;
  std::string href;
};
std::string link_text(const Link& link);
base::Json link_json(const Link& link);  // likewise, as a value

inline constexpr std::string_view kActive = "Gestalt::Resource::State::Active";
inline constexpr std::string_view kPending = "Gestalt::Resource::State::Pending";
inline constexpr std::string_view kFailed = "Gestalt::Resource::State::Failed";
// Errors: invalid_argument state_unknown.
base::Result<std::string> state_name(std::string_view sent);
std::vector<std::string> state_names();

// The line of fields in front of a stored resource. Views live as long as what was read.
struct Header {
  std::uint64_t version = 0;
  std::string_view type;
  std::string_view rest;
  std::string_view org;
  std::string_view parent;
  std::string_view name;
  std::string_view path;
  std::string_view links;
  std::string_view modified;
  std::string_view owner;
  std::string_view flags;
  std::string_view json;  // what stands behind the line

  std::vector<std::string_view> ancestors() const;  // from the root, without itself
};
base::Result<Header> read_header(std::string_view stored);

struct Resource {
  std::string id;
  std::string name;
  std::string description;
  std::string type;
  std::string rest;
  std::string state = std::string(kActive);
  std::string org_id;
  std::string fqon;
  std::string parent_id;  // empty for the root organisation
  std::string path;
  Link owner;
  Link created_by;
  std::string created;
  Link modified_by;
  std::string modified;
  std::uint64_t version = 0;
  base::Json properties;
  base::Json variables;  // null or an object
  base::Json tags;       // null or an array
};

// What clients see; encrypted values are masked. `whole` keeps them, for the store.
enum class Masking { masked, whole };
std::string rendered(const Resource& resource, const ResourceType& type, Masking masking);
base::Json render(const Resource& resource, const ResourceType& type, Masking masking);
// What other services are told of a resource, with these properties.
std::string outline(const Resource& resource, const base::Json& properties);
std::string store_form(const Resource& resource, const ResourceType& type);
// What a header says, without the document behind it.
Resource resource_of(std::string_view id, const Header& header);
base::Result<Resource> read_stored(std::string_view id, std::string_view stored);

// "/root/environments/ID"; organisations are their fqon.
std::string href_of(std::string_view fqon, std::string_view rest, std::string_view id);

// What a client sends to create or replace: {id?, name, description?, resource_type?,
// resource_state?, owner?, properties?, variables?, tags?}; what meta renders besides is ignored.
struct Input {
  std::string id;
  std::string name;
  std::optional<std::string> description;
  std::string type;   // name or id; empty: from the address
  std::string state;  // empty: as it was, or active
  std::string owner;  // id; empty: the caller
  base::Json properties;
  base::Json variables;
  base::Json tags;
};
base::Result<Input> read_input(const base::Json& body);
// Organisations: ^[a-z0-9]+(-[a-z0-9]+)*$ up to 64 bytes; others: 1 to 255 bytes without control
// characters and '/'.
base::Result<void> check_name(std::string_view type, std::string_view name);

}  // namespace services::meta
