// SPDX-License-Identifier: Apache-2.0
#include "services/meta/resource.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "common/base/object_text.h"
#include "common/base/text.h"

namespace services::meta {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr char kSeparator = '\x1f';
constexpr std::size_t kFields = 11;
constexpr std::string_view kStatePrefix = "Gestalt::Resource::State::";
constexpr std::array<std::string_view, 6> kStates = {"Active",  "Pending", "Disabled",
                                                     "Deleted", "Failed",  "Corrupt"};

Error corrupt(std::string detail) {
  return Error{Code::corrupt, std::move(detail), "resource_corrupt"};
}

std::string text_of(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Link read_link(const Json& value) {
  if (!value.is_object()) return {};
  return {text_of(value, "typeId"), text_of(value, "id"), text_of(value, "name"),
          text_of(value, "href")};
}

std::string stamp(const Link& by, const std::string& time) {
  base::ObjectText out;
  if (!by.id.empty()) out.text("id", by.id).text("name", by.name);
  out.text("timestamp", time);
  if (!by.id.empty()) out.text("typeId", by.type_id);
  return out.take();
}

std::string org_text(const Resource& resource) {
  return base::ObjectText()
      .text("href", "/" + resource.fqon)
      .text("id", resource.org_id)
      .raw("properties", base::ObjectText().text("fqon", resource.fqon).take())
      .text("typeId", "23ba3299-b04e-4c5c-9b3d-64939b22944e")
      .take();
}

Json child(const Json& document, std::string_view name) {
  const auto found = document.find(name);
  return found == document.end() ? Json() : *found;
}

bool is_org_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '-' || name.back() == '-') return false;
  char before = ' ';
  for (const char byte : name) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
    if (!plain && (byte != '-' || before == '-')) return false;
    before = byte;
  }
  return true;
}

}  // namespace

std::string link_text(const Link& link) {
  base::ObjectText out;
  out.text("href", link.href).text("id", link.id);
  if (!link.name.empty()) out.text("name", link.name);
  return out.text("typeId", link.type_id).take();
}

Json link_json(const Link& link) { return Json::parse(link_text(link)); }

Result<std::string> state_name(std::string_view sent) {
  std::string_view state = sent;
  if (state.starts_with(kStatePrefix)) state.remove_prefix(kStatePrefix.size());
  for (const std::string_view known : kStates) {
    if (state == known) return std::string(kStatePrefix) + std::string(state);
  }
  return Error{Code::invalid_argument, "there is no resource state '" + std::string(sent) + "'",
               "state_unknown", 0, "/resource_state"};
}

std::vector<std::string> state_names() {
  std::vector<std::string> names;
  for (const std::string_view known : kStates) {
    names.push_back(std::string(kStatePrefix) + std::string(known));
  }
  return names;
}

std::vector<std::string_view> Header::ancestors() const {
  if (path.empty()) return {};
  return base::split(path, ',');
}

Result<Header> read_header(std::string_view stored) {
  const std::size_t end = stored.find('\n');
  if (end == std::string_view::npos) return corrupt("a stored resource has no header");
  std::string_view line = stored.substr(0, end);
  std::array<std::string_view, kFields> field;
  for (std::size_t i = 0; i < kFields; ++i) {
    const std::size_t next = line.find(kSeparator);
    if ((next == std::string_view::npos) != (i + 1 == kFields)) {
      return corrupt("the header of a stored resource has not 11 fields");
    }
    field[i] = line.substr(0, next);
    if (next != std::string_view::npos) line.remove_prefix(next + 1);
  }
  const auto version = base::parse_int(field[0], 1, INT64_MAX);
  if (!version) return corrupt("a stored resource has no version");
  return Header{static_cast<std::uint64_t>(*version),
                field[1],
                field[2],
                field[3],
                field[4],
                field[5],
                field[6],
                field[7],
                field[8],
                field[9],
                field[10],
                stored.substr(end + 1)};
}

std::string rendered(const Resource& resource, const ResourceType& type, Masking masking) {
  base::ObjectText out;
  out.raw("created", stamp(resource.created_by, resource.created));
  if (!resource.description.empty()) out.text("description", resource.description);
  out.text("id", resource.id)
      .raw("modified", stamp(resource.modified_by, resource.modified))
      .text("name", resource.name)
      .raw("org", org_text(resource));
  if (!resource.owner.id.empty()) out.raw("owner", link_text(resource.owner));
  if (masking == Masking::masked) {
    out.value("properties", masked(type, resource.properties));
  } else {
    out.value("properties", resource.properties);
  }
  out.text("resource_state", resource.state).text("resource_type", resource.type);
  if (resource.tags.is_array()) out.value("tags", resource.tags);
  if (resource.variables.is_object()) out.value("variables", resource.variables);
  return out.take();
}

Json render(const Resource& resource, const ResourceType& type, Masking masking) {
  return Json::parse(rendered(resource, type, masking));
}

