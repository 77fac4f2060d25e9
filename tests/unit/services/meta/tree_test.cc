// SPDX-License-Identifier: Apache-2.0
#include "services/meta/tree.h"

#include <nlohmann/json.hpp>

#include "tests/support/check_result.h"

using base::Code;
using base::Result;
using namespace services::meta;

namespace {

std::string id_of(const std::string& name) { return derived_id(name); }

std::string description_of(const Stored& stored) {
  return UNWRAP(read_stored(stored.id, stored.text)).description;
}

std::uint64_t version_of(store::Reader& reader, const std::string& name) {
  const auto found = UNWRAP(find_resource(reader, id_of(name)));
  return UNWRAP(found->header()).version;
}

}  // namespace

TEST_GROUP(Tree) {
  std::shared_ptr<const Catalogue> types = *Catalogue::make({});
  std::unique_ptr<store::Store> store = store::make_memory({.collections = meta_collections()});

  Resource make(const std::string& name, std::string_view type, const std::string& parent,
                const std::string& path) const {
    Resource resource;
    resource.id = id_of(name);
    resource.name = name;
    resource.type = std::string(type);
    resource.rest = types->find(type)->rest_name;
    resource.org_id = id_of("root");
    resource.fqon = "root";
    resource.parent_id = parent.empty() ? "" : id_of(parent);
    resource.path = path;
    resource.created = resource.modified = "2026-01-01T00:00:00.000Z";
    resource.version = 1;
    resource.properties = base::Json::object();
    return resource;
  }
  Result<void> add(Resource resource) {
    return store->write([&](store::Writer& writer) -> Result<void> {
      TRY(insert(writer, resource, *types->find(resource.type)));
      return {};
    });
  }
  // root ▸ ws ▸ env ▸ two containers
  void plant() {
    const std::string ws_path = id_of("root");
    const std::string env_path = ws_path + "," + id_of("ws");
    CHECK_OK(add(make("root", kOrgType, "", "")));
    CHECK_OK(add(make("ws", kWorkspaceType, "root", ws_path)));
    CHECK_OK(add(make("env", kEnvironmentType, "ws", env_path)));
    for (const char* name : {"a", "b"}) {
      CHECK_OK(add(make(name, kContainerType, "env", env_path + "," + id_of("env"))));
    }
  }
  void change(const std::string& name, const std::string& time, const std::string& description) {
    CHECK_OK(store->write([&](store::Writer& writer) -> Result<void> {
      const Stored before = TRY(get_resource(writer, id_of(name)));
      Resource next = TRY(read_stored(before.id, before.text));
      next.description = description;
      next.modified = time;
      TRY(replace(writer, before, next, *types->find(next.type), {"update", "u", "ann", time}));
      return {};
    }));
  }
  template <class Work>
  void read(Work work) {
    CHECK_OK(store->read([&](store::Reader& reader) -> Result<void> {
      work(reader);
      return {};
    }));
  }
};

TEST(Tree, children_are_found_by_place_and_name) {
  plant();
  read([](store::Reader& reader) {
    CHECK_EQUAL(2u, UNWRAP(list_children(reader, id_of("env"), "containers")).size());
    CHECK_EQUAL(2u, UNWRAP(list_org(reader, id_of("root"), "containers")).size());
    CHECK(UNWRAP(find_name(reader, id_of("env"), "containers", "a")).has_value());
    CHECK_FALSE(UNWRAP(find_name(reader, id_of("ws"), "containers", "a")).has_value());
  });
}

TEST(Tree, a_name_is_taken_once_in_a_place) {
  plant();
  Resource twin = make("a", kContainerType, "env", "");
  twin.id = id_of("other");
  CHECK_ERROR(Code::already_exists, "name_taken", add(twin));
  twin.name = "c";
  twin.id = id_of("a");
  CHECK_ERROR(Code::already_exists, "resource_exists", add(twin));
}

TEST(Tree, counts_follow_at_every_ancestor) {
  plant();
  const auto counted = [this](const char* ancestor) {
    std::int64_t number = -1;
    read([&](store::Reader& reader) {
      number = UNWRAP(count(reader, id_of(ancestor), "containers"));
    });
    return number;
  };
  CHECK_EQUAL(2, counted("root"));
  CHECK_EQUAL(2, counted("env"));
  CHECK_OK(store->write([&](store::Writer& writer) -> Result<void> {
    const Stored gone = TRY(get_resource(writer, id_of("a")));
    return erase(writer, gone, {"delete", "u", "ann", "2026-01-02T00:00:00.000Z"});
  }));
  CHECK_EQUAL(1, counted("root"));
  CHECK_EQUAL(1, counted("env"));
}

TEST(Tree, every_version_is_kept_and_found_by_time) {
  plant();
  for (int i = 1; i <= 9; ++i) {
    change("a", "2026-01-0" + std::to_string(i) + "T12:00:00.000Z", std::to_string(i));
  }
  read([](store::Reader& reader) {
    CHECK_EQUAL(9u, UNWRAP(list_history(reader, id_of("a"))).size());
    const auto at = [&reader](const std::string& time) {
      return description_of(UNWRAP(resource_at(reader, id_of("a"), time)));
    };
    STRCMP_EQUAL("", at("2026-01-01T00:00:00.000Z").c_str());
    STRCMP_EQUAL("1", at("2026-01-01T12:00:00.000Z").c_str());
    STRCMP_EQUAL("4", at("2026-01-05T11:59:59.999Z").c_str());
    STRCMP_EQUAL("9", at("2027-01-01T00:00:00.000Z").c_str());
    CHECK_ERROR(Code::not_found, "resource_unknown",
                resource_at(reader, id_of("a"), "2025-12-31T00:00:00.000Z"));
  });
}

TEST(Tree, what_is_deleted_is_still_there_before) {
  plant();
  CHECK_OK(store->write([&](store::Writer& writer) -> Result<void> {
    const Stored gone = TRY(get_resource(writer, id_of("a")));
    return erase(writer, gone, {"delete", "u", "ann", "2026-01-02T00:00:00.000Z"});
  }));
  read([](store::Reader& reader) {
    CHECK_OK(resource_at(reader, id_of("a"), "2026-01-01T18:00:00.000Z"));
    CHECK_ERROR(Code::not_found, "resource_unknown",
                resource_at(reader, id_of("a"), "2026-01-03T00:00:00.000Z"));
  });
  Resource again = make("a", kContainerType, "env", "");
  again.modified = "2026-01-04T00:00:00.000Z";
  CHECK_OK(add(again));
  read([](store::Reader& reader) {
    CHECK_OK(resource_at(reader, id_of("a"), "2026-01-01T18:00:00.000Z"));
    CHECK_ERROR(Code::not_found, "resource_unknown",
                resource_at(reader, id_of("a"), "2026-01-03T00:00:00.000Z"));
    CHECK_OK(resource_at(reader, id_of("a"), "2026-01-05T00:00:00.000Z"));
    CHECK_EQUAL(2u, version_of(reader, "a"));
  });
}

TEST(Tree, links_are_found_from_their_other_end) {
  plant();
  Resource volume = make("v", "Gestalt::Resource::Volume", "env", id_of("root"));
  volume.properties = {{"container", {{"id", id_of("a")}}}};
  CHECK_OK(add(volume));
  read([](store::Reader& reader) {
    const auto holders = UNWRAP(list_holders(reader, id_of("a")));
    CHECK_EQUAL(1u, holders.size());
    STRCMP_EQUAL(id_of("v").c_str(), holders[0].id.c_str());
    CHECK(UNWRAP(list_holders(reader, id_of("b"))).empty());
  });
}
