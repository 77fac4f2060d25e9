// SPDX-License-Identifier: Apache-2.0
#include "services/meta/config/lattice.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/check_result.h"

using base::Code;
using base::Json;
using namespace services::meta::config;

namespace {

Level level(std::string where, const char* properties) {
  const Json document = UNWRAP(base::parse_json(properties));
  return {where, where, UNWRAP(read_entries(document))};
}

std::string value_of(const View& view, std::string_view key) {
  const auto found = view.find(key);
  if (found == view.end() || !found->second.present) return "absent";
  return base::dump_json(found->second.value);
}

constexpr const char* kKeys[] = {"a", "b", "c"};
constexpr const char* kTypes[] = {"", "test", "prod"};

// A tree's way to one target with entries by chance.
struct Chance {
  explicit Chance(std::uint32_t seed) : random(seed) {}
  std::mt19937 random;
  std::uint32_t below(std::uint32_t bound) { return random() % bound; }

  Json value() {
    switch (below(3)) {
      case 0: return below(5);
      case 1: return Json::array({below(5)});
      default: return Json{{std::string(1, static_cast<char>('p' + below(3))), below(5)}};
    }
  }
  Entry entry() {
    Entry made;
    made.key = kKeys[below(3)];
    made.mode = static_cast<Mode>(below(4));
    made.value = value();
    made.final = below(5) == 0;
    made.need = static_cast<Need>(below(3));
    made.when.env_type = kTypes[below(3)];
    if (below(3) == 0) made.when.location = "lax";
    return made;
  }
  std::vector<Level> way() {
    std::vector<Level> levels(1 + below(5));
    for (std::size_t i = 0; i < levels.size(); ++i) {
      levels[i].id = levels[i].where = "/" + std::to_string(i);
      for (std::uint32_t n = below(6); n > 0; --n) {
        Entry made = entry();
        const auto same = [&made](const Entry& other) {
          return other.key == made.key && other.when == made.when;
        };
        auto& entries = levels[i].entries;
        if (std::none_of(entries.begin(), entries.end(), same)) entries.push_back(made);
      }
    }
    return levels;
  }
  Facts facts() { return {kTypes[below(3)], below(2) == 0 ? "lax" : "fra", {}}; }
};

constexpr std::uint32_t kWays = 3000;

}  // namespace

TEST_GROUP(Lattice){};

TEST(Lattice, the_nearest_wins_key_by_key) {
  const View view = effective({level("/root", R"({"env":{"A":"1","B":"1"}})"),
                               level("/root/ws", R"({"env":{"B":"2","C":"2"}})"),
                               level("/root/ws/env", R"({"env":{"C":"3"}})")},
                              {});
  STRCMP_EQUAL(R"({"A":"1","B":"2","C":"3"})", base::dump_json(env_json(view)).c_str());
}

TEST(Lattice, final_holds_below) {
  const std::vector<Level> above = {
      level("/root", R"({"config":{"tls":{"value":"1.3","final":true}}})")};
  const Level below = level("/root/ws", R"({"config":{"tls":{"value":"1.0"}}})");
  const View view = effective({above[0], below}, {});
  STRCMP_EQUAL("\"1.3\"", value_of(view, "tls").c_str());
  STRCMP_EQUAL("final above", view.at("tls").chain[1]["ignored"].get<std::string>().c_str());
  const auto refused = check_final(above, below.entries, {});
  CHECK_ERROR(Code::failed_precondition, "config_final", refused);
  STRCMP_CONTAINS("/root", refused.error().detail.c_str());
}

TEST(Lattice, an_environment_variable_can_be_final) {
  const std::vector<Level> above = {
      level("/root", R"({"config":{"env/A":{"value":"x","final":true}}})")};
  const Level below = level("/root/ws", R"({"env":{"A":"y"}})");
  STRCMP_EQUAL(R"({"A":"x"})", base::dump_json(env_json(effective({above[0], below}, {}))).c_str());
  CHECK_ERROR(Code::failed_precondition, "config_final", check_final(above, below.entries, {}));
}

TEST(Lattice, lists_append_maps_merge_and_unset_takes_away) {
  const View view = effective(
      {level("/root",
             R"({"config":{"l":{"value":[1]},"m":{"value":{"a":1,"b":1}},"u":{"value":1}}})"),
       level("/ws", R"({"config":{"l":{"mode":"append","value":[2]},
                        "m":{"mode":"merge","value":{"b":2}},"u":{"mode":"unset"}}})")},
      {});
  STRCMP_EQUAL("[1,2]", value_of(view, "l").c_str());
  STRCMP_EQUAL(R"({"a":1,"b":2})", value_of(view, "m").c_str());
  STRCMP_EQUAL("absent", value_of(view, "u").c_str());
}