std::string outline(const Resource& resource, const Json& properties) {
  return base::ObjectText()
      .text("fqon", resource.fqon)
      .text("id", resource.id)
      .text("name", resource.name)
      .text("org", resource.org_id)
      .text("parent", resource.parent_id)
      .text("path", resource.path)
      .value("properties", properties)
      .text("state", resource.state)
      .text("type", resource.type)
      .number("version", static_cast<std::int64_t>(resource.version))
      .take();
}

std::string store_form(const Resource& resource, const ResourceType& type) {
  std::string links;
  for (const Edge& edge : edges_of(type, resource.properties)) {
    if (!links.empty()) links += ',';
    links += edge.property + "=" + edge.target;
  }
  const bool masks = std::any_of(
      type.properties.begin(), type.properties.end(), [&resource](const auto& property) {
        return property.second.encrypted && resource.properties.contains(property.first);
      });
  std::string text = std::to_string(resource.version);
  for (const std::string_view field :
       {std::string_view(resource.type), std::string_view(resource.rest),
        std::string_view(resource.org_id), std::string_view(resource.parent_id),
        std::string_view(resource.name), std::string_view(resource.path), std::string_view(links),
        std::string_view(resource.modified), std::string_view(resource.owner.id),
        std::string_view(masks ? "m" : "")}) {
    text += kSeparator;
    text += field;
  }
  text += '\n';
  return text += rendered(resource, type, Masking::whole);
}

Resource resource_of(std::string_view id, const Header& header) {
  Resource resource;
  resource.id = std::string(id);
  resource.name = std::string(header.name);
  resource.type = std::string(header.type);
  resource.rest = std::string(header.rest);
  resource.org_id = std::string(header.org);
  resource.parent_id = std::string(header.parent);
  resource.path = std::string(header.path);
  resource.modified = std::string(header.modified);
  resource.version = header.version;
  return resource;
}

Result<Resource> read_stored(std::string_view id, std::string_view stored) {
  const Header header = TRY(read_header(stored));
  auto document = base::parse_json(header.json, {.bytes_max = 16 << 20});
  if (!document) return corrupt("the stored resource " + std::string(id) + " is not JSON");
  Resource resource = resource_of(id, header);
  resource.description = text_of(*document, "description");
  resource.state = text_of(*document, "resource_state");
  resource.fqon = text_of(child(child(*document, "org"), "properties"), "fqon");
  resource.owner = read_link(child(*document, "owner"));
  resource.created_by = read_link(child(*document, "created"));
  resource.created = text_of(child(*document, "created"), "timestamp");
  resource.modified_by = read_link(child(*document, "modified"));
  resource.properties = child(*document, "properties");
  resource.variables = child(*document, "variables");
  resource.tags = child(*document, "tags");
  return resource;
}

std::string href_of(std::string_view fqon, std::string_view rest, std::string_view id) {
  if (rest == "orgs") return "/" + std::string(fqon);
  return "/" + std::string(fqon) + "/" + std::string(rest) + "/" + std::string(id);
}

Result<Input> read_input(const Json& body) {
  base::Fields fields(body);
  Input input;
  std::string description;
  fields.optional("id", input.id, {.length_max = 36});
  fields.required("name", input.name, {.length_min = 1, .length_max = 255});
  if (fields.find("description") != nullptr) {
    fields.optional("description", description, {.length_max = 64 << 10});
    input.description = description;
  }
  fields.optional("resource_type", input.type, {.length_max = 255});
  fields.optional("resource_state", input.state, {.length_max = 64});
  if (const Json* owner = fields.find("owner")) {
    input.owner = owner->is_string() ? owner->get<std::string>() : text_of(*owner, "id");
    if (!is_uuid(input.owner)) fields.reject("owner", "must be a UUID, or an object with one");
  }
  if (const Json* value = fields.find_object("properties")) input.properties = *value;
  if (const Json* value = fields.find_object("variables")) input.variables = *value;
  if (const Json* value = fields.find_array("tags", 100)) input.tags = *value;
  for (const std::string_view rendered :
       {"org", "created", "modified", "auth", "context", "environment", "workspace", "parent"}) {
    fields.find(rendered);
  }
  TRY(fields.finish(base::UnknownFields::refuse));
  if (!input.id.empty() && !is_uuid(input.id)) {
    return Error{Code::invalid_argument, "id must be a UUID", "resource_invalid", 0, "/id"};
  }
  input.id = base::lower(input.id);
  if (!input.state.empty()) input.state = TRY(state_name(input.state));
  return input;
}

Result<void> check_name(std::string_view type, std::string_view name) {
  const auto wrong = [](std::string detail) {
    return Error{Code::invalid_argument, std::move(detail), "name_invalid", 0, "/name"};
  };
  if (type == kOrgType) {
    if (is_org_name(name)) return {};
    return wrong("an organisation's name is made of a-z, 0-9 and single '-' between them");
  }
  if (name.empty() || name.size() > 255) return wrong("a name has 1 to 255 bytes");
  for (const char byte : name) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == '/' || byte == 0x7f) {
      return wrong("a name has no '/' and no control characters");
    }
  }
  return {};
}

}  // namespace services::meta