TEST(Lattice, the_more_specific_selector_wins_at_one_level) {
  const std::vector<Level> levels = {
      level("/root", R"({"config":{"size":[{"value":1},{"value":2,"when":{"env_type":"prod"}},
        {"value":3,"when":{"env_type":"prod","location":"lax"}}]}})")};
  STRCMP_EQUAL("1", value_of(effective(levels, {"test", "", {}}), "size").c_str());
  STRCMP_EQUAL("2", value_of(effective(levels, {"prod", "fra", {}}), "size").c_str());
  STRCMP_EQUAL("3", value_of(effective(levels, {"prod", "lax", {}}), "size").c_str());
}

TEST(Lattice, what_is_required_and_absent_is_named) {
  const View view = effective({level("/root", R"({"config":{"db":{"required":"wait"}}})")}, {});
  const Json shown = view_json(view, Explain::no);
  STRCMP_EQUAL("[\"db\"]", base::dump_json(shown["missing"]).c_str());
  const View later = effective({level("/root", R"({"config":{"db":{"required":"wait"}}})"),
                                level("/ws", R"({"config":{"db":{"value":"x"}}})")},
                               {});
  CHECK(later.at("db").need == Need::wait);
  CHECK_FALSE(view_json(later, Explain::no).contains("missing"));
}

TEST(Lattice, wrong_entries_are_refused_with_their_place) {
  for (const char* properties :
       {R"({"config":[]})", R"({"config":{"a":1}})", R"({"config":{"a":{"value":1,"mode":"add"}}})",
        R"({"config":{"a":{}}})", R"({"config":{"a":{"value":1,"required":"now"}}})",
        R"({"config":{"a":[{"value":1},{"value":2}]}})"}) {
    CHECK_FALSE(read_entries(UNWRAP(base::parse_json(properties))).has_value());
  }
}

TEST(Lattice, the_hash_follows_the_values_alone) {
  const View a = effective({level("/x", R"({"env":{"A":"1"}})")}, {});
  const View b =
      effective({level("/y", R"({"env":{"A":"2"}})"), level("/z", R"({"env":{"A":"1"}})")}, {});
  STRCMP_EQUAL(view_hash(a).c_str(), view_hash(b).c_str());
  CHECK(view_hash(a) != view_hash(effective({level("/x", R"({"env":{"A":"2"}})")}, {})));
}

TEST_GROUP(LatticeProperties){// What `./dev show services-properties` counts.
                              void teardown()
                                  override{std::printf("%u ways of the lattice\n", kWays);
}
}
;

TEST(LatticeProperties, the_order_of_writing_never_matters) {
  for (std::uint32_t seed = 0; seed < kWays; ++seed) {
    Chance chance(seed);
    auto levels = chance.way();
    const Facts facts = chance.facts();
    const Json before = view_json(effective(levels, facts), Explain::yes);
    for (Level& mixed : levels) {
      std::shuffle(mixed.entries.begin(), mixed.entries.end(), chance.random);
    }
    CHECK_TEXT(before == view_json(effective(levels, facts), Explain::yes),
               std::to_string(seed).c_str());
  }
}

TEST(LatticeProperties, final_is_final_whatever_stands_below) {
  for (std::uint32_t seed = 0; seed < kWays; ++seed) {
    Chance chance(seed);
    auto levels = chance.way();
    const Facts facts = chance.facts();
    const View before = effective(levels, facts);
    for (const Level& more : chance.way()) levels.push_back(more);
    const View after = effective(levels, facts);
    for (const auto& [key, value] : before) {
      if (value.final_at.empty()) continue;
      CHECK_TEXT(value.value == after.at(key).value && value.present == after.at(key).present,
                 std::to_string(seed).c_str());
    }
  }
}

TEST(LatticeProperties, what_check_final_lets_through_takes_effect) {
  for (std::uint32_t seed = 0; seed < kWays; ++seed) {
    Chance chance(seed);
    auto levels = chance.way();
    const Facts facts = {"test", "lax", {}};
    Level own{"own", "own", {chance.entry()}};
    own.entries[0].when = {};
    own.entries[0].mode = Mode::set;
    own.entries[0].value = "mine";
    const bool allowed = check_final(levels, own.entries, facts).has_value();
    levels.push_back(own);
    const View view = effective(levels, facts);
    const std::string& key = own.entries[0].key;
    if (allowed) CHECK_TEXT(value_of(view, key) == "\"mine\"", std::to_string(seed).c_str());
  }
}

TEST(LatticeProperties, a_child_never_asks_for_less) {
  for (std::uint32_t seed = 0; seed < kWays; ++seed) {
    Chance chance(seed);
    auto levels = chance.way();
    const Facts facts = chance.facts();
    const View before = effective(levels, facts);
    for (const Level& more : chance.way()) levels.push_back(more);
    const View after = effective(levels, facts);
    for (const auto& [key, value] : before) {
      CHECK_TEXT(after.at(key).need >= value.need, std::to_string(seed).c_str());
    }
  }
}
